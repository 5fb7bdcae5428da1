#include "service/exchange/destination_set.h"

#include <array>
#include <set>

#include "gtest/gtest.h"

namespace kelpmq::service {
namespace {

TEST(DestinationSet, CountsTheBindingsOfEachMember) {
  Destination a, b;
  DestinationSet set;
  set.Add(&a);
  set.Add(&a);
  set.Add(&b);
  EXPECT_EQ(set.size(), 2u);
  set.Remove(&a);
  EXPECT_EQ(set.size(), 2u);
  set.Remove(&a);
  ASSERT_EQ(set.size(), 1u);
  EXPECT_EQ(set[0], &b);
  set.Remove(&b);
  EXPECT_TRUE(set.empty());
}

TEST(DestinationSet, StaysRightWhileItGrowsAndShrinks) {
  std::array<Destination, 100> destinations;
  DestinationSet set;
  std::set<const Destination*> expected;
  const auto check = [&] {
    std::set<const Destination*> actual;
    for (size_t i = 0; i < set.size(); ++i) actual.insert(set[i]);
    EXPECT_EQ(actual, expected);
    EXPECT_EQ(set.size(), expected.size());
  };
  for (int round = 0; round < 2; ++round) {
    for (const Destination& destination : destinations) {
      set.Add(&destination);
      expected.insert(&destination);
      check();
    }
    for (size_t i = 0; i < destinations.size(); ++i) {
      const Destination& destination = destinations[i * 37 % 100];
      set.Remove(&destination);
      expected.erase(&destination);
      check();
    }
  }
}

}  // namespace
}  // namespace kelpmq::service
