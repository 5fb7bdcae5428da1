#include "service/exchange/destination.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace kelpmq::service {
namespace {

std::shared_ptr<RouteTarget> NewTarget() {
  return std::make_shared<RouteTarget>();
}

TEST(QueueDestinations, FindsEachByItsId) {
  QueueDestinations destinations;
  std::vector<Destination*> added;
  for (int i = 0; i < 1000; ++i) {
    added.push_back(destinations.Add("q" + std::to_string(i), NewTarget()));
  }
  EXPECT_EQ(std::set<Destination*>(added.begin(), added.end()).size(), 1000u);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(destinations.Find(added[i]->id), added[i]);
    EXPECT_EQ(added[i]->record->name, "q" + std::to_string(i));
  }
}

TEST(QueueDestinations, AnIdDoesNotNameWhoeverHasItsPlaceNow) {
  QueueDestinations destinations;
  Destination* const first = destinations.Add("first", NewTarget());
  const TargetId id = first->id;
  destinations.Remove(first);
  EXPECT_EQ(destinations.Find(id), nullptr);
  Destination* const second = destinations.Add("second", NewTarget());
  EXPECT_EQ(second, first) << "the place is used again";
  EXPECT_EQ(destinations.Find(id), nullptr);
  EXPECT_EQ(destinations.Find(second->id), second);
}

TEST(QueueDestinations, LetsGoOfTheQueueWhenItIsRemoved) {
  QueueDestinations destinations;
  std::shared_ptr<RouteTarget> queue = NewTarget();
  const std::weak_ptr<RouteTarget> watch = queue;
  Destination* const destination = destinations.Add("q", std::move(queue));
  EXPECT_FALSE(watch.expired());
  destinations.Remove(destination);
  EXPECT_TRUE(watch.expired());
}

TEST(QueueDestinations, FindsNothingByAnIdThatWasNeverGiven) {
  QueueDestinations destinations;
  EXPECT_EQ(destinations.Find({0, 0}), nullptr);
  EXPECT_EQ(destinations.Find(TargetId()), nullptr);
  EXPECT_EQ(
      destinations.Find(destinations.Add("q", NewTarget())->id)->record->name,
      "q");
  EXPECT_EQ(destinations.Find({1, 0}), nullptr);
}

}  // namespace
}  // namespace kelpmq::service
