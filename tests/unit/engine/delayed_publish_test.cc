// Messages that are routed later: delayed exchanges and deliver_time. And what
// a recent-history exchange sends to those bound late.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "service/base/message_wire.h"
#include "tests/testing/message_encoder.h"
#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LateRouting : public EngineTest {
 protected:
  void Declared(const std::string& name, const std::string& type,
                Table arguments = {}) {
    DeclareExchangeParams params;
    params.vhost = vhost_;
    params.spec.name = name;
    params.spec.type = type;
    params.spec.arguments = std::move(arguments);
    ASSERT_TRUE(Await<DeclareExchangeResult>([&](auto done) {
                  engine_.DeclareExchange(std::move(params), std::move(done));
                }).ok());
  }
  // "x": a delayed topic exchange, from which "q" takes "a.#".
  void SetUpDelayed() {
    Declared("x", "x-delayed-message", {{"x-delayed-type", "topic"}});
    ASSERT_TRUE(Declare("q").ok());
    ASSERT_TRUE(Bind("x", "q", "a.#").ok());
  }
  static PublishItem Delayed(const std::string& exchange,
                             const std::string& key, int64_t delay_ms,
                             Table headers = {}) {
    headers["x-delay"] = delay_ms;
    PublishItem item;
    item.message = MessageWithHeaders(exchange, key, headers);
    return item;
  }
  PublishItem At(absl::Duration from_now, const std::string& exchange,
                 const std::string& key, bool mandatory = false) {
    PublishItem item = Item(exchange, key, "", mandatory);
    item.deliver_time = clock_.Now() + from_now;
    return item;
  }
  // The routing keys of what is ready, which is taken.
  std::vector<std::string> DrainKeys(const std::string& queue) {
    std::vector<std::string> keys;
    for (const MessageRef& message : DrainMessages(queue)) {
      keys.emplace_back(message->routing_key());
    }
    return keys;
  }
  std::vector<MessageRef> DrainMessages(const std::string& queue) {
    std::vector<MessageRef> messages;
    auto got = Get(queue, NewSink(), 100);
    EXPECT_TRUE(got.ok()) << got.status();
    for (Delivery& delivery : got->deliveries) {
      messages.push_back(std::move(delivery.message));
    }
    return messages;
  }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    do {
      executor_.RunAll();
    } while (timers_.RunDue() > 0);
  }
};

TEST_F(LateRouting, PLUG_06_TheDelayComesBeforeRouting) {
  SetUpDelayed();
  const auto result =
      PublishItems({Delayed("x", "a.late", 2000), Delayed("x", "a.soon", 1000),
                    Delayed("x", "a.now", 0), Delayed("x", "other", 1000)});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->accepted_count, 4u) << "confirmed at acceptance";
  EXPECT_EQ(result->queue_count, 1u);
  EXPECT_EQ(result->unrouted_count, 0u) << "not known yet";
  EXPECT_THAT(DrainKeys("q"), ElementsAre("a.now"));
  Advance(absl::Milliseconds(999));
  EXPECT_THAT(DrainKeys("q"), IsEmpty());
  ASSERT_TRUE(Bind("x", "q", "other").ok());
  Advance(absl::Milliseconds(1));
  EXPECT_THAT(DrainKeys("q"), ElementsAre("a.soon", "other"))
      << "routed by the bindings of then";
  Advance(absl::Seconds(1));
  EXPECT_THAT(DrainKeys("q"), ElementsAre("a.late"));
  EXPECT_EQ(timers_.NextDue(), absl::InfiniteFuture()) << "idle";
}

TEST_F(LateRouting, PLUG_06_TheDeliveredHeaderIsNegated) {
  SetUpDelayed();
  ASSERT_TRUE(PublishItems({Delayed("x", "a", 5000, {{"n", "v"}})}).ok());
  Advance(absl::Seconds(5));
  const auto messages = DrainMessages("q");
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(DecodeHeaders(messages[0]->encoded()),
            (Table{{"x-delay", int64_t{-5000}}, {"n", "v"}}));
  EXPECT_EQ(messages[0]->exchange(), "x");
}

TEST_F(LateRouting, PLUG_06_MandatoryIsNotHonoured) {
  SetUpDelayed();
  PublishItem item = Delayed("x", "nowhere", 1000);
  item.mandatory = true;
  const auto result = PublishItems({std::move(item)});
  EXPECT_THAT(result->failures, IsEmpty());
  Advance(absl::Seconds(1));
}

TEST_F(LateRouting, PLUG_06_DelaysMayBeLongerThan49Days) {
  SetUpDelayed();
  const absl::Duration year = absl::Hours(24 * 365);
  ASSERT_TRUE(
      PublishItems({Delayed("x", "a.b", absl::ToInt64Milliseconds(year)),
                    Delayed("x", "a.never", INT64_MAX)})
          .ok());
  Advance(year - absl::Milliseconds(1));
  EXPECT_THAT(DrainKeys("q"), IsEmpty());
  Advance(absl::Milliseconds(1));
  EXPECT_THAT(DrainKeys("q"), ElementsAre("a.b"));
}

TEST_F(LateRouting, PLUG_06_AMessageOfADeletedExchangeIsDropped) {
  SetUpDelayed();
  ASSERT_TRUE(PublishItems({Delayed("x", "a", 1000)}).ok());
  ASSERT_TRUE(DeleteExchange("x").ok());
  Advance(absl::Seconds(1));
  EXPECT_THAT(DrainKeys("q"), IsEmpty());
}

TEST_F(LateRouting, PLUG_06_SenderSelectedKeysRouteThen) {
  SetUpDelayed();
  ASSERT_TRUE(
      PublishItems({Delayed("x", "k", 1000, {{"BCC", Array{"a.b"}}})}).ok());
  Advance(absl::Seconds(1));
  const auto messages = DrainMessages("q");
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(DecodeHeaders(messages[0]->encoded()),
            (Table{{"x-delay", int64_t{-1000}}}))
      << "and BCC is removed";
}

TEST_F(LateRouting, PLUG_06_BehindABindingTheOtherQueuesDoNotWait) {
  SetUpDelayed();
  ASSERT_TRUE(Declare("r").ok());
  Declared("t", "fanout");
  ASSERT_TRUE(BindExchange("t", "x").ok());
  ASSERT_TRUE(Bind("t", "r").ok());
  ASSERT_TRUE(PublishItems({Delayed("t", "a", 1000)}).ok());
  EXPECT_THAT(DrainKeys("r"), ElementsAre("a"));
  EXPECT_THAT(DrainKeys("q"), IsEmpty());
  Advance(absl::Seconds(1));
  EXPECT_THAT(DrainKeys("r"), IsEmpty());
  EXPECT_THAT(DrainKeys("q"), ElementsAre("a"));
}

TEST_F(LateRouting, DeliverTimeIsWhenAMessageIsRouted) {
  ASSERT_TRUE(Declare("q").ok());
  const auto result = PublishItems(
      {At(absl::Seconds(2), "", "q"), At(absl::Seconds(-1), "", "q"),
       At(absl::Seconds(1), "", "later", /*mandatory=*/true)});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->accepted_count, 3u);
  EXPECT_EQ(result->queue_count, 1u);
  EXPECT_THAT(DrainKeys("q"), ElementsAre("q")) << "the past is now";
  ASSERT_TRUE(Declare("later").ok());
  Advance(absl::Seconds(1));
  EXPECT_THAT(DrainKeys("later"), ElementsAre("later"));
  Advance(absl::Seconds(1));
  EXPECT_THAT(DrainKeys("q"), ElementsAre("q"));
}

TEST_F(LateRouting, DeliverTimeNeedsAnExchangeThatTakesMessages) {
  const auto result =
      PublishItems({At(absl::Seconds(1), "absent", "k"),
                    At(absl::Seconds(1), "amq.rabbitmq.trace", "k")});
  ASSERT_EQ(result->failures.size(), 2u);
  EXPECT_EQ(ReasonOf(result->failures[0].error), "EXCHANGE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(result->failures[1].error), "INTERNAL_EXCHANGE");
}

TEST_F(LateRouting, AThousandThatAreDueAtOnceKeepTheirOrder) {
  ASSERT_TRUE(Declare("q").ok());
  std::vector<PublishItem> items;
  std::vector<std::string> bodies;
  for (int i = 0; i < 5000; ++i) {
    bodies.push_back(std::to_string(i));
    items.push_back(Item("", "q", bodies.back()));
    items.back().deliver_time = clock_.Now() + absl::Seconds(1);
  }
  ASSERT_TRUE(PublishItems(std::move(items)).ok());
  Advance(absl::Seconds(1));
  EXPECT_EQ(Drain("q"), bodies);
}

TEST_F(LateRouting, ADeletedVhostForgetsWhatItKept) {
  vhost_ = "v";
  ASSERT_TRUE(Await<bool>([&](auto done) {
                engine_.PutVhost({"v", "", {}, ""}, std::move(done));
              }).ok());
  ASSERT_TRUE(PublishItems({At(absl::Seconds(1), "", "q")}).ok());
  ASSERT_TRUE(Await<bool>([&](auto done) {
                engine_.DeleteVhost("v", std::move(done));
              }).ok());
  EXPECT_EQ(timers_.NextDue(), absl::InfiniteFuture());
}

// ---- CC and BCC ----

TEST_F(LateRouting, CC_02_BccIsNotDelivered) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Declare("r").ok());
  PublishItem item;
  item.message =
      MessageWithHeaders("", "none", {{"CC", Array{"q"}}, {"BCC", Array{"r"}}});
  item.mandatory = true;
  const auto result = PublishItems({std::move(item)});
  EXPECT_THAT(result->failures, IsEmpty()) << "CC_05: routed by CC alone";
  EXPECT_EQ(result->queue_count, 2u);
  for (const std::string queue : {"q", "r"}) {
    const auto messages = DrainMessages(queue);
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_EQ(DecodeHeaders(messages[0]->encoded()),
              (Table{{"CC", Array{"q"}}}));
    EXPECT_EQ(messages[0]->routing_key(), "none");
  }
}

// ---- x-recent-history ----

TEST_F(LateRouting, PLUG_05_ANewBindingGetsTheHistory) {
  Declared("h", "x-recent-history", {{"x-recent-history-length", int32_t{2}}});
  ASSERT_TRUE(Declare("q").ok());
  for (const std::string body : {"1", "2", "3"}) {
    ASSERT_TRUE(Publish("h", "k", {body}).ok());
  }
  ASSERT_TRUE(Bind("h", "q").ok());
  EXPECT_THAT(Drain("q"), ElementsAre("2", "3"));
  ASSERT_TRUE(Bind("h", "q").ok());
  EXPECT_THAT(Drain("q"), IsEmpty()) << "the binding was there";
}

TEST_F(LateRouting, PLUG_05_EveryMessageOfABatchIsStored) {
  Declared("h", "x-recent-history");
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("h", "k", {"1", "2", "3"}).ok());
  ASSERT_TRUE(Bind("h", "q").ok());
  EXPECT_THAT(Drain("q"), ElementsAre("1", "2", "3"));
}

TEST_F(LateRouting, PLUG_05_AnExchangeBoundLateRoutesTheHistory) {
  Declared("h", "x-recent-history");
  Declared("d", "direct");
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Bind("d", "q", "yes").ok());
  ASSERT_TRUE(Publish("h", "yes", {"1"}).ok());
  ASSERT_TRUE(Publish("h", "no", {"2"}).ok());
  ASSERT_TRUE(BindExchange("h", "d").ok());
  EXPECT_THAT(Drain("q"), ElementsAre("1"));
}

TEST_F(LateRouting, PLUG_05_ATemporaryQueueGetsTheHistoryFirst) {
  Declared("h", "x-recent-history");
  ASSERT_TRUE(Publish("h", "", {"1", "2"}).ok());
  ConsumeParams params = Consumer("", NewSink());
  auto sink = NewSink();
  params.sink = sink;
  params.temporary_queue = true;
  params.bindings = {{"h", "", {}}};
  ASSERT_TRUE(Consume(std::move(params)).ok());
  EXPECT_EQ(sink->delivered().size(), 2u);
}

}  // namespace
}  // namespace kelpmq::service::testing
