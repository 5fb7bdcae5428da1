// Vhosts: made, kept apart, deleted.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Vhosts : public EngineTest {
 protected:
  absl::StatusOr<bool> Put(const std::string& name,
                           const std::string& description = "") {
    VhostInfo info;
    info.name = name;
    info.description = description;
    return Await<bool>(
        [&](auto done) { engine_.PutVhost(info, std::move(done)); });
  }
  absl::StatusOr<bool> Delete(const std::string& name) {
    return Await<bool>(
        [&](auto done) { engine_.DeleteVhost(name, std::move(done)); });
  }
  std::vector<VhostInfo> List() {
    auto page = Await<Page<VhostInfo>>(
        [&](auto done) { engine_.ListVhosts({}, std::move(done)); });
    return page.ok() ? page->items : std::vector<VhostInfo>();
  }
};

TEST_F(Vhosts, VHOST_01_EveryCallInAnUnknownVhostIsNotFound) {
  vhost_ = "nov";
  auto published = Publish("", "q", {"m"});
  EXPECT_EQ(ReasonOf(published), "VHOST_NOT_FOUND");
  EXPECT_EQ(published.status().message(),
            "NOT_ALLOWED - vhost 'nov' not found");
  EXPECT_EQ(MetadataOf(published.status(), "vhost"), "nov");
  EXPECT_EQ(ReasonOf(Get("q", NewSink())), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Consume("q", NewSink())), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOf(DeclareExchange("x")), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOf(DeleteExchange("x")), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Declare("q")), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOf(DeclarePassive("q")), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOf(DeleteQueue("q")), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Purge("q")), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Bind("x", "q")), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Unbind("x", "q")), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOf(FindQueue("q")), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOf(EndOwner(kAlice)), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOf(engine_.CheckVhost("nov")), "VHOST_NOT_FOUND");
  EXPECT_TRUE(engine_.CheckVhost("/").ok());
}

TEST_F(Vhosts, VHOST_02_NamesArePerVhostAndMessagesNeverCross) {
  ASSERT_TRUE(*Put("other"));
  for (const char* vhost : {"/", "other"}) {
    vhost_ = vhost;
    ASSERT_TRUE(DeclareExchange("x", "fanout").ok());
    ASSERT_TRUE(Declare("q")->created);
    ASSERT_TRUE(Bind("x", "q").ok());
    ASSERT_TRUE(Publish("x", "", {vhost}).ok());
    ASSERT_TRUE(Publish("", "q", {vhost}).ok());
  }
  vhost_ = "/";
  EXPECT_THAT(Drain("q"), ElementsAre("/", "/"));
  vhost_ = "other";
  EXPECT_THAT(Drain("q"), ElementsAre("other", "other"));
  ASSERT_TRUE(DeleteQueue("q").ok());
  vhost_ = "/";
  EXPECT_TRUE(HasQueue("q"));
}

TEST_F(Vhosts, VHOST_02_OwnersArePerVhost) {
  ASSERT_TRUE(*Put("other"));
  ASSERT_TRUE(DeclareExclusive("q").ok());
  vhost_ = "other";
  ASSERT_TRUE(DeclareExclusive("q").ok());
  ASSERT_TRUE(EndOwner(kAlice).ok());
  EXPECT_FALSE(HasQueue("q"));
  vhost_ = "/";
  EXPECT_TRUE(HasQueue("q"));
}

TEST_F(Vhosts, VHOST_03_NewVhostHasThePredeclaredExchanges) {
  ASSERT_TRUE(*Put("new"));
  vhost_ = "new";
  for (const char* name : {"", "amq.direct", "amq.fanout", "amq.topic",
                           "amq.headers", "amq.match", "amq.rabbitmq.trace"}) {
    EXPECT_TRUE(HasExchange(name)) << name;
  }
}

TEST_F(Vhosts, VHOST_04_DeletingAVhostDropsEverythingInIt) {
  ASSERT_TRUE(*Put("v"));
  vhost_ = "v";
  auto sink = NewSink();
  ASSERT_TRUE(DeclareExchange("x", "fanout").ok());
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Bind("x", "q").ok());
  auto consumer = Consume("q", sink);
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE(Publish("x", "", {"m"}).ok());

  EXPECT_TRUE(*Delete("v"));
  EXPECT_EQ(ReasonOf(engine_.CheckVhost("v")), "VHOST_NOT_FOUND");
  ASSERT_EQ(sink->cancelled().size(), 1u);
  EXPECT_EQ(sink->cancelled()[0].reason, CancelReason::kQueueDeleted);
  ASSERT_EQ(sink->lost().size(), 1u);
  EXPECT_TRUE(Cancel(*consumer).ok()) << "handles stay usable";

  ASSERT_TRUE(*Put("v"));
  EXPECT_FALSE(HasQueue("q"));
  EXPECT_FALSE(HasExchange("x"));
}

TEST_F(Vhosts, VHOST_04_DefaultVhostMayBeDeletedAndMadeAgain) {
  ASSERT_TRUE(Declare("q").ok());
  EXPECT_TRUE(*Delete("/"));
  EXPECT_EQ(ReasonOf(Declare("q")), "VHOST_NOT_FOUND");
  EXPECT_TRUE(*Put("/"));
  EXPECT_TRUE(Declare("q")->created);
}

TEST_F(Vhosts, DeletingAnAbsentVhostIsOk) { EXPECT_FALSE(*Delete("nov")); }

TEST_F(Vhosts, PutKeepsTheContentsAndTakesTheNewDescription) {
  EXPECT_TRUE(*Put("v", "old"));
  vhost_ = "v";
  ASSERT_TRUE(Declare("q").ok());
  EXPECT_FALSE(*Put("v", "new"));
  EXPECT_TRUE(HasQueue("q"));
  ASSERT_EQ(List().size(), 2u);
  EXPECT_EQ(List()[0].name, "/");
  EXPECT_EQ(List()[1].name, "v");
  EXPECT_EQ(List()[1].description, "new");
}

TEST_F(Vhosts, LIMIT_01_NamesAreUpTo255BytesOfUtf8) {
  EXPECT_TRUE(Put(std::string(255, 'v')).ok());
  EXPECT_TRUE(Put("\xc3\xa9/\xe2\x82\xac").ok());
  EXPECT_EQ(ReasonOf(Put(std::string(256, 'v'))), "INVALID_NAME");
  EXPECT_EQ(ReasonOf(Put("")), "INVALID_NAME");
  EXPECT_EQ(ReasonOf(Put("\xff")), "INVALID_NAME");
}

TEST_F(Vhosts, ErrorsNameTheVhost) {
  ASSERT_TRUE(*Put("conf"));
  vhost_ = "conf";
  EXPECT_EQ(Get("q", NewSink()).status().message(),
            "NOT_FOUND - no queue 'q' in vhost 'conf'");
  ASSERT_TRUE(DeclareExclusive("mine").ok());
  owner_ = kBob;
  EXPECT_THAT(std::string(Purge("mine").status().message()),
              ::testing::HasSubstr("locked queue 'mine' in vhost 'conf'"));
  EXPECT_EQ(DeclareExchange("amq.x").status().message(),
            "ACCESS_REFUSED - exchange name 'amq.x' contains reserved prefix "
            "'amq.*'");
}

// A queue handle may outlive its vhost; what the queue then says finds none.
TEST_F(Vhosts, QueueOutlivesItsVhost) {
  ASSERT_TRUE(*Put("v"));
  vhost_ = "v";
  ASSERT_TRUE(DeclareAutoDelete("q").ok());
  auto sink = NewSink();
  auto consumer = Consume("q", sink);
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE(*Delete("v"));
  EXPECT_EQ(*Release(sink, {consumer->queue}), 0u);
  EXPECT_TRUE(Settle(SettleAction::kAck, consumer->queue, {1}).ok());
}

}  // namespace
}  // namespace kelpmq::service::testing
