#include "service/base/value.h"

#include "gtest/gtest.h"

namespace kelpmq::service {
namespace {

TEST(Value, TypesCountInEquality) {
  EXPECT_EQ(Value(int32_t{1}), Value(int32_t{1}));
  EXPECT_NE(Value(int32_t{1}), Value(int64_t{1}));
  EXPECT_NE(Value("a"), Value(Bytes{"a"}));
}

TEST(Value, IntegersReadAsNumbersWhateverTheirWidth) {
  EXPECT_EQ(IntegerOf(Value(int8_t{-3})), -3);
  EXPECT_EQ(IntegerOf(Value(uint32_t{3})), 3);
  EXPECT_EQ(IntegerOf(Value(true)), std::nullopt);
  EXPECT_EQ(IntegerOf(Value("3")), std::nullopt);
}

TEST(Value, MutableAsKeepsTheSameTypeAndReplacesAnother) {
  Value value = Table{{"a", 1.0}};
  (*value.MutableAs<Table>())["b"] = 2.0;
  EXPECT_EQ(value, Value(Table{{"a", 1.0}, {"b", 2.0}}));
  EXPECT_TRUE(value.MutableAs<Array>()->empty());
  EXPECT_EQ(value, Value(Array{}));
}

}  // namespace
}  // namespace kelpmq::service
