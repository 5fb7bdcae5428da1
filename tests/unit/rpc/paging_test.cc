#include "service/rpc/paging.h"

#include <gtest/gtest.h>

#include <string>

#include "service/base/error.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using ::kelpmq::service::testing::ReasonOf;

TEST(Paging, SizeIsDefaultedAndClamped) {
  const PageScope scope("ListQueues", {"/"});
  EXPECT_EQ(scope.Read(0, "")->limit, 100u);
  EXPECT_EQ(scope.Read(1, "")->limit, 1u);
  EXPECT_EQ(scope.Read(1000, "")->limit, 1000u);
  EXPECT_EQ(scope.Read(1001, "")->limit, 1000u);
}

TEST(Paging, NegativeSizeIsInvalid) {
  const PageScope scope("ListQueues", {"/"});
  EXPECT_EQ(ReasonOf(scope.Read(-1, "")), "INVALID_VALUE");
}

TEST(Paging, EmptyTokenIsTheStart) {
  const PageScope scope("ListQueues", {"/"});
  EXPECT_EQ(scope.Read(0, "")->after, "");
}

TEST(Paging, TheEndHasNoToken) {
  EXPECT_EQ(PageScope("ListQueues", {"/"}).NextToken(""), "");
}

TEST(Paging, TokenCarriesAnyBytes) {
  const std::string after("a\0\xff\xc3 /queue", 12);
  const std::string token = PageScope("ListQueues", {"/"}).NextToken(after);
  // Another object with the same filters: tokens outlive requests.
  auto page = PageScope("ListQueues", {"/"}).Read(7, token);
  ASSERT_EQ(ReasonOf(page), "OK");
  EXPECT_EQ(page->after, after);
  EXPECT_EQ(page->limit, 7u);
}

TEST(Paging, TokenOfOtherFiltersIsRefused) {
  const std::string token =
      PageScope("ListQueues", {"/", "jobs"}).NextToken("jobs-7");
  for (const PageScope& other : {PageScope("ListQueues", {"/", ""}),
                                 PageScope("ListQueues", {"other", "jobs"}),
                                 PageScope("ListExchanges", {"/", "jobs"}),
                                 PageScope("ListQueues", {"/jobs", ""}),
                                 PageScope("ListQueues", {"/j", "obs"})}) {
    EXPECT_EQ(ReasonOf(other.Read(0, token)), "BAD_PAGE_TOKEN");
  }
}

TEST(Paging, GarbageIsRefused) {
  const PageScope scope("ListQueues", {"/"});
  const std::string good = scope.NextToken("q");
  std::string altered = good;
  altered[altered.size() / 2] = altered[altered.size() / 2] == 'A' ? 'B' : 'A';
  for (const std::string& token :
       {std::string("x"), std::string("!!!!"), std::string("AAAAAAAAAAA"),
        altered, good + "AAAA", good.substr(0, good.size() / 2)}) {
    EXPECT_EQ(ReasonOf(scope.Read(0, token)), "BAD_PAGE_TOKEN") << token;
  }
}

}  // namespace
}  // namespace kelpmq::service
