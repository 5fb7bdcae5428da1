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
  void AddDelivery(uint64_t tag, uint32_t bytes = 10) {
    Outbox::Pending pending;
    pending.tagged.tag = tag;
    pending.tagged.delivery.message = PlainMessage("", "q", "x");
    pending.consumer_key = 2;
    pending.bytes = bytes;
    outbox_.AddDelivery(std::move(pending));
  }
  // The tags of the next response; empty if it is a reply.
  std::vector<uint64_t> NextTags(size_t max_messages = 100,
                                 size_t max_bytes = 1000) {
    std::vector<uint64_t> tags;
    for (const Outbox::Pending& pending :
         outbox_.Next(max_messages, max_bytes).deliveries) {
      tags.push_back(pending.tagged.tag);
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
  AddDelivery(1, 40);
  AddDelivery(2, 60);
  AddDelivery(3, 500);
  AddDelivery(4, 1);
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
