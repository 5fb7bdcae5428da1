#include "service/base/value_encode.h"

#include <gtest/gtest.h>

#include <limits>

#include "service/base/message_wire.h"
#include "tests/testing/message_encoder.h"

namespace kelpmq::service {
namespace {

Table EveryKind() {
  return {{"void", Void{}},
          {"string", "text"},
          {"raw", RawString{"\xff"}},
          {"bytes", Bytes{std::string("\0\1", 2)}},
          {"bool", true},
          {"int8", std::numeric_limits<int8_t>::min()},
          {"uint8", std::numeric_limits<uint8_t>::max()},
          {"int16", std::numeric_limits<int16_t>::min()},
          {"uint16", std::numeric_limits<uint16_t>::max()},
          {"int32", std::numeric_limits<int32_t>::min()},
          {"uint32", std::numeric_limits<uint32_t>::max()},
          {"int64", std::numeric_limits<int64_t>::min()},
          {"float", 1.5f},
          {"double", -2.25},
          {"decimal", Decimal{2, 12345}},
          {"timestamp", Timestamp{1'700'000'000}},
          {"empty", Table{}},
          {"nested", Table{{"array", Array{int32_t{1}, "two", Array{}}}}}};
}

TEST(ValueEncode, MSG_01_EveryKindComesBackWithItsType) {
  std::string message;
  for (const auto& [name, value] : EveryKind()) {
    AppendHeader(name, value, &message);
  }
  ASSERT_TRUE(ScanMessage(message, MessageLimits()).ok());
  EXPECT_EQ(DecodeHeaders(message), EveryKind());
}

TEST(ValueEncode, WritesTheSameBytesAsTheTestsOwnEncoder) {
  for (const auto& [name, value] : EveryKind()) {
    EXPECT_EQ(EncodedValue(value), testing::EncodeValue(value)) << name;
  }
}

}  // namespace
}  // namespace kelpmq::service
