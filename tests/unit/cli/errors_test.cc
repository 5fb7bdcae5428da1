#include "service/cli/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

FailureReport Unreachable(const std::string& address) {
  return Explain(
      absl::UnavailableError("failed to connect to all addresses; last error: "
                             "UNKNOWN: ipv4:127.0.0.1:1: Connection refused"),
      {address, ""});
}

TEST(Explain, NamesTheInnermostCauseOfAnUnreachableBroker) {
  const FailureReport report = Unreachable("127.0.0.1:1");
  EXPECT_EQ(report.exit_code, ExitCode::kUnreachable);
  EXPECT_EQ(report.line,
            "cannot reach the broker at 127.0.0.1:1: Connection refused");
}

TEST(Explain, SaysHowToStartABrokerAtTheAddress) {
  EXPECT_EQ(Unreachable("127.0.0.1:50672").hint,
            "is the broker running? start it: kelpmq serve");
  for (const char* address :
       {"127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/tmp/k.sock"}) {
    EXPECT_THAT(Unreachable(address).hint,
                HasSubstr("kelpmq serve --listen " + ShellWord(address)));
  }
}

TEST(Explain, DoesNotStartABrokerForAnotherMachine) {
  for (const char* address :
       {"192.0.2.1:50672", "broker.example:50672", "localhost.example:1"}) {
    const std::string hint = Unreachable(address).hint;
    EXPECT_THAT(hint, HasSubstr("--address"));
    EXPECT_THAT(hint, Not(HasSubstr("kelpmq serve")));
  }
}

TEST(Explain, SaysThatABrokerMayWantTls) {
  const absl::Status closed = absl::UnavailableError(
      "failed to connect to all addresses; last error: UNKNOWN: "
      "ipv4:127.0.0.1:1: Socket closed");
  Target target = {"127.0.0.1:1", ""};
  EXPECT_THAT(Explain(closed, target).hint, HasSubstr("--tls"));
  target.has_tls = true;
  EXPECT_THAT(Explain(closed, target).hint, Not(HasSubstr("--tls")));
}

TEST(Explain, TellsWhoIsNotLoggedInHowToLogIn) {
  const absl::Status refused =
      StatusOfItem(16, "BAD_CREDENTIALS", "ACCESS_REFUSED - who are you?", 403);
  Target target = {"127.0.0.1:1", ""};
  EXPECT_THAT(Explain(refused, target).hint, HasSubstr("--user NAME"));
  target.has_login = true;
  EXPECT_EQ(Explain(refused, target).hint, "check user and password");
  target.has_token = true;
  EXPECT_THAT(Explain(refused, target).hint, HasSubstr("check the token"));
}

TEST(Explain, SaysThatABrokerMayNotSpeakTls) {
  const absl::Status garbled = absl::UnavailableError(
      "failed to connect to all addresses; last error: UNKNOWN: "
      "ipv4:127.0.0.1:1: Ssl handshake failed: wrong version number");
  Target target = {"127.0.0.1:1", ""};
  target.has_tls = true;
  const std::string hint = Explain(garbled, target).hint;
  EXPECT_THAT(hint, HasSubstr("write kelpmq:// instead of kelpmqs://"));
  EXPECT_THAT(hint, HasSubstr("KELPMQ_TLS"));
}

TEST(Explain, TellsCausesOfOneReasonApart) {
  const Target target = {"127.0.0.1:1", ""};
  const auto hint = [&target](absl::string_view reason,
                              absl::string_view text) {
    return Explain(StatusOfItem(3, reason, text, 541), target).hint;
  };
  EXPECT_THAT(hint("FEATURE_UNSUPPORTED",
                   "Feature `transient_nonexcl_queues` is deprecated."),
              HasSubstr("--durable"));
  EXPECT_THAT(
      hint("FEATURE_UNSUPPORTED", "Feature `global_qos` is deprecated."),
      Not(HasSubstr("--durable")));
  EXPECT_THAT(hint("INVALID_ARGUMENT_VALUE",
                   "invalid property 'non-durable' for queue 'q'"),
              HasSubstr("--durable"));
  EXPECT_EQ(
      hint("INVALID_VALUE", "policy setting 'x-message-ttl' is not recognised"),
      "policy settings have no x-: message-ttl");
}

TEST(Explain, SendsWhatIsTooLargeForGrpcToTheLimits) {
  const FailureReport report =
      Explain(absl::ResourceExhaustedError("Received message larger than max"),
              {"127.0.0.1:50672", ""});
  EXPECT_EQ(report.line,
            "Received message larger than max (RESOURCE_EXHAUSTED)");
  EXPECT_EQ(report.hint, "see the limits: kelpmq status");
}

TEST(Explain, PutsReasonAndCodeBehindTheTextAndTheVhostIntoTheHint) {
  const FailureReport report =
      Explain(StatusOfItem(5, "QUEUE_NOT_FOUND",
                           "NOT_FOUND - no queue 'q' in vhost 'v'", 404,
                           {{"queue", "q"}}),
              {"127.0.0.1:50672", "v"});
  EXPECT_EQ(report.exit_code, ExitCode::kFailed);
  EXPECT_EQ(report.line, "no queue 'q' in vhost 'v' (QUEUE_NOT_FOUND, 404)");
  EXPECT_EQ(report.hint, "declare it: kelpmq declare queue q --vhost v");
}

TEST(WithHint, TakesThePlaceOfTheReasonsOwn) {
  const absl::Status refused = StatusOfItem(8, "QUEUE_FULL", "full", 0);
  EXPECT_EQ(Explain(WithHint(refused, "wait"), {}).hint, "wait");
  EXPECT_EQ(Explain(WithHint(refused, "wait"), {}).line,
            Explain(refused, {}).line);
  EXPECT_TRUE(WithHint(absl::OkStatus(), "wait").ok());
}

}  // namespace
}  // namespace kelpmq::service::cli
