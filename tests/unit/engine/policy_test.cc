#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "service/engine/memory/policies.h"
#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::IsEmpty;
using ::testing::Optional;

PolicyInfo Policy(const std::string& name, const std::string& pattern,
                  Table definition, int32_t priority = 0,
                  PolicyTarget apply_to = PolicyTarget::kAll) {
  PolicyInfo policy;
  policy.vhost = "/";
  policy.name = name;
  policy.pattern = pattern;
  policy.definition = std::move(definition);
  policy.priority = priority;
  policy.apply_to = apply_to;
  return policy;
}

// ---- Which policy holds ----

class PoliciesTest : public ::testing::Test {
 protected:
  std::string Put(PolicyInfo policy) {
    return ReasonOf(policies_.Put(std::move(policy)));
  }
  static std::string NameOf(const PolicyInfo* policy) {
    return policy == nullptr ? "none" : policy->name;
  }
  std::string FindFor(const std::string& queue,
                      QueueType type = QueueType::kClassic) {
    return NameOf(policies_.FindForQueue(queue, type));
  }
  Policies policies_;
};

TEST_F(PoliciesTest, POLICY_06_TheHighestPriorityHolds) {
  ASSERT_EQ(Put(Policy("low", "^q", {}, -1)), "OK");
  ASSERT_EQ(Put(Policy("high", "q1", {}, 5)), "OK");
  ASSERT_EQ(Put(Policy("also-high", "q12", {}, 5)), "OK");
  EXPECT_EQ(FindFor("q"), "low");
  EXPECT_EQ(FindFor("q1"), "high");
  EXPECT_EQ(FindFor("q12"), "also-high") << "of equals the first by name";
  EXPECT_EQ(FindFor("r"), "none");
  EXPECT_TRUE(policies_.Delete("high"));
  EXPECT_FALSE(policies_.Delete("high"));
  EXPECT_EQ(FindFor("q1"), "low");
}

TEST_F(PoliciesTest, POLICY_07_PatternsAreNotAnchored) {
  ASSERT_EQ(Put(Policy("p", "b+", {})), "OK");
  EXPECT_EQ(FindFor("abbbc"), "p");
  EXPECT_EQ(FindFor("ac"), "none");
  ASSERT_EQ(Put(Policy("p", "^b+$", {})), "OK");
  EXPECT_EQ(FindFor("abbbc"), "none");
  ASSERT_EQ(Put(Policy("p", "", {})), "OK");
  EXPECT_EQ(FindFor("anything"), "p");
}

TEST_F(PoliciesTest, POLICY_01_AppliesToQueuesOrExchangesOrBoth) {
  ASSERT_EQ(Put(Policy("q", "x", {}, 1, PolicyTarget::kQueues)), "OK");
  ASSERT_EQ(Put(Policy("all", "x", {}, 0)), "OK");
  EXPECT_EQ(FindFor("x"), "q");
  EXPECT_EQ(NameOf(policies_.FindForExchange("x")), "all");
}

TEST_F(PoliciesTest, POLICY_01_AppliesToQueuesOfOneType) {
  ASSERT_EQ(Put(Policy("c", "x", {}, 1, PolicyTarget::kClassicQueues)), "OK");
  ASSERT_EQ(Put(Policy("q", "x", {}, 1, PolicyTarget::kQuorumQueues)), "OK");
  ASSERT_EQ(Put(Policy("s", "x", {}, 2, PolicyTarget::kStreams)), "OK");
  EXPECT_EQ(FindFor("x", QueueType::kClassic), "c");
  EXPECT_EQ(FindFor("x", QueueType::kQuorum), "q");
  EXPECT_EQ(NameOf(policies_.FindForExchange("x")), "none");
}

TEST_F(PoliciesTest, SettingsAndPatternsAreChecked) {
  EXPECT_EQ(Put(Policy("", "q", {})), "INVALID_NAME");
  EXPECT_EQ(Put(Policy(std::string(256, 'p'), "q", {})), "INVALID_NAME");
  EXPECT_EQ(Put(Policy("p", "(", {})), "INVALID_VALUE");
  for (const Table& definition :
       {Table{{"bogus", int32_t{1}}}, Table{{"x-max-length", int32_t{1}}},
        Table{{"max-length", int32_t{-1}}}, Table{{"max-length", "1"}},
        Table{{"expires", int32_t{0}}}, Table{{"overflow", "bogus"}},
        Table{{"message-ttl", int64_t{315'360'000'001}}},
        Table{{"dead-letter-exchange", int32_t{1}}},
        Table{{"alternate-exchange", std::string(256, 'x')}}}) {
    EXPECT_EQ(Put(Policy("p", "q", definition)), "INVALID_VALUE");
  }
  EXPECT_TRUE(policies_.empty()) << "a policy that is refused leaves nothing";
}

TEST_F(PoliciesTest, SettingsWithoutEffectAreTaken) {
  EXPECT_EQ(Put(Policy("p", "q",
                       {{"ha-mode", "exactly"},
                        {"ha-params", int32_t{2}},
                        {"queue-version", int32_t{2}},
                        {"queue-leader-locator", "balanced"}})),
            "OK");
}

// ---- What it makes of the arguments ----

QueueArguments Effective(Table arguments, Table definition) {
  QueueSpec spec;
  spec.name = "q";
  spec.arguments = std::move(arguments);
  const QueueArguments declared = ParseQueueArguments(spec, "/").value();
  const PolicyInfo policy = Policy("p", "q", std::move(definition));
  return UnderPolicy(spec, declared, &policy);
}

TEST(UnderPolicy, POLICY_01_SettingsActAsArgumentsDo) {
  const QueueArguments effective =
      Effective({}, {{"message-ttl", int32_t{1000}},
                     {"expires", int32_t{2000}},
                     {"max-length", int32_t{3}},
                     {"max-length-bytes", int32_t{4}},
                     {"overflow", "reject-publish"},
                     {"dead-letter-exchange", ""},
                     {"dead-letter-routing-key", "k"},
                     {"delivery-limit", int32_t{5}}});
  EXPECT_THAT(effective.message_ttl, Optional(absl::Seconds(1)));
  EXPECT_THAT(effective.expires, Optional(absl::Seconds(2)));
  EXPECT_THAT(effective.max_length, Optional(Eq(3u)));
  EXPECT_THAT(effective.max_length_bytes, Optional(Eq(4u)));
  EXPECT_EQ(effective.overflow, Overflow::kRejectPublish);
  EXPECT_THAT(effective.dead_letter_exchange, Optional(Eq("")));
  EXPECT_THAT(effective.dead_letter_routing_key, Optional(Eq("k")));
  EXPECT_THAT(effective.delivery_limit, Optional(Eq(5)));
}

TEST(UnderPolicy, POLICY_02_ForStringsTheArgumentHolds) {
  const QueueArguments effective = Effective(
      {{"x-dead-letter-exchange", "mine"}, {"x-overflow", "drop-head"}},
      {{"dead-letter-exchange", "other"}, {"overflow", "reject-publish"}});
  EXPECT_THAT(effective.dead_letter_exchange, Optional(Eq("mine")));
  EXPECT_EQ(effective.overflow, Overflow::kDropHead);
}

TEST(UnderPolicy, POLICY_05_ForNumbersTheSmallerHolds) {
  const auto length = [](int32_t argument, int32_t setting) {
    return *Effective({{"x-max-length", argument}}, {{"max-length", setting}})
                .max_length;
  };
  EXPECT_EQ(length(5, 3), 3u);
  EXPECT_EQ(length(3, 5), 3u);
}

TEST(UnderPolicy, QUORUM_09_RetriesOfQuorumQueuesMayBeDelayed) {
  const Table policy = {{"delayed-retry-type", "all"},
                        {"delayed-retry-min", int32_t{10}},
                        {"delayed-retry-max", int32_t{20}}};
  QueueSpec spec;
  spec.durable = true;
  spec.arguments = {{"x-queue-type", "quorum"},
                    {"x-delayed-retry-max", int32_t{15}}};
  const PolicyInfo info = Policy("p", "", policy);
  const RetryDelay delay =
      UnderPolicy(spec, ParseQueueArguments(spec, "/").value(), &info)
          .retry_delay;
  EXPECT_EQ(delay.Of(ReturnCause::kLost, 1), absl::Milliseconds(10));
  EXPECT_EQ(delay.Of(ReturnCause::kLost, 2), absl::Milliseconds(15));
  EXPECT_EQ(Effective({}, policy).retry_delay.Of(ReturnCause::kLost, 1),
            absl::ZeroDuration())
      << "a classic queue";
}

TEST(UnderPolicy, NoPolicyChangesNothing) {
  QueueSpec spec;
  spec.arguments = {{"x-max-length", int32_t{5}}};
  const QueueArguments declared = ParseQueueArguments(spec, "/").value();
  EXPECT_THAT(UnderPolicy(spec, declared, nullptr).max_length,
              Optional(Eq(5u)));
}

// ---- What it does ----

class PolicyEffects : public EngineTest {
 protected:
  absl::StatusOr<bool> Put(PolicyInfo policy) {
    policy.vhost = vhost_;
    return Await<bool>([&](auto done) {
      engine_.PutPolicy(std::move(policy), std::move(done));
    });
  }
  absl::StatusOr<bool> Delete(const std::string& name) {
    return Await<bool>([&](auto done) {
      engine_.DeletePolicy(vhost_, name, std::move(done));
    });
  }
  absl::StatusOr<Page<PolicyInfo>> List(ListParams params) {
    return Await<Page<PolicyInfo>>([&](auto done) {
      engine_.ListPolicies(std::move(params), std::move(done));
    });
  }
};

TEST_F(PolicyEffects, POLICY_04_ALengthLimitTrimsAtOnce) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"1", "2", "3"}).ok());
  EXPECT_THAT(*Put(Policy("p", "q", {{"max-length", int32_t{2}}})), true);
  EXPECT_EQ(FindQueue("q")->messages_ready, 2u);
  EXPECT_THAT(*Put(Policy("p", "q", {{"max-length", int32_t{1}}})), false);
  EXPECT_THAT(Drain("q"), ElementsAre("3"));
  EXPECT_TRUE(*Delete("p"));
  ASSERT_TRUE(Publish("", "q", {"4", "5", "6"}).ok());
  EXPECT_THAT(Drain("q"), ElementsAre("4", "5", "6")) << "the limit is gone";
}

TEST_F(PolicyEffects, POLICY_04_ATtlLeavesOlderMessagesAlone) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"old"}).ok());
  ASSERT_TRUE(Put(Policy("p", "q", {{"message-ttl", int32_t{100}}})).ok());
  Pass(absl::Seconds(1));
  EXPECT_THAT(Drain("q"), ElementsAre("old"));
  ASSERT_TRUE(Publish("", "q", {"new"}).ok());
  Pass(absl::Seconds(1));
  EXPECT_THAT(Drain("q"), IsEmpty());
}

TEST_F(PolicyEffects, POLICY_01_HoldsForQueuesDeclaredLater) {
  ASSERT_TRUE(Put(Policy("p", "^q", {{"max-length", int32_t{1}}})).ok());
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"1", "2"}).ok());
  EXPECT_THAT(Drain("q"), ElementsAre("2"));
}

TEST_F(PolicyEffects, POLICY_03_SetsAnAlternateExchange) {
  ASSERT_TRUE(DeclareExchange("x").ok());
  ASSERT_TRUE(Declare("lost").ok());
  ASSERT_TRUE(Bind("amq.fanout", "lost").ok());
  const Table definition = {{"alternate-exchange", "amq.fanout"}};
  ASSERT_TRUE(Put(Policy("p", "^[xy]$", definition)).ok());
  ASSERT_TRUE(DeclareExchange("y").ok());
  for (const std::string exchange : {"x", "y"}) {
    ASSERT_TRUE(Publish(exchange, "k", {exchange}).ok());
  }
  EXPECT_THAT(Drain("lost"), ElementsAre("x", "y"));
  ASSERT_TRUE(Delete("p").ok());
  ASSERT_TRUE(Publish("x", "k", {"1"}).ok());
  EXPECT_THAT(Drain("lost"), IsEmpty());
}

TEST_F(PolicyEffects, POLICY_03_TheDefaultExchangeTakesNone) {
  ASSERT_TRUE(Declare("lost").ok());
  ASSERT_TRUE(Bind("amq.fanout", "lost").ok());
  ASSERT_TRUE(
      Put(Policy("p", "", {{"alternate-exchange", "amq.fanout"}})).ok());
  ASSERT_TRUE(Publish("", "nowhere", {"1"}).ok());
  ASSERT_TRUE(Publish("amq.direct", "nowhere", {"2"}).ok());
  EXPECT_THAT(Drain("lost"), ElementsAre("2"));
}

TEST_F(PolicyEffects, POLICY_02_AnExchangesOwnAlternateHolds) {
  DeclareExchangeParams params;
  params.vhost = vhost_;
  params.spec.name = "x";
  params.spec.type = "direct";
  params.spec.arguments = {{"alternate-exchange", "amq.fanout"}};
  ASSERT_TRUE(Await<DeclareExchangeResult>([&](auto done) {
                engine_.DeclareExchange(params, std::move(done));
              }).ok());
  ASSERT_TRUE(Declare("lost").ok());
  ASSERT_TRUE(Bind("amq.fanout", "lost").ok());
  const Table definition = {{"alternate-exchange", "absent"}};
  ASSERT_TRUE(Put(Policy("p", "x", definition)).ok());
  ASSERT_TRUE(Publish("x", "k", {"1"}).ok());
  EXPECT_THAT(Drain("lost"), ElementsAre("1"));
}

TEST_F(PolicyEffects, E2E_06_AnInnerExchangeUsesItsOwnAlternateByPolicy) {
  ASSERT_TRUE(DeclareExchange("outer", "fanout").ok());
  ASSERT_TRUE(DeclareExchange("inner").ok());
  ASSERT_TRUE(BindExchange("outer", "inner").ok());
  ASSERT_TRUE(Declare("lost").ok());
  ASSERT_TRUE(Bind("amq.fanout", "lost").ok());
  ASSERT_TRUE(
      Put(Policy("p", "inner", {{"alternate-exchange", "amq.fanout"}})).ok());
  ASSERT_TRUE(Publish("outer", "k", {"1"}).ok());
  EXPECT_THAT(Drain("lost"), ElementsAre("1"));
}

TEST_F(PolicyEffects, POLICY_08_DoesNotCountInEquivalence) {
  const Table arguments = {{"x-max-length", int32_t{5}}};
  ASSERT_TRUE(Declare("q", arguments).ok());
  ASSERT_TRUE(Put(Policy("p", "q", {{"max-length", int32_t{2}}})).ok());
  EXPECT_FALSE(Declare("q", arguments)->created);
  EXPECT_EQ(ReasonOf(Declare("q", {{"x-max-length", int32_t{2}}})),
            "INEQUIVALENT_ARGUMENT");
}

TEST_F(PolicyEffects, AreListedByVhostAndName) {
  ASSERT_TRUE(Await<bool>([&](auto done) {
                VhostInfo vhost;
                vhost.name = "v";
                engine_.PutVhost(vhost, std::move(done));
              }).ok());
  for (const std::string vhost : {"/", "v"}) {
    vhost_ = vhost;
    for (const std::string name : {"b", "a"}) {
      ASSERT_TRUE(Put(Policy(name, "q", {})).ok());
    }
  }
  ListParams params;
  params.limit = 3;
  const auto first = List(params);
  params.after = first->next;
  const auto second = List(params);
  std::vector<std::string> listed;
  for (const auto* page : {&*first, &*second}) {
    for (const PolicyInfo& policy : page->items) {
      listed.push_back(policy.vhost + ":" + policy.name);
    }
  }
  EXPECT_THAT(listed, ElementsAre("/:a", "/:b", "v:a", "v:b"));
  EXPECT_EQ(second->next, "");
  params = ListParams();
  params.vhost = "v";
  EXPECT_EQ(List(params)->items.size(), 2u);
}

TEST_F(PolicyEffects, AnAbsentVhostHasNone) {
  vhost_ = "absent";
  EXPECT_EQ(ReasonOf(Put(Policy("p", "q", {}))), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Delete("p")), "VHOST_NOT_FOUND");
}

// ---- Limits and defaults of a vhost ----

class VhostSettings : public EngineTest {
 protected:
  void Configure(VhostInfo vhost) {
    vhost.name = vhost_;
    ASSERT_TRUE(Await<bool>([&](auto done) {
                  engine_.PutVhost(std::move(vhost), std::move(done));
                }).ok());
  }
  absl::StatusOr<DeclareQueueResult> DeclareDurable(const std::string& name,
                                                    Table arguments = {}) {
    QueueSpec spec;
    spec.name = name;
    spec.durable = true;
    spec.arguments = std::move(arguments);
    return Declare(std::move(spec));
  }
  static std::string TypeOf(const absl::StatusOr<DeclareQueueResult>& result) {
    const Table& arguments = result->queue.spec.arguments;
    const auto type = arguments.find("x-queue-type");
    return type == arguments.end() ? "" : std::string(*StringOf(type->second));
  }
};

TEST_F(VhostSettings, VHOST_05_MaxQueues) {
  VhostInfo vhost;
  vhost.max_queues = 1;
  Configure(vhost);
  ASSERT_TRUE(Declare("q1").ok());
  EXPECT_TRUE(Declare("q1").ok()) << "redeclaring is ok";
  const auto refused = Declare("q2");
  EXPECT_EQ(ReasonOf(refused), "LIMIT_EXCEEDED");
  EXPECT_EQ(InfoOf(refused.status()).amqp_code, 406);
  EXPECT_EQ(refused.status().message(),
            "PRECONDITION_FAILED - cannot declare queue 'q2': queue limit in "
            "vhost '/' (1) is reached");
  ASSERT_TRUE(DeleteQueue("q1").ok());
  EXPECT_TRUE(Declare("q2").ok());
  Configure({});
  EXPECT_TRUE(Declare("q3").ok()) << "no limit any more";
}

TEST_F(VhostSettings, QDECL_04_TheDefaultTypeIsThatOfTheVhost) {
  VhostInfo vhost;
  vhost.default_queue_type = "quorum";
  Configure(vhost);
  EXPECT_EQ(TypeOf(DeclareDurable("q")), "quorum");
  EXPECT_FALSE(DeclareDurable("q")->created) << "and equal when redeclared";
  EXPECT_EQ(TypeOf(DeclareDurable("c", {{"x-queue-type", "classic"}})),
            "classic");
  EXPECT_EQ(TypeOf(Declare("transient")), "");
  EXPECT_EQ(TypeOf(DeclareExclusive("exclusive")), "");
  EXPECT_EQ(TypeOf(DeclareAutoDelete("auto")), "");
}

}  // namespace
}  // namespace kelpmq::service::testing
