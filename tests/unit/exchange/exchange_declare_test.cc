// Rules EXB, EXD and EXDEL.

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/routing_fixture.h"

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MetadataOf;
using testing::ReasonOf;
using testing::TextOf;

class ExchangeDeclare : public testing::RoutingFixture {};

// ---- EXB ----

TEST_F(ExchangeDeclare, EXB_01_PredeclaredExchangesAreThereAndDurable) {
  std::vector<std::string> listed;
  for (const ExchangeSpec& spec : router_.ListExchanges()) {
    listed.push_back(spec.name + ":" + spec.type);
    EXPECT_TRUE(spec.durable);
    EXPECT_FALSE(spec.auto_delete);
    EXPECT_EQ(spec.internal, spec.name == "amq.rabbitmq.trace");
  }
  EXPECT_THAT(listed,
              ElementsAre(":direct", "amq.direct:direct", "amq.fanout:fanout",
                          "amq.headers:headers", "amq.match:headers",
                          "amq.rabbitmq.trace:topic", "amq.topic:topic"));
}

TEST_F(ExchangeDeclare, EXB_02_DefaultExchangeRoutesByQueueName) {
  Queues({"q", "r"});
  EXPECT_THAT(Route("", "q"), ElementsAre("q"));
  EXPECT_THAT(Route("", "absent"), IsEmpty());
  router_.RemoveQueue("q");
  EXPECT_THAT(Route("", "q"), IsEmpty());
}

TEST_F(ExchangeDeclare, EXB_03_NothingBindsToTheDefaultExchange) {
  Queue("q");
  Exchange("x", "fanout");
  for (const BindingSpec& binding :
       {ToQueue("", "q"), ToExchange("", "x"), ToExchange("x", "")}) {
    const auto bound = router_.Bind(binding);
    EXPECT_EQ(ReasonOf(bound), "DEFAULT_EXCHANGE");
    EXPECT_EQ(TextOf(bound), "operation not permitted on the default exchange");
    EXPECT_EQ(ReasonOf(router_.Unbind(binding)), "DEFAULT_EXCHANGE");
  }
}

TEST_F(ExchangeDeclare, EXB_04_DefaultExchangeIsNeitherDeclaredNorDeleted) {
  EXPECT_EQ(ReasonOf(Declare(Spec("", "direct"))), "DEFAULT_EXCHANGE");
  EXPECT_EQ(ReasonOf(Passive("")), "DEFAULT_EXCHANGE");
  EXPECT_EQ(ReasonOf(router_.DeleteExchange("", false)), "DEFAULT_EXCHANGE");
}

TEST_F(ExchangeDeclare, EXB_05_ReservedNamesAreNotDeclaredAnew) {
  const auto declared = Declare(Spec("amq.mine", "direct"));
  EXPECT_EQ(ReasonOf(declared), "RESERVED_NAME");
  EXPECT_EQ(TextOf(declared),
            "exchange name 'amq.mine' contains reserved prefix 'amq.*'");
}

TEST_F(ExchangeDeclare, EXB_05_PredeclaredExchangesRedeclareIfEqual) {
  ExchangeSpec spec = Spec("amq.topic", "topic");
  spec.durable = true;
  const auto declared = Declare(spec);
  ASSERT_TRUE(declared.ok());
  EXPECT_FALSE(declared->created);
  spec.durable = false;
  EXPECT_EQ(ReasonOf(Declare(spec)), "INEQUIVALENT_ARGUMENT");
}

TEST_F(ExchangeDeclare, EXB_05_SystemExchangesAreNotDeleted) {
  for (const std::string name : {"amq.direct", "amq.absent"}) {
    const auto deleted = router_.DeleteExchange(name, false);
    EXPECT_EQ(ReasonOf(deleted), "DEFAULT_EXCHANGE");
    EXPECT_EQ(TextOf(deleted), "deletion of system exchange '" + name +
                                   "' in vhost '/' not allowed");
  }
}

TEST_F(ExchangeDeclare, EXB_06_InternalExchangesAreReachedByBindingsAlone) {
  ExchangeSpec spec = Spec("inner", "fanout");
  spec.internal = true;
  ASSERT_TRUE(Declare(spec).ok());
  Exchange("outer", "fanout");
  Queue("q");
  Bind(ToExchange("outer", "inner"));
  Bind(ToQueue("inner", "q"));
  const absl::Status status = RouteStatus("inner", "k");
  EXPECT_EQ(ReasonOf(status), "INTERNAL_EXCHANGE");
  EXPECT_EQ(status.message(),
            "ACCESS_REFUSED - cannot publish to internal exchange 'inner' in "
            "vhost '/'");
  EXPECT_THAT(Route("outer", "k"), ElementsAre("q"));
}

TEST_F(ExchangeDeclare, MAND_05_PublishingToAnAbsentExchangeIsNotFound) {
  const absl::Status status = RouteStatus("nope", "k");
  EXPECT_EQ(ReasonOf(status), "EXCHANGE_NOT_FOUND");
  EXPECT_EQ(status.message(), "NOT_FOUND - no exchange 'nope' in vhost '/'");
}

// ---- EXD ----

TEST_F(ExchangeDeclare, EXD_01_FourTypesCanBeDeclared) {
  for (const std::string type : {"direct", "fanout", "topic", "headers"}) {
    const auto declared = Declare(Spec("x-" + type, type));
    ASSERT_TRUE(declared.ok());
    EXPECT_TRUE(declared->created);
    EXPECT_EQ(declared->exchange.type, type);
  }
}

TEST_F(ExchangeDeclare, EXD_02_EqualRedeclareSucceedsAndKeepsTheFirst) {
  Exchange("x", "direct", {{"note", "first"}});
  const auto declared = Declare(Spec("x", "direct", {{"note", "second"}}));
  ASSERT_TRUE(declared.ok());
  EXPECT_FALSE(declared->created);
  EXPECT_EQ(declared->exchange.arguments, (Table{{"note", "first"}}));
}

TEST_F(ExchangeDeclare, EXD_02_AttributesMustMatch) {
  Exchange("x", "direct");
  const auto text = [&](const ExchangeSpec& spec) {
    const auto declared = Declare(spec);
    EXPECT_EQ(ReasonOf(declared), "INEQUIVALENT_ARGUMENT");
    return TextOf(declared);
  };
  const std::string of = "' for exchange 'x' in vhost '/': received ";
  EXPECT_EQ(text(Spec("x", "topic")),
            "inequivalent arg 'type" + of + "'topic' but current is 'direct'");
  ExchangeSpec spec = Spec("x", "direct");
  spec.durable = true;
  EXPECT_EQ(text(spec),
            "inequivalent arg 'durable" + of + "'true' but current is 'false'");
  spec = Spec("x", "direct");
  spec.auto_delete = true;
  EXPECT_EQ(text(spec), "inequivalent arg 'auto_delete" + of +
                            "'true' but current is 'false'");
  spec = Spec("x", "direct");
  spec.internal = true;
  EXPECT_EQ(text(spec), "inequivalent arg 'internal" + of +
                            "'true' but current is 'false'");
}

TEST_F(ExchangeDeclare, EXD_02_AlternateExchangeMustMatch) {
  Exchange("with", "direct", {{"alternate-exchange", "e1"}});
  Exchange("without", "direct");
  auto declared = Declare(Spec("with", "direct"));
  EXPECT_EQ(TextOf(declared),
            "inequivalent arg 'alternate-exchange' for exchange 'with' in "
            "vhost '/': received none but current is the value 'e1' of type "
            "'longstr'");
  EXPECT_EQ(MetadataOf(declared.status(), "argument"), "alternate-exchange");
  declared = Declare(Spec("without", "direct", {{"alternate-exchange", "e2"}}));
  EXPECT_EQ(TextOf(declared),
            "inequivalent arg 'alternate-exchange' for exchange 'without' in "
            "vhost '/': received the value 'e2' of type 'longstr' but current "
            "is none");
  declared = Declare(Spec("with", "direct", {{"alternate-exchange", "e2"}}));
  EXPECT_EQ(TextOf(declared),
            "inequivalent arg 'alternate-exchange' for exchange 'with' in "
            "vhost '/': received 'e2' but current is 'e1'");
  EXPECT_TRUE(
      Declare(Spec("with", "direct", {{"alternate-exchange", "e1"}})).ok());
}

TEST_F(ExchangeDeclare, EXD_03_UnknownTypesAreRefused) {
  const auto declared = Declare(Spec("x", "bogus"));
  EXPECT_EQ(ReasonOf(declared), "EXCHANGE_TYPE_UNKNOWN");
  EXPECT_EQ(TextOf(declared), "unknown exchange type 'bogus'");
  EXPECT_FALSE(HasExchange("x"));
}

TEST_F(ExchangeDeclare, EXD_04_PassiveAsksForTheNameAlone) {
  const auto absent = Passive("x");
  EXPECT_EQ(ReasonOf(absent), "EXCHANGE_NOT_FOUND");
  EXPECT_EQ(TextOf(absent), "no exchange 'x' in vhost '/'");
  Exchange("x", "topic");
  const auto present = router_.DeclareExchange(Spec("x", "bogus"), true);
  ASSERT_TRUE(present.ok());
  EXPECT_FALSE(present->created);
  EXPECT_EQ(present->exchange.type, "topic");
}

TEST_F(ExchangeDeclare, EXD_05_AlternateExchangeIsAString) {
  const auto declared =
      Declare(Spec("x", "direct", {{"alternate-exchange", int32_t{1}}}));
  EXPECT_EQ(ReasonOf(declared), "INVALID_ARGUMENT_VALUE");
  EXPECT_EQ(TextOf(declared),
            "invalid type 'signedint' for arg 'alternate-exchange' in exchange "
            "'x' in vhost '/'");
  EXPECT_TRUE(
      Declare(Spec("x", "direct", {{"alternate-exchange", "absent"}})).ok());
}

TEST_F(ExchangeDeclare, LIMIT_01_NamesHaveOneTo255BytesOfUtf8) {
  EXPECT_TRUE(Declare(Spec(std::string(255, 'x'), "direct")).ok());
  EXPECT_EQ(ReasonOf(Declare(Spec(std::string(256, 'x'), "direct"))),
            "INVALID_NAME");
  EXPECT_EQ(ReasonOf(Declare(Spec("\xff", "direct"))), "INVALID_NAME");
  EXPECT_EQ(ReasonOf(Passive(std::string(256, 'x'))), "INVALID_NAME");
  EXPECT_EQ(ReasonOf(router_.DeleteExchange(std::string(256, 'x'), false)),
            "INVALID_NAME");
  Queue("q");
  Exchange("x", "direct");
  Bind(ToQueue("x", "q", std::string(255, 'k')));
  EXPECT_EQ(ReasonOf(router_.Bind(ToQueue("x", "q", std::string(256, 'k')))),
            "INVALID_NAME");
}

// ---- EXDEL ----

TEST_F(ExchangeDeclare, EXDEL_01_DeletingAnAbsentExchangeIsOk) {
  for (const bool if_unused : {false, true}) {
    const auto deleted = router_.DeleteExchange("x", if_unused);
    ASSERT_TRUE(deleted.ok());
    EXPECT_FALSE(*deleted);
  }
}

TEST_F(ExchangeDeclare, EXDEL_02_IfUnusedLooksAtBindingsFromIt) {
  Queue("q");
  Exchange("source", "fanout");
  Exchange("middle", "fanout");
  Exchange("end", "fanout");
  Bind(ToExchange("source", "middle"));
  Bind(ToQueue("middle", "q"));
  Bind(ToExchange("source", "end"));
  const auto deleted = router_.DeleteExchange("middle", true);
  EXPECT_EQ(ReasonOf(deleted), "EXCHANGE_IN_USE");
  EXPECT_EQ(TextOf(deleted), "exchange 'middle' in vhost '/' in use");
  EXPECT_EQ(ReasonOf(router_.DeleteExchange("source", true)),
            "EXCHANGE_IN_USE");
  EXPECT_TRUE(router_.DeleteExchange("end", true).value());
  EXPECT_TRUE(router_.DeleteExchange("middle", false).value());
}

TEST_F(ExchangeDeclare, EXDEL_03_DeleteRemovesBindingsOnBothSides) {
  Queue("q");
  Exchange("a", "fanout");
  Exchange("b", "fanout");
  Bind(ToExchange("a", "b"));
  Bind(ToQueue("b", "q"));
  ASSERT_TRUE(router_.DeleteExchange("b", false).value());
  EXPECT_THAT(Route("a", "k"), IsEmpty());
  Exchange("b", "fanout");
  EXPECT_THAT(Route("a", "k"), IsEmpty());
  EXPECT_THAT(Route("b", "k"), IsEmpty());
  Bind(ToExchange("a", "b"));
  Bind(ToQueue("b", "q"));
  EXPECT_THAT(Route("a", "k"), ElementsAre("q"));
}

TEST_F(ExchangeDeclare, EXDEL_04_AutoDeleteGoesWithItsLastBinding) {
  Queues({"q", "r"});
  ASSERT_TRUE(Declare(AutoDelete("x")).ok());
  EXPECT_TRUE(HasExchange("x"));
  Bind(ToQueue("x", "q"));
  Bind(ToQueue("x", "r"));
  Unbind(ToQueue("x", "q"));
  EXPECT_TRUE(HasExchange("x"));
  Unbind(ToQueue("x", "r"));
  EXPECT_FALSE(HasExchange("x"));
}

TEST_F(ExchangeDeclare, EXDEL_04_AutoDeleteGoesWhenItsQueueIsDeleted) {
  Queue("q");
  ASSERT_TRUE(Declare(AutoDelete("x", "direct")).ok());
  Bind(ToQueue("x", "q", "a"));
  Bind(ToQueue("x", "q", "b"));
  router_.RemoveQueue("q");
  EXPECT_FALSE(HasExchange("x"));
}

TEST_F(ExchangeDeclare, EXDEL_04_AutoDeleteGoesWhenItsDestinationIsDeleted) {
  ASSERT_TRUE(Declare(AutoDelete("x")).ok());
  Exchange("y", "fanout");
  Bind(ToExchange("x", "y"));
  ASSERT_TRUE(router_.DeleteExchange("y", false).value());
  EXPECT_FALSE(HasExchange("x"));
}

TEST_F(ExchangeDeclare, EXDEL_04_BindingToItselfEndsWithTheExchange) {
  ASSERT_TRUE(Declare(AutoDelete("x")).ok());
  Bind(ToExchange("x", "x"));
  ASSERT_TRUE(router_.DeleteExchange("x", false).value());
  EXPECT_FALSE(HasExchange("x"));
  ASSERT_TRUE(Declare(AutoDelete("x")).ok());
  Bind(ToExchange("x", "x"));
  Unbind(ToExchange("x", "x"));
  EXPECT_FALSE(HasExchange("x"));
}

TEST_F(ExchangeDeclare, EXDEL_05_AutoDeleteCascadesUpstream) {
  Queue("q");
  ASSERT_TRUE(Declare(AutoDelete("x1")).ok());
  ASSERT_TRUE(Declare(AutoDelete("x2")).ok());
  Bind(ToExchange("x1", "x2"));
  Bind(ToQueue("x2", "q"));
  router_.RemoveQueue("q");
  EXPECT_FALSE(HasExchange("x2"));
  EXPECT_FALSE(HasExchange("x1"));
}

TEST_F(ExchangeDeclare, EXDEL_05_ADestinationAloneStays) {
  ASSERT_TRUE(Declare(AutoDelete("x1")).ok());
  ASSERT_TRUE(Declare(AutoDelete("x2")).ok());
  Bind(ToExchange("x1", "x2"));
  ASSERT_TRUE(router_.DeleteExchange("x1", false).value());
  EXPECT_TRUE(HasExchange("x2"));
}

TEST_F(ExchangeDeclare, EXDEL_05_CyclesOfAutoDeleteExchangesEnd) {
  Queue("q");
  for (const std::string name : {"a", "b", "c"}) {
    ASSERT_TRUE(Declare(AutoDelete(name)).ok());
  }
  Bind(ToExchange("a", "b"));
  Bind(ToExchange("b", "c"));
  Bind(ToExchange("c", "a"));
  Bind(ToQueue("c", "q"));
  router_.RemoveQueue("q");
  EXPECT_TRUE(HasExchange("c"));  // still the source of a binding
  ASSERT_TRUE(router_.DeleteExchange("a", false).value());
  EXPECT_FALSE(HasExchange("b"));
  EXPECT_FALSE(HasExchange("c"));
}

TEST_F(ExchangeDeclare, EXDEL_05_LongCascadesNeedNoStack) {
  constexpr int kLength = 20000;
  Queue("q");
  const auto name = [](int i) { return "x" + std::to_string(i); };
  for (int i = 0; i <= kLength; ++i) {
    ASSERT_TRUE(Declare(AutoDelete(name(i))).ok());
    if (i > 0) Bind(ToExchange(name(i - 1), name(i)));
  }
  Bind(ToQueue(name(kLength), "q"));
  EXPECT_THAT(Route("x0", ""), ElementsAre("q"));
  router_.RemoveQueue("q");
  EXPECT_EQ(router_.ListExchanges().size(), 7u);
}

}  // namespace
}  // namespace kelpmq::service
