#include "service/definitions/definitions_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "service/base/timer_queue.h"
#include "service/engine/memory/memory_engine.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/manual_executor.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using testing::FakeClock;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ManualExecutor;
using testing::ReasonOf;

constexpr char kDocument[] = R"({
  "users": [{"name": "app", "tags": ["administrator"],
             "password_hash": "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
             "hashing_algorithm": "rabbit_password_hashing_sha256"}],
  "vhosts": [{"name": "/"}, {"name": "v", "description": "d", "tags": ["t"]}],
  "permissions": [{"user": "app", "vhost": "v", "configure": "c", "write": "w", "read": "r"}],
  "topic_permissions": [{"user": "app", "vhost": "v", "exchange": "x", "write": "w", "read": "r"}],
  "parameters": [{"component": "shovel", "name": "s", "vhost": "v", "value": {"a": 1}}],
  "policies": [{"vhost": "v", "name": "p", "pattern": "^q", "apply-to": "queues",
                "definition": {"max-length": 5}, "priority": 2}],
  "exchanges": [{"name": "x", "vhost": "v", "type": "topic", "durable": true,
                 "auto_delete": false, "internal": false, "arguments": {}}],
  "queues": [{"name": "q", "vhost": "v", "durable": true, "auto_delete": false,
              "arguments": {"x-message-ttl": 1000}},
             {"name": "amq.gen-AAAAAAAAAAAAAAAAAAAAAA", "vhost": "v", "durable": true,
              "auto_delete": false, "arguments": {}}],
  "bindings": [{"source": "x", "vhost": "v", "destination": "q", "destination_type": "queue",
                "routing_key": "a.#", "arguments": {"k": "v"}}]
})";

class DefinitionsStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<Engine> MakeEngine() {
    return std::make_unique<MemoryEngine>(&clock_, &timers_, &executor_);
  }
  absl::StatusOr<ImportResult> Import(absl::string_view json,
                                      bool validate_only = false) {
    return store_.Import(json, std::nullopt, validate_only);
  }

  FakeClock clock_;
  ManualExecutor executor_;
  TimerQueue timers_{&clock_, &executor_};
  const std::unique_ptr<Engine> engine_ = MakeEngine();
  UserStore users_;
  DefinitionsStore store_{engine_.get(), &users_,
                          [this] { return MakeEngine(); }};
};

TEST_F(DefinitionsStoreTest, MakesWhatIsAbsent) {
  const auto result = Import(kDocument);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->created_count, 9u);
  EXPECT_EQ(result->unchanged_count, 1u);  // the vhost "/"
  EXPECT_THAT(result->conflicts, IsEmpty());
  EXPECT_THAT(result->ignored_sections, ElementsAre("parameters"));
  EXPECT_EQ(*engine_->FindExchangeType("v", "x"), "topic");
  EXPECT_TRUE(engine_->HasQueue("v", "q"));
  EXPECT_TRUE(engine_->HasQueue("v", "amq.gen-AAAAAAAAAAAAAAAAAAAAAA"));
  EXPECT_TRUE(users_.FindUser("app")->administrator);
  EXPECT_EQ(users_.FindRules("v", "app")->permission->set.write, "w");
}

TEST_F(DefinitionsStoreTest, ASecondTimeChangesNothing) {
  ASSERT_TRUE(Import(kDocument).ok());
  const auto again = Import(kDocument);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->created_count, 0u);
  EXPECT_EQ(again->unchanged_count, 10u);
}

TEST_F(DefinitionsStoreTest, ValidateOnlyCountsAndChangesNothing) {
  const auto result = Import(kDocument, /*validate_only=*/true);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->created_count, 9u);
  EXPECT_EQ(ReasonOf(engine_->CheckVhost("v")), "VHOST_NOT_FOUND");
  EXPECT_EQ(users_.FindUser("app"), nullptr);
}

TEST_F(DefinitionsStoreTest, WritesOutWhatItReads) {
  ASSERT_TRUE(Import(kDocument).ok());
  const auto written = store_.Export(std::nullopt);
  ASSERT_TRUE(written.ok());
  const auto before = nlohmann::json::parse(kDocument);
  const auto after = nlohmann::json::parse(*written);
  for (const char* section : {"permissions", "topic_permissions", "parameters",
                              "policies", "exchanges", "bindings"}) {
    EXPECT_EQ(after[section], before[section]) << section;
  }
  EXPECT_EQ(after["users"][0]["password_hash"],
            before["users"][0]["password_hash"]);
  EXPECT_EQ(after["queues"].size(), 2u);
  // And is itself a document that changes nothing.
  const auto again = Import(*written);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->created_count, 0u);
}

TEST_F(DefinitionsStoreTest, MutableThingsAreOverwritten) {
  ASSERT_TRUE(Import(kDocument).ok());
  const auto result =
      Import(R"({"policies": [{"vhost": "v", "name": "p", "pattern": "^z",
                                               "definition": {"max-length": 6}}],
                                 "permissions": [{"user": "app", "vhost": "v", "configure": "",
                                                  "write": "", "read": ""}]})");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->created_count, 2u);
  EXPECT_EQ(users_.FindRules("v", "app")->permission->set.write, "");
}

TEST_F(DefinitionsStoreTest, ImmutableThingsThatDifferAreConflicts) {
  ASSERT_TRUE(Import(kDocument).ok());
  const auto result =
      Import(R"({"queues": [{"name": "q", "vhost": "v", "durable": true,
                                             "arguments": {"x-message-ttl": 2000}},
                                            {"name": "new", "vhost": "v", "durable": true}],
                                 "exchanges": [{"name": "x", "vhost": "v", "type": "direct",
                                                "durable": true}]})");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->created_count, 1u);
  ASSERT_EQ(result->conflicts.size(), 2u);
  EXPECT_THAT(result->conflicts[0], HasSubstr("exchange 'x' in vhost 'v'"));
  EXPECT_THAT(result->conflicts[1], HasSubstr("queue 'q' in vhost 'v'"));
  EXPECT_TRUE(engine_->HasQueue("v", "new"));
}

TEST_F(DefinitionsStoreTest, ABadDocumentChangesNothing) {
  for (
      const char* bad :
      {R"({"vhosts": [{"name": "w"}], "queues": [{"name": "q", "vhost": "none"}]})",
       R"({"vhosts": [{"name": "w"}],
               "queues": [{"name": "q", "vhost": "w", "arguments": {"x-max-length": -1}}]})",
       R"({"vhosts": [{"name": "w"}],
               "exchanges": [{"name": "x", "vhost": "w", "type": "cat"}]})",
       R"({"vhosts": [{"name": "w"}],
               "permissions": [{"user": "nobody", "vhost": "w"}]})",
       R"({"vhosts": [{"name": "w"}], "users": [{"name": "u"}],
               "permissions": [{"user": "u", "vhost": "w", "write": "("}]})",
       R"({"vhosts": [{"name": "w"}], "policies": [{"vhost": "w", "name": "p", "pattern": "("}]})",
       R"({"vhosts": [{"name": "w"}],
               "queues": [{"name": "q", "vhost": "w", "durable": true},
                          {"name": "q", "vhost": "w", "durable": false}]})"}) {
    EXPECT_EQ(ReasonOf(Import(bad)), "INVALID_VALUE") << bad;
    EXPECT_EQ(ReasonOf(engine_->CheckVhost("w")), "VHOST_NOT_FOUND") << bad;
  }
}

TEST_F(DefinitionsStoreTest, BindingsMayReferToWhatIsThere) {
  ASSERT_TRUE(Import(kDocument).ok());
  const auto result = Import(R"({"bindings": [
      {"source": "x", "vhost": "v", "destination": "q", "destination_type": "queue",
       "routing_key": "b"},
      {"source": "amq.topic", "vhost": "v", "destination": "x", "destination_type": "exchange",
       "routing_key": ""}]})");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->created_count, 2u);
}

// RabbitMQ does not write internal exchanges, but what is bound to them.
TEST_F(DefinitionsStoreTest, BindingsOfWhatIsNotThereAreLeftOutAndNamed) {
  for (const bool validate_only : {true, false}) {
    const auto result = Import(
        R"({"queues": [{"name": "q", "vhost": "/", "durable": true}],
            "bindings": [
              {"source": "none", "vhost": "/", "destination": "q",
               "destination_type": "queue", "routing_key": ""},
              {"source": "amq.topic", "vhost": "/", "destination": "q",
               "destination_type": "queue", "routing_key": "k"}]})",
        validate_only);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->created_count, 2u);
    ASSERT_EQ(result->conflicts.size(), 1u);
    EXPECT_THAT(result->conflicts[0], HasSubstr("no exchange 'none'"));
  }
}

TEST_F(DefinitionsStoreTest, OneVhostIsWrittenWithoutItsName) {
  ASSERT_TRUE(Import(kDocument).ok());
  const auto written = store_.Export("v");
  ASSERT_TRUE(written.ok());
  const auto json = nlohmann::json::parse(*written);
  EXPECT_FALSE(json.contains("users"));
  EXPECT_EQ(json["queues"].size(), 2u);
  EXPECT_FALSE(json["queues"][0].contains("vhost"));
  EXPECT_EQ(ReasonOf(store_.Export("none")), "VHOST_NOT_FOUND");
  // It goes into another vhost as well.
  const auto copied = store_.Import(*written, "/", /*validate_only=*/false);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_TRUE(engine_->HasQueue("/", "q"));
  EXPECT_EQ(ReasonOf(store_.Import("{}", "none", false)), "VHOST_NOT_FOUND");
}

TEST_F(DefinitionsStoreTest, GuestThatCameWithTheServerIsNotWritten) {
  const auto json = nlohmann::json::parse(*store_.Export(std::nullopt));
  EXPECT_TRUE(json["users"].empty());
  EXPECT_EQ(json["vhosts"].size(), 1u);
  EXPECT_TRUE(json["exchanges"].empty());
}

}  // namespace
}  // namespace kelpmq::service
