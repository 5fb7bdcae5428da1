#include "service/base/message_edit.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/message_wire.h"
#include "tests/testing/message_encoder.h"

namespace kelpmq::service {
namespace {

using testing::EncodeHeaders;
using ::testing::Eq;
using testing::MessageOf;
using testing::MessageParts;
using testing::MessageWithHeaders;
using ::testing::Optional;
using testing::WireWriter;

Table HeadersOf(const MessageRef& message) {
  return DecodeHeaders(message->encoded());
}

TEST(WithBccHidden, CC_02_LeavesOutBccAndNothingElse) {
  const Table rest = {{"CC", Array{"a"}}, {"bcc", "x"}, {"n", int32_t{5}}};
  Table headers = rest;
  headers["BCC"] = Array{"b", "c"};
  const MessageRef message =
      WithBccHidden(MessageWithHeaders("x", "key", headers));
  EXPECT_EQ(HeadersOf(message), rest);
  EXPECT_EQ(message->exchange(), "x");
  EXPECT_EQ(message->routing_key(), "key");
  EXPECT_EQ(message->facts().bcc, MessageMarks::Bcc::kHidden);
  EXPECT_TRUE(message->facts().has_sender_keys);
  EXPECT_EQ(DecodeHeaders(message->hidden_header()),
            (Table{{"BCC", Array{"b", "c"}}}));
}

TEST(WithBccHidden, NoHeadersAreLeftOfBccAlone) {
  const MessageRef message =
      WithBccHidden(MessageWithHeaders("x", "key", {{"BCC", Array{"b"}}}));
  EXPECT_EQ(message->encoded(), "");
  EXPECT_FALSE(message->facts().has_headers);
  EXPECT_TRUE(message->facts().has_sender_keys) << "though hidden";
}

TEST(WithBccHidden, TheHiddenHeaderStaysBesideAnExpirationAndOverEdits) {
  MessageParts parts;
  parts.expiration = "1000";
  parts.headers = {{"BCC", Array{"b"}}, {"x-delay", int32_t{7}}};
  const MessageRef message = WithDelayServed(WithBccHidden(MessageOf(parts)));
  EXPECT_EQ(HeadersOf(message), (Table{{"x-delay", int32_t{-7}}}));
  EXPECT_EQ(DecodeHeaders(message->hidden_header()),
            (Table{{"BCC", Array{"b"}}}));
  EXPECT_EQ(message->facts().expiration_ms, 1000u);
  EXPECT_EQ(&*WithBccHidden(message), &*message) << "once is enough";
}

TEST(WithBccHidden, KeepsEveryOtherByteAsItWas) {
  const std::string before = WireWriter().Bytes(1, "body").str();
  const std::string after =
      WireWriter().Varint(6, 9).Varint(200, 1).Bytes(201, "unknown").str();
  const std::string encoded =
      before + EncodeHeaders({{"BCC", Array{}}}) + after;
  const MessageFacts facts = ScanMessage(encoded, MessageLimits()).value();
  const MessageRef message =
      WithBccHidden(Message::Create("x", "key", encoded, facts));
  EXPECT_EQ(message->encoded(), before + after);
  EXPECT_EQ(message->facts().priority, 9);
}

TEST(WithBccHidden, AMessageWithoutItIsNotCopied) {
  const MessageRef message = MessageWithHeaders("x", "k", {{"CC", Array{}}});
  EXPECT_EQ(&*WithBccHidden(message), &*message);
}

TEST(DelayOf, PLUG_06_IntegersAboveZeroDelay) {
  EXPECT_THAT(DelayOf({{"x-delay", int32_t{5000}}}), Optional(Eq(5000)));
  EXPECT_THAT(DelayOf({{"x-delay", int8_t{5}}}), Optional(Eq(5)));
  const int64_t years = int64_t{1000} * 3600 * 24 * 365 * 100;
  EXPECT_THAT(DelayOf({{"x-delay", years}}), Optional(Eq(years)));
}

TEST(DelayOf, PLUG_06_NothingElseDoes) {
  EXPECT_EQ(DelayOf({}), std::nullopt);
  for (const Value& value :
       {Value(int32_t{0}), Value(int32_t{-5}), Value("5000"), Value(5.0)}) {
    EXPECT_EQ(DelayOf({{"x-delay", value}}), std::nullopt);
  }
}

TEST(WithDelayServed, PLUG_06_NegatesTheHeader) {
  const MessageRef message = WithDelayServed(
      MessageWithHeaders("x", "k", {{"x-delay", int32_t{5000}}, {"a", "b"}}));
  EXPECT_EQ(HeadersOf(message),
            (Table{{"x-delay", int32_t{-5000}}, {"a", "b"}}));
  EXPECT_EQ(DelayOf(HeadersOf(message)), std::nullopt) << "no second delay";
}

TEST(WithDelayServed, UnsignedDelaysGetASign) {
  const MessageRef message = WithDelayServed(
      MessageWithHeaders("x", "k", {{"x-delay", uint8_t{200}}}));
  EXPECT_EQ(HeadersOf(message), (Table{{"x-delay", int64_t{-200}}}));
}

TEST(WithDelayServed, AMessageWithoutADelayIsNotCopied) {
  for (const Table& headers :
       {Table{}, Table{{"x-delay", int32_t{-1}}}, Table{{"x-delay", "1"}}}) {
    const MessageRef message = MessageWithHeaders("x", "k", headers);
    EXPECT_EQ(&*WithDelayServed(message), &*message);
  }
}

}  // namespace
}  // namespace kelpmq::service
