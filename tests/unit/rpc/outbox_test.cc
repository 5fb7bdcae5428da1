#include "service/rpc/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/testing/generic_client.h"
#include "tests/testing/plain_message.h"

namespace kelpmq::service {
namespace {

using ::kelpmq::service::testing::BytesOf;
using ::kelpmq::service::testing::PlainMessage;
using ::kelpmq::service::testing::TextOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class OutboxTest : public ::testing::Test {
 protected:
  // With a body of `size` bytes, which takes kOverhead more.
  void AddDelivery(uint64_t tag, size_t size = 1) {
    std::vector<TaggedDelivery> deliveries(1);
    deliveries[0].tag = tag;
    deliveries[0].delivery.message =
        PlainMessage("", "q", std::string(size, 'x'));
    ASSERT_EQ(EncodedDeliveryBytes(*deliveries[0].delivery.message),
              size + kOverhead);
    outbox_.AddDeliveries(std::move(deliveries));
  }
  static constexpr size_t kOverhead = 31;
  // The tags of the next response; empty if it is a reply.
  std::vector<uint64_t> NextTags(size_t max_messages = 100,
                                 size_t max_bytes = 10'000) {
    std::vector<uint64_t> tags;
    for (const TaggedDelivery& tagged :
         outbox_.Next(max_messages, max_bytes).deliveries) {
      tags.push_back(tagged.tag);
    }
    return tags;
  }
  std::string NextReply() { return TextOf(outbox_.Next(100, 1000).reply); }

  Outbox outbox_;
};

TEST_F(OutboxTest, IsEmptyAtFirst) {
  EXPECT_TRUE(outbox_.empty());
  EXPECT_EQ(outbox_.reply_count(), 0u);
}

TEST_F(OutboxTest, DeliveriesThatGatherGoOutAsOne) {
  AddDelivery(1);
  AddDelivery(2);
  AddDelivery(3);
  EXPECT_THAT(NextTags(), ElementsAre(1, 2, 3));
  EXPECT_TRUE(outbox_.empty());
}

TEST_F(OutboxTest, KeepsTheOrderOfRepliesAndDeliveries) {
  AddDelivery(1);
  outbox_.AddReply(BytesOf("a"));
  outbox_.AddReply(BytesOf("b"));
  AddDelivery(2);
  AddDelivery(3);
  EXPECT_EQ(outbox_.reply_count(), 2u);
  EXPECT_THAT(NextTags(), ElementsAre(1));
  EXPECT_EQ(NextReply(), "a");
  EXPECT_EQ(NextReply(), "b");
  EXPECT_EQ(outbox_.reply_count(), 0u);
  EXPECT_THAT(NextTags(), ElementsAre(2, 3));
}

TEST_F(OutboxTest, ABatchIsCutByCount) {
  for (uint64_t tag = 1; tag <= 5; ++tag) AddDelivery(tag);
  EXPECT_THAT(NextTags(2), ElementsAre(1, 2));
  AddDelivery(6);
  EXPECT_THAT(NextTags(2), ElementsAre(3, 4));
  EXPECT_THAT(NextTags(2), ElementsAre(5, 6));
  EXPECT_TRUE(outbox_.empty());
}

TEST_F(OutboxTest, ABatchIsCutByBytesButHasAlwaysOne) {
  AddDelivery(1, 40 - kOverhead);
  AddDelivery(2, 60 - kOverhead);
  AddDelivery(3, 120 - kOverhead);
  AddDelivery(4, 32 - kOverhead);
  EXPECT_THAT(NextTags(100, 100), ElementsAre(1, 2));
  EXPECT_THAT(NextTags(100, 100), ElementsAre(3));
  EXPECT_THAT(NextTags(100, 100), ElementsAre(4));
}

TEST_F(OutboxTest, AReplyCarriesTheTagsItSettles) {
  outbox_.AddReply(BytesOf("a"), {4, 5});
  EXPECT_THAT(outbox_.Next(1, 1).ack_tags, ElementsAre(4, 5));
}

TEST_F(OutboxTest, DroppingDeliveriesKeepsReplies) {
  AddDelivery(1);
  outbox_.AddReply(BytesOf("a"));
  AddDelivery(2);
  outbox_.DropDeliveries();
  EXPECT_EQ(outbox_.reply_count(), 1u);
  EXPECT_EQ(NextReply(), "a");
  EXPECT_TRUE(outbox_.empty());
}

TEST_F(OutboxTest, ClearingLeavesNothing) {
  AddDelivery(1);
  outbox_.AddReply(BytesOf("a"));
  outbox_.Clear();
  EXPECT_TRUE(outbox_.empty());
  EXPECT_EQ(outbox_.reply_count(), 0u);
  AddDelivery(2);
  EXPECT_THAT(NextTags(), ElementsAre(2));
}

}  // namespace
}  // namespace kelpmq::service
