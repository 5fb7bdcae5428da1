#include "service/base/message_wire.h"

#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/message_encoder.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using testing::EncodeEntry;
using testing::EncodeHeaders;
using testing::EncodeValue;
using testing::ReasonOf;
using testing::WireWriter;

std::string Scan(const std::string& encoded) {
  return ReasonOf(ScanMessage(encoded, MessageLimits()));
}
std::string ScanText(const std::string& encoded) {
  return std::string(ScanMessage(encoded, MessageLimits()).status().message());
}
MessageFacts FactsOf(const std::string& encoded) {
  return ScanMessage(encoded, MessageLimits()).value();
}
std::string Header(const std::string& value) {
  return WireWriter()
      .Bytes(2, WireWriter().Bytes(1, "a").Bytes(2, value).str())
      .str();
}

TEST(MessageWire, EmptyMessageHasNoFacts) {
  const MessageFacts facts = FactsOf("");
  EXPECT_EQ(facts.priority, 0);
  EXPECT_FALSE(facts.persistent);
  EXPECT_FALSE(facts.has_headers);
  EXPECT_FALSE(facts.has_sender_keys);
  EXPECT_FALSE(facts.has_expiration);
  EXPECT_EQ(facts.payload_bytes, 0u);
}

TEST(MessageWire, FactsAreReadOffTheFields) {
  const MessageFacts facts = FactsOf(WireWriter()
                                         .Bytes(1, "hello")
                                         .Varint(5, 2)
                                         .Varint(6, 9)
                                         .Bytes(9, "60000")
                                         .Varint(11, 1)
                                         .str());
  EXPECT_EQ(facts.payload_bytes, 5u);
  EXPECT_TRUE(facts.persistent);
  EXPECT_EQ(facts.priority, 9);
  EXPECT_TRUE(facts.has_expiration);
  EXPECT_EQ(facts.expiration_ms, 60000u);
}

TEST(MessageWire, LastOccurrenceOfAFieldWins) {
  const MessageFacts facts = FactsOf(WireWriter()
                                         .Bytes(1, "hello")
                                         .Varint(5, 2)
                                         .Bytes(9, "abc")
                                         .Bytes(1, "hi")
                                         .Varint(5, 1)
                                         .Bytes(9, "7")
                                         .str());
  EXPECT_EQ(facts.payload_bytes, 2u);
  EXPECT_FALSE(facts.persistent);
  EXPECT_EQ(facts.expiration_ms, 7u);
}

TEST(MessageWire, UnknownFieldsAndOtherWireTypesAreSkipped) {
  EXPECT_EQ(Scan(WireWriter()
                     .Varint(1000, 7)
                     .Bytes(1001, "\xff")
                     .Fixed(1002, 1.0)
                     .Fixed(1003, 1.0f)
                     .Varint(1, 5)      // body as a number
                     .Bytes(6, "\xff")  // priority as bytes
                     .str()),
            "OK");
}

TEST(MessageWire, BrokenWireFormatIsMalformed) {
  for (const std::string& bytes : {
           std::string("\x0a"),                       // no size
           std::string("\x0a\x05hell"),               // too short
           std::string("\x0b"),                       // a group begins
           std::string("\x0c"),                       // a group ends
           std::string("\x0e"), std::string("\x0f"),  // no wire types
           std::string("\x02\x00", 2),                // field 0
           std::string("\x30"),                       // a number without bytes
           std::string("\x30\x80"),                   // an unfinished number
           std::string("\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
           std::string("\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
           std::string("\x8a\x80\x80\x80\x80\x00\x00", 7),  // a key of 6 bytes
           std::string("\x0a\x80\x80\x80\x80\x80\x00", 7),  // a size of 6 bytes
           std::string("\xa1\x3e\x01"),  // 8 bytes announced, 1 there
           std::string("\xa5\x3e\x01"),  // 4 bytes announced, 1 there
       }) {
    EXPECT_EQ(Scan(bytes), "MALFORMED_REQUEST") << bytes;
  }
}

TEST(MessageWire, EveryTruncationIsAnErrorOrAShorterMessage) {
  const std::string whole =
      WireWriter()
          .Bytes(1, "body")
          .Bytes(2, EncodeEntry(
                        "t", Table{{"n", int32_t{5}}, {"l", Array{"x", 1.5}}}))
          .Bytes(3, "text/plain")
          .str();
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string reason = Scan(whole.substr(0, size));
    EXPECT_TRUE(reason == "OK" || reason == "MALFORMED_REQUEST") << size;
  }
  EXPECT_EQ(Scan(whole), "OK");
}

TEST(MessageWire, StringsMustBeUtf8) {
  for (const uint32_t field : {3, 4, 7, 8, 9, 10, 12, 13, 14, 15}) {
    EXPECT_EQ(Scan(WireWriter().Bytes(field, "\xff").str()),
              "MALFORMED_REQUEST")
        << field;
  }
  EXPECT_EQ(Scan(WireWriter().Bytes(3, "grün €😀").str()), "OK");
  // Overlong, surrogate, above U+10FFFF, cut short.
  for (const char* text : {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                           "\xf4\x90\x80\x80", "12345678\xe2\x82", "\x80"}) {
    EXPECT_EQ(Scan(WireWriter().Bytes(3, text).str()), "MALFORMED_REQUEST");
  }
  EXPECT_EQ(Scan(WireWriter().Bytes(2, EncodeEntry("\xff", "x")).str()),
            "MALFORMED_REQUEST");
  EXPECT_EQ(Scan(EncodeHeaders({{"a", std::string("\xff")}})),
            "MALFORMED_REQUEST");
  EXPECT_EQ(Scan(EncodeHeaders({{"a", Table{{"\xff", 1.0}}}})),
            "MALFORMED_REQUEST");
  EXPECT_EQ(Scan(EncodeHeaders({{"a", RawString{"\xff"}}})), "OK");
  EXPECT_EQ(Scan(EncodeHeaders({{"a", Bytes{"\xff"}}})), "OK");
  EXPECT_EQ(Scan(WireWriter().Bytes(1, "\xff").str()), "OK");
}

TEST(MessageWire, LIMIT_01_ShortStringsHaveAtMost255Bytes) {
  for (const uint32_t field : {3, 4, 7, 8, 10, 12, 13, 14, 15}) {
    EXPECT_EQ(Scan(WireWriter().Bytes(field, std::string(255, 'x')).str()),
              "OK");
    EXPECT_EQ(Scan(WireWriter().Bytes(field, std::string(256, 'x')).str()),
              "INVALID_VALUE");
  }
}

TEST(MessageWire, PriorityAndDeliveryModeAreOctets) {
  EXPECT_EQ(Scan(WireWriter().Varint(6, 255).str()), "OK");
  EXPECT_EQ(Scan(WireWriter().Varint(6, 256).str()), "INVALID_VALUE");
  EXPECT_EQ(Scan(WireWriter().Varint(5, ~uint64_t{0}).str()), "INVALID_VALUE");
}

TEST(MessageWire, LIMIT_02_SizeLimitsHaveTheirOwnReasons) {
  MessageLimits limits;
  limits.max_message_bytes = 100;
  limits.max_header_bytes = 20;
  const auto scan = [&](const std::string& encoded) {
    return ReasonOf(ScanMessage(encoded, limits));
  };
  EXPECT_EQ(scan(WireWriter().Bytes(1, std::string(98, 'x')).str()), "OK");
  EXPECT_EQ(scan(WireWriter().Bytes(1, std::string(99, 'x')).str()),
            "MESSAGE_TOO_LARGE");
  EXPECT_EQ(scan(WireWriter()
                     .Bytes(1, std::string(70, 'x'))
                     .Bytes(3, std::string(18, 'x'))
                     .str()),
            "OK");
  EXPECT_EQ(scan(WireWriter()
                     .Bytes(3, std::string(19, 'x'))
                     .Bytes(1, std::string(70, 'x'))
                     .str()),
            "HEADERS_TOO_LARGE");
}

TEST(MessageWire, HeaderNamesHaveAtMost255Bytes) {
  EXPECT_EQ(Scan(EncodeHeaders({{std::string(255, 'n'), 1.0}})), "OK");
  EXPECT_EQ(Scan(EncodeHeaders({{std::string(256, 'n'), 1.0}})),
            "HEADERS_TOO_LARGE");
  EXPECT_EQ(Scan(EncodeHeaders({{"a", Table{{std::string(256, 'n'), 1.0}}}})),
            "HEADERS_TOO_LARGE");
}

Value Nested(int depth, bool tables) {
  Value value = 1.0;
  for (int i = 0; i < depth; ++i) {
    if (tables) {
      value = Table{{"t", value}};
    } else {
      value = Array{value};
    }
  }
  return value;
}

TEST(MessageWire, HeadersNestSixteenDeep) {
  for (const bool tables : {false, true}) {
    EXPECT_EQ(Scan(EncodeHeaders({{"a", Nested(16, tables)}})), "OK");
    EXPECT_EQ(Scan(EncodeHeaders({{"a", Nested(17, tables)}})),
              "HEADERS_TOO_LARGE");
  }
}

TEST(MessageWire, AValueNeedsAKind) {
  EXPECT_EQ(Scan(WireWriter().Bytes(2, "").str()), "INVALID_VALUE");
  EXPECT_EQ(Scan(Header("")), "INVALID_VALUE");
  EXPECT_EQ(Scan(Header(WireWriter().Varint(100, 1).str())), "INVALID_VALUE");
  // An array of one value without a kind.
  EXPECT_EQ(Scan(Header(
                WireWriter().Bytes(6, WireWriter().Bytes(1, "").str()).str())),
            "INVALID_VALUE");
  EXPECT_EQ(Scan(EncodeHeaders({{"a", ""}})), "OK");
}

TEST(MessageWire, NumbersStayWithinTheirWidth) {
  struct Width {
    uint32_t field;
    int64_t low;
    int64_t high;
  };
  for (const Width& width :
       {Width{10, INT32_MIN, INT32_MAX}, Width{11, INT16_MIN, INT16_MAX},
        Width{12, INT8_MIN, INT8_MAX}}) {
    const auto scan = [&](int64_t n) {
      return Scan(Header(WireWriter().ZigZag(width.field, n).str()));
    };
    EXPECT_EQ(scan(width.low), "OK");
    EXPECT_EQ(scan(width.high), "OK");
    EXPECT_EQ(scan(width.low - 1), "INVALID_VALUE");
    EXPECT_EQ(scan(width.high + 1), "INVALID_VALUE");
  }
  for (const Width& width : {Width{13, 0, UINT8_MAX}, Width{14, 0, UINT16_MAX},
                             Width{15, 0, UINT32_MAX}}) {
    const auto scan = [&](uint64_t n) {
      return Scan(Header(WireWriter().Varint(width.field, n).str()));
    };
    EXPECT_EQ(scan(width.high), "OK");
    EXPECT_EQ(scan(width.high + 1), "INVALID_VALUE");
  }
  const auto decimal = [](uint64_t scale, uint64_t unscaled) {
    return Scan(Header(
        WireWriter()
            .Bytes(17, WireWriter().Varint(1, scale).Varint(2, unscaled).str())
            .str()));
  };
  EXPECT_EQ(decimal(255, UINT32_MAX), "OK");
  EXPECT_EQ(decimal(256, 0), "INVALID_VALUE");
  EXPECT_EQ(decimal(0, uint64_t{UINT32_MAX} + 1), "INVALID_VALUE");
}

TEST(MessageWire, MSG_01_EveryKindOfValueDecodesExactly) {
  const Table headers = {
      {"string", "text"},
      {"empty", ""},
      {"raw", RawString{"\xff"}},
      {"bytes", Bytes{std::string("\0\xff", 2)}},
      {"true", true},
      {"false", false},
      {"int8", int8_t{-128}},
      {"uint8", uint8_t{255}},
      {"int16", int16_t{-32768}},
      {"uint16", uint16_t{65535}},
      {"int32", std::numeric_limits<int32_t>::min()},
      {"uint32", std::numeric_limits<uint32_t>::max()},
      {"int64", std::numeric_limits<int64_t>::min()},
      {"float", 1.5f},
      {"double", -0.1},
      {"decimal", Decimal{3, 12345}},
      {"timestamp", Timestamp{std::numeric_limits<uint64_t>::max()}},
      {"void", Void{}},
      {"table", Table{{"a", Table{}}, {"b", Array{int32_t{1}, "x", Void{}}}}},
      {"array", Array{Array{}, Table{{"k", int8_t{1}}}, true}},
  };
  const std::string encoded = EncodeHeaders(headers);
  EXPECT_EQ(Scan(encoded), "OK");
  EXPECT_TRUE(FactsOf(encoded).has_headers);
  EXPECT_EQ(DecodeHeaders(encoded), headers);
}

TEST(MessageWire, AHeaderNamedTwiceKeepsItsLastValue) {
  const std::string encoded = WireWriter()
                                  .Bytes(2, EncodeEntry("a", "first"))
                                  .Bytes(2, EncodeEntry("a", Table{{"x", 1.0}}))
                                  .Bytes(2, EncodeEntry("a", Table{{"y", 2.0}}))
                                  .str();
  EXPECT_EQ(DecodeHeaders(encoded), (Table{{"a", Table{{"y", 2.0}}}}));
}

TEST(MessageWire, AValueGivenTwiceWithinAnEntryMerges) {
  // As protobuf has it: the parts of one message field.
  const std::string encoded =
      WireWriter()
          .Bytes(2, WireWriter()
                        .Bytes(2, EncodeValue(Table{{"x", 1.0}}))
                        .Bytes(1, "a")
                        .Bytes(2, EncodeValue(Table{{"y", 2.0}}))
                        .str())
          .Bytes(2, WireWriter()
                        .Bytes(1, "b")
                        .Bytes(2, EncodeValue("text"))
                        .Bytes(2, EncodeValue(true))
                        .str())
          .str();
  EXPECT_EQ(Scan(encoded), "OK");
  EXPECT_EQ(DecodeHeaders(encoded),
            (Table{{"a", Table{{"x", 1.0}, {"y", 2.0}}}, {"b", true}}));
}

TEST(MessageWire, AnUnknownDeliveryModeIsRefused) {
  for (const uint64_t mode : {0, 1, 2}) {
    EXPECT_EQ(Scan(WireWriter().Varint(5, mode).str()), "OK");
  }
  const std::string encoded = WireWriter().Varint(5, 3).str();
  EXPECT_EQ(Scan(encoded), "INVALID_HEADER");
  EXPECT_EQ(ScanText(encoded),
            "PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,3}");
  EXPECT_EQ(Scan(WireWriter().Varint(5, 256).str()), "INVALID_VALUE");
}

TEST(MessageWire, TTL_05_ExpirationIsADecimalNumber) {
  const auto scan = [](absl::string_view text) {
    return FactsOf(WireWriter().Bytes(9, text).str()).expiration_ms;
  };
  EXPECT_EQ(scan("0"), 0u);
  EXPECT_EQ(scan("+100"), 100u);
  EXPECT_EQ(scan("0060000"), 60000u);
  EXPECT_EQ(scan("-0"), 0u);
  EXPECT_EQ(scan("4294967296"), uint64_t{1} << 32);
  EXPECT_EQ(scan("315360000000"), 315'360'000'000u);
}

TEST(MessageWire, TTL_05_BadExpirationsSayWhy) {
  const auto text = [](absl::string_view expiration) {
    const std::string encoded = WireWriter().Bytes(9, expiration).str();
    EXPECT_EQ(Scan(encoded), "INVALID_EXPIRATION");
    return ScanText(encoded);
  };
  const std::string prefix = "PRECONDITION_FAILED - invalid expiration ";
  EXPECT_EQ(text("abc"), prefix + "'abc': no_integer");
  EXPECT_EQ(text(" 1"), prefix + "' 1': no_integer");
  EXPECT_EQ(text("+"), prefix + "'+': no_integer");
  EXPECT_EQ(text("-"), prefix + "'-': no_integer");
  EXPECT_EQ(text("-1"), prefix + "'-1': {value_negative,-1}");
  EXPECT_EQ(text("-007"), prefix + "'-007': {value_negative,-7}");
  for (const std::string& more :
       {std::string("315360000001"), std::string("18446744073709551616"),
        std::string(255, '9')}) {
    EXPECT_EQ(text(more),
              prefix + "'" + more + "': {value_too_large," + more + "}");
  }
  EXPECT_EQ(text("1.5"), prefix + "'1.5': {leftover_string,\".5\"}");
  EXPECT_EQ(text("-1.5"), prefix + "'-1.5': {leftover_string,\".5\"}");
  EXPECT_EQ(text("1\"\\"), prefix + "'1\"\\': {leftover_string,\"\\\"\\\\\"}");
  EXPECT_EQ(text("1\n"), prefix + "'1\n': {leftover_string,[10]}");
}

TEST(MessageWire, TTL_05_EmptyExpirationIsNone) {
  EXPECT_FALSE(FactsOf(WireWriter().Bytes(9, "").str()).has_expiration);
}

TEST(MessageWire, CC_01_SenderKeysAreNoticedAndListed) {
  const Table headers = {{"BCC", Array{"c"}}, {"CC", Array{"a", "b"}}};
  EXPECT_TRUE(FactsOf(EncodeHeaders(headers)).has_sender_keys);
  EXPECT_THAT(SenderKeys(headers), ::testing::ElementsAre("a", "b", "c"));
  EXPECT_TRUE(FactsOf(EncodeHeaders({{"BCC", Array{"c"}}})).has_sender_keys);
  EXPECT_FALSE(FactsOf(EncodeHeaders({{"Cc", Array{"c"}}})).has_sender_keys);
}

TEST(MessageWire, CC_04_SenderKeysMustBeArrays) {
  EXPECT_EQ(Scan(EncodeHeaders({{"CC", "a"}})), "INVALID_HEADER");
  EXPECT_EQ(ScanText(EncodeHeaders({{"CC", "a"}})),
            "PRECONDITION_FAILED - invalid message: "
            "{unacceptable_type_in_header,\"CC\",longstr}");
  EXPECT_EQ(ScanText(EncodeHeaders({{"BCC", int32_t{1}}})),
            "PRECONDITION_FAILED - invalid message: "
            "{unacceptable_type_in_header,\"BCC\",signedint}");
  EXPECT_EQ(Scan(EncodeHeaders({{"cc", "a"}})), "OK");
  EXPECT_THAT(SenderKeys({{"CC", Array{1.0, "a", Void{}}}}),
              ::testing::ElementsAre("a"));
}

TEST(MessageWire, UserIdIsFound) {
  EXPECT_EQ(UserIdOf(WireWriter().Bytes(1, "b").Bytes(13, "guest").str()),
            "guest");
  EXPECT_EQ(UserIdOf(WireWriter().Bytes(1, "b").str()), "");
}

}  // namespace
}  // namespace kelpmq::service
