#include "client/cpp/src/settle_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kelpmq::client {
namespace {

using ::testing::ElementsAre;

TEST(SettleBatch, IsEmptyAtFirst) {
  SettleBatch batch;
  EXPECT_FALSE(batch.Take().has_value());
}

TEST(SettleBatch, NeighboursBecomeARangeInAnyOrder) {
  SettleBatch batch;
  for (const uint64_t tag : {4, 2, 9, 3, 7, 8}) {
    batch.Add(tag, v1::SETTLE_ACTION_ACK);
  }
  const auto settle = batch.Take();
  ASSERT_TRUE(settle.has_value());
  EXPECT_EQ(settle->action(), v1::SETTLE_ACTION_ACK);
  ASSERT_EQ(settle->ranges_size(), 2);
  EXPECT_EQ(settle->ranges(0).first(), 2u);
  EXPECT_EQ(settle->ranges(0).last(), 4u);
  EXPECT_EQ(settle->ranges(1).first(), 7u);
  EXPECT_EQ(settle->ranges(1).last(), 9u);
  EXPECT_EQ(settle->delivery_tags_size(), 0);
  EXPECT_FALSE(batch.Take().has_value());
}

TEST(SettleBatch, LoneTagsStayTags) {
  SettleBatch batch;
  batch.Add(1, v1::SETTLE_ACTION_ACK);
  batch.Add(3, v1::SETTLE_ACTION_ACK);
  const auto settle = batch.Take();
  ASSERT_TRUE(settle.has_value());
  EXPECT_THAT(settle->delivery_tags(), ElementsAre(1, 3));
  EXPECT_EQ(settle->ranges_size(), 0);
}

TEST(SettleBatch, EachActionIsARequest) {
  SettleBatch batch;
  batch.Add(1, v1::SETTLE_ACTION_DISCARD);
  batch.Add(2, v1::SETTLE_ACTION_ACK);
  batch.Add(3, v1::SETTLE_ACTION_REQUEUE);
  std::vector<v1::SettleAction> actions;
  while (const auto settle = batch.Take()) actions.push_back(settle->action());
  EXPECT_THAT(actions,
              ElementsAre(v1::SETTLE_ACTION_ACK, v1::SETTLE_ACTION_REQUEUE,
                          v1::SETTLE_ACTION_DISCARD));
}

TEST(SettleBatch, TheTagsOfALostStreamAreForgotten) {
  SettleBatch batch;
  batch.Add(1, v1::SETTLE_ACTION_ACK);
  batch.Clear();
  EXPECT_FALSE(batch.Take().has_value());
}

}  // namespace
}  // namespace kelpmq::client
