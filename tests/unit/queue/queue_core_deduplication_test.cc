// Queues that take no duplicates (PLUG-07).

#include "tests/unit/queue/core_fixture.h"

namespace kelpmq::service::testing {
namespace {

class Deduplication : public CoreTest {
 protected:
  void SetUp() override { Make({{"x-message-deduplication", true}}); }
  // Published with this x-deduplication-header.
  void Send(const std::string& body, const Value& key,
            const std::string& expiration = "") {
    MessageParts parts;
    parts.body = body;
    parts.headers = {{"x-deduplication-header", key}};
    parts.expiration = expiration;
    EXPECT_THAT(PublishMessages({MessageOf(parts)}), IsEmpty())
        << "a duplicate is confirmed";
  }
};

TEST_F(Deduplication, PLUG_07_NoTwoMessagesOfAQueueHaveOneValue) {
  Send("1", "a");
  Send("2", "a");
  Send("3", "b");
  Publish({"without", "without"});
  EXPECT_THAT(GetAll(), ElementsAre("1", "3", "without", "without"));
}

TEST_F(Deduplication, PLUG_07_IntegersAreEqualWhateverTheirWidth) {
  Send("1", int32_t{7});
  Send("2", int64_t{7});
  Send("3", "7");
  Send("4", Void{});
  Send("5", Void{});
  EXPECT_THAT(GetAll(), ElementsAre("1", "3", "4", "5"));
}

TEST_F(Deduplication, PLUG_07_AValueIsFreeOnceItsMessageHasLeft) {
  Send("out", "a");
  Get(MakeSink());
  Send("while it is out", "a");
  Requeue({1});
  Send("when it is back", "a");
  EXPECT_THAT(GetAll(), ElementsAre("out"));
  Ack({2});
  Send("acked", "a");
  EXPECT_THAT(GetAll(), ElementsAre("acked"));
  Settle(SettleAction::kDiscard, {3});
  Send("discarded", "a");
  EXPECT_THAT(GetAll(), ElementsAre("discarded"));
}

TEST_F(Deduplication, PLUG_07_APurgeForgetsAllValues) {
  Send("out", "a");
  Get(MakeSink());
  Send("ready", "b");
  QueueEffects effects;
  core().Purge(&effects);
  Send("1", "a");
  Send("2", "b");
  EXPECT_THAT(GetAll(), ElementsAre("1", "2"));
}

TEST_F(Deduplication, PLUG_07_AnExpiredMessageIsNoneToBeADuplicateOf) {
  Publish({"head"});
  Send("expires", "a", "50");
  Pass(absl::Milliseconds(60));  // it is still there, behind the head
  EXPECT_EQ(core().ready_count(), 2u);
  Send("later", "a");
  Send("duplicate", "a");
  EXPECT_THAT(GetAll(), ElementsAre("head", "later"));
  Send("duplicate", "a");
  EXPECT_THAT(GetAll(), IsEmpty()) << "it is out";
}

TEST_F(Deduplication, PLUG_07_DroppedHeadsAreForgotten) {
  Make({{"x-message-deduplication", true}, {"x-max-length", int32_t{1}}});
  Send("1", "a");
  Send("2", "b");
  Send("3", "a");
  EXPECT_THAT(GetAll(), ElementsAre("3"));
}

TEST_F(Deduplication, PLUG_07_WithoutTheArgumentAllComeIn) {
  for (const Table& arguments :
       {Table{}, Table{{"x-message-deduplication", false}},
        Table{{"x-message-deduplication", true}, {"x-queue-type", "quorum"}}}) {
    Make(arguments);
    Send("1", "a");
    Send("2", "a");
    EXPECT_THAT(GetAll(), ElementsAre("1", "2"));
  }
}

}  // namespace
}  // namespace kelpmq::service::testing
