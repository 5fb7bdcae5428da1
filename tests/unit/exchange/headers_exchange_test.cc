// Rules HDR.

#include "service/exchange/headers_exchange.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/routing_fixture.h"

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::ReasonOf;
using testing::TextOf;

class Headers : public testing::RoutingFixture {
 protected:
  void SetUp() override {
    Exchange("h", "headers");
    Queue("q");
  }
  // Whether a queue bound with `arguments` gets a message with `headers`.
  bool Fits(const Table& arguments, const Table& headers) {
    Bind(ToQueue("h", "q", "", arguments));
    const bool fits = !Route("h", "k", headers).empty();
    Unbind(ToQueue("h", "q", "", arguments));
    EXPECT_THAT(Route("h", "k", headers), IsEmpty());
    return fits;
  }
};

TEST_F(Headers, HDR_01_AllIsTheDefault) {
  const Table headers = {{"a", "1"}, {"b", "2"}, {"c", "3"}};
  for (const Table& kind : {Table{}, Table{{"x-match", "all"}}}) {
    Table arguments = kind;
    arguments["a"] = "1";
    arguments["b"] = "2";
    EXPECT_TRUE(Fits(arguments, headers));
    arguments["c"] = "other";
    EXPECT_FALSE(Fits(arguments, headers));
    arguments.erase("c");
    arguments["d"] = "4";
    EXPECT_FALSE(Fits(arguments, headers));
  }
}

TEST_F(Headers, HDR_02_AnyNeedsOne) {
  const Table arguments = {{"x-match", "any"}, {"a", "1"}, {"b", "2"}};
  EXPECT_TRUE(Fits(arguments, {{"a", "1"}}));
  EXPECT_TRUE(Fits(arguments, {{"a", "x"}, {"b", "2"}}));
  EXPECT_TRUE(Fits(arguments, {{"a", "1"}, {"b", "2"}}));
  EXPECT_FALSE(Fits(arguments, {{"a", "2"}, {"b", "1"}}));
  EXPECT_FALSE(Fits(arguments, {}));
}

TEST_F(Headers, HDR_03_WithoutArgumentsAllMatchesAndAnyDoesNot) {
  for (const Table& headers : {Table{}, Table{{"a", "1"}}}) {
    EXPECT_TRUE(Fits({}, headers));
    EXPECT_TRUE(Fits({{"x-match", "all"}}, headers));
    EXPECT_TRUE(Fits({{"x-other", "1"}}, headers));
    EXPECT_FALSE(Fits({{"x-match", "any"}}, headers));
    EXPECT_FALSE(Fits({{"x-match", "any"}, {"x-other", "1"}}, headers));
  }
}

TEST_F(Headers, HDR_04_VoidAsksForPresence) {
  for (const std::string kind : {"all", "any"}) {
    const Table arguments = {{"x-match", kind}, {"a", Void{}}};
    EXPECT_TRUE(Fits(arguments, {{"a", "1"}}));
    EXPECT_TRUE(Fits(arguments, {{"a", Void{}}}));
    EXPECT_TRUE(Fits(arguments, {{"a", Table{}}}));
    EXPECT_FALSE(Fits(arguments, {{"b", "1"}}));
  }
  EXPECT_FALSE(Fits({{"a", "1"}}, {{"a", Void{}}}));
}

TEST_F(Headers, HDR_05_IntegersOfAllWidthsCompareByValue) {
  const std::vector<Value> ones = {int8_t{1},   uint8_t{1}, int16_t{1},
                                   uint16_t{1}, int32_t{1}, uint32_t{1},
                                   int64_t{1}};
  for (const Value& wanted : ones) {
    for (const Value& given : ones) {
      EXPECT_TRUE(Fits({{"a", wanted}}, {{"a", given}}));
    }
    EXPECT_FALSE(Fits({{"a", wanted}}, {{"a", int32_t{2}}}));
    EXPECT_FALSE(Fits({{"a", wanted}}, {{"a", int8_t{-1}}}));
  }
}

TEST_F(Headers, HDR_06_NumbersCompareAcrossKinds) {
  const std::vector<Value> ones = {int32_t{1}, 1.0, 1.0f, Timestamp{1}};
  for (const Value& wanted : ones) {
    for (const Value& given : ones) {
      EXPECT_TRUE(Fits({{"a", wanted}}, {{"a", given}}));
    }
    EXPECT_FALSE(Fits({{"a", wanted}}, {{"a", "1"}}));
    EXPECT_FALSE(Fits({{"a", wanted}}, {{"a", true}}));
    EXPECT_FALSE(Fits({{"a", wanted}}, {{"a", Decimal{0, 1}}}));
    EXPECT_FALSE(Fits({{"a", "1"}}, {{"a", wanted}}));
    EXPECT_FALSE(Fits({{"a", true}}, {{"a", wanted}}));
  }
  // Exactly, where doubles would lose the difference.
  const int64_t big = (int64_t{1} << 53) + 1;
  EXPECT_TRUE(Fits({{"a", big}}, {{"a", Timestamp{uint64_t(big)}}}));
  EXPECT_FALSE(Fits({{"a", big}}, {{"a", static_cast<double>(big)}}));
  EXPECT_FALSE(Fits({{"a", 0.1}}, {{"a", 0.1f}}));
}

TEST_F(Headers, HDR_06_StringsEqualByteArraysOfTheSameBytes) {
  const std::vector<Value> texts = {"x", Bytes{"x"}, RawString{"x"}};
  for (const Value& wanted : texts) {
    for (const Value& given : texts) {
      EXPECT_TRUE(Fits({{"a", wanted}}, {{"a", given}}));
    }
    EXPECT_FALSE(Fits({{"a", wanted}}, {{"a", "X"}}));
  }
}

TEST_F(Headers, HDR_06_BooleansEqualOnlyBooleans) {
  EXPECT_TRUE(Fits({{"a", true}}, {{"a", true}}));
  EXPECT_FALSE(Fits({{"a", true}}, {{"a", false}}));
  EXPECT_FALSE(Fits({{"a", true}}, {{"a", "true"}}));
  EXPECT_FALSE(Fits({{"a", false}}, {{"a", int32_t{0}}}));
}

TEST_F(Headers, HDR_07_NestedValuesMustBeEqual) {
  const Value table = Table{{"x", int32_t{1}}, {"y", Array{"a", "b"}}};
  EXPECT_TRUE(Fits({{"a", table}}, {{"a", table}}));
  EXPECT_FALSE(Fits({{"a", table}}, {{"a", Table{{"x", int32_t{1}}}}}));
  const Value array = Array{int32_t{1}, int32_t{2}};
  EXPECT_TRUE(Fits({{"a", array}}, {{"a", array}}));
  EXPECT_FALSE(Fits({{"a", array}}, {{"a", Array{int32_t{2}, int32_t{1}}}}));
  EXPECT_FALSE(Fits({{"a", array}}, {{"a", Array{int64_t{1}, int64_t{2}}}}));
}

TEST_F(Headers, HDR_08_NamesInXCountOnlyWithX) {
  for (const std::string kind : {"all", "any"}) {
    const Table plain = {{"x-match", kind}, {"a", "1"}, {"x-b", "2"}};
    const Table with_x = {
        {"x-match", kind + "-with-x"}, {"a", "1"}, {"x-b", "2"}};
    EXPECT_TRUE(Fits(plain, {{"a", "1"}}));
    EXPECT_TRUE(Fits(plain, {{"a", "1"}, {"x-b", "other"}}));
    EXPECT_FALSE(Fits(plain, {{"x-b", "2"}}));
    EXPECT_EQ(Fits(with_x, {{"a", "1"}}), kind == "any");
    EXPECT_EQ(Fits(with_x, {{"x-b", "2"}}), kind == "any");
    EXPECT_TRUE(Fits(with_x, {{"a", "1"}, {"x-b", "2"}}));
  }
  EXPECT_TRUE(Fits({{"x-match", "all-with-x"}}, {}));
}

TEST_F(Headers, HDR_09_NamesAreCaseSensitiveAndSurplusDoesNotMatter) {
  EXPECT_FALSE(Fits({{"a", "1"}}, {{"A", "1"}}));
  EXPECT_TRUE(Fits({{"a", "1"}}, {{"A", "2"}, {"a", "1"}, {"z", 1.0}}));
}

TEST_F(Headers, HDR_10_OtherMatchKindsAreRefused) {
  auto bound = router_.Bind(ToQueue("h", "q", "", {{"x-match", "some"}}));
  EXPECT_EQ(ReasonOf(bound), "INVALID_ARGUMENT_VALUE");
  EXPECT_EQ(TextOf(bound),
            "Invalid x-match field value <<\"some\">>; expected all, any, "
            "all-with-x, or any-with-x");
  bound = router_.Bind(ToQueue("h", "q", "", {{"x-match", int32_t{1}}}));
  EXPECT_EQ(ReasonOf(bound), "INVALID_ARGUMENT_VALUE");
  EXPECT_EQ(TextOf(bound),
            "Invalid x-match field type signedint (value 1); expected longstr");
  EXPECT_EQ(router_.ListBindings().size(), 1u);
  // Other exchanges do not look at it.
  Exchange("d", "direct");
  Bind(ToQueue("d", "q", "", {{"x-match", "some"}}));
}

TEST_F(Headers, HDR_11_TheKeyDoesNotRouteButIsOfTheIdentity) {
  Bind(ToQueue("h", "q", "k1", {{"a", "1"}}));
  Bind(ToQueue("h", "q", "k2", {{"a", "1"}}));
  EXPECT_THAT(Route("h", "other", {{"a", "1"}}), ElementsAre("q"));
  Unbind(ToQueue("h", "q", "k1", {{"a", "1"}}));
  EXPECT_THAT(Route("h", "k1", {{"a", "1"}}), ElementsAre("q"));
}

TEST_F(Headers, HDR_12_MatchAndHeadersAreTwoExchanges) {
  Bind(ToQueue("amq.match", "q", "", {{"a", "1"}}));
  EXPECT_THAT(Route("amq.match", "", {{"a", "1"}}), ElementsAre("q"));
  EXPECT_THAT(Route("amq.headers", "", {{"a", "1"}}), IsEmpty());
}

}  // namespace
}  // namespace kelpmq::service
