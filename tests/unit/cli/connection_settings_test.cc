#include "service/cli/connection_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace kelpmq::service::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// All that a shell may export for another broker.
std::map<std::string, std::string> AllVariables() {
  return {{"KELPMQ_ADDRESS", "other:1"},
          {"KELPMQ_VHOST", "other"},
          {"KELPMQ_USER", "other"},
          {"KELPMQ_PASSWORD", "other-secret"},
          {"KELPMQ_TLS", "1"},
          {"KELPMQ_TLS_CA", "other.pem"},
          {"KELPMQ_TLS_SERVER_NAME", "other.name"}};
}

absl::StatusOr<ConnectionOptions> Resolved(
    const ConnectionSettings& given,
    const std::map<std::string, std::string>& variables) {
  return Resolve(given, [&variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? "" : found->second;
  });
}

TEST(Resolve, GivesTheDefaultsIfNobodySaysAnything) {
  const auto options = Resolved({}, {});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->address, "127.0.0.1:50672");
  EXPECT_EQ(options->vhost, "");
  EXPECT_EQ(options->login.user, "");
  EXPECT_FALSE(options->tls.enabled);
}

TEST(Resolve, TakesTheVariables) {
  const auto options = Resolved({}, AllVariables());
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->address, "other:1");
  EXPECT_EQ(options->vhost, "other");
  EXPECT_EQ(options->login.user, "other");
  EXPECT_EQ(options->login.password, "other-secret");
  EXPECT_TRUE(options->tls.enabled);
  EXPECT_EQ(options->tls.ca, "other.pem");
}

TEST(Resolve, AnAddressWinsOverTheVariables) {
  ConnectionSettings given;
  given.address = "kelpmq://app:pw@host/v";
  auto variables = AllVariables();
  for (const char* login :
       {"KELPMQ_PASSWORD_FILE", "KELPMQ_TOKEN", "KELPMQ_TOKEN_FILE"}) {
    variables[login] = "other";
  }
  const auto options = Resolved(given, variables);
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->address, "host:50672");
  EXPECT_EQ(options->vhost, "v");
  EXPECT_EQ(options->login.user, "app");
  EXPECT_EQ(options->login.password, "pw");
  EXPECT_EQ(options->login.password_file, "");
  EXPECT_EQ(options->login.token, "");
  EXPECT_EQ(options->login.token_file, "");
  EXPECT_FALSE(options->tls.enabled);
}

TEST(Resolve, AnAddressOfTheEnvironmentWinsOverItsOtherVariables) {
  auto variables = AllVariables();
  variables["KELPMQ_ADDRESS"] = "kelpmq://app:pw@host/v";
  const auto options = Resolved({}, variables);
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->login.user, "app");
  EXPECT_EQ(options->vhost, "v");
  EXPECT_FALSE(options->tls.enabled);
}

TEST(Resolve, OptionsWinOverTheAddress) {
  ConnectionSettings given;
  given.address = "kelpmq://app:pw@host/v";
  given.vhost = "w";
  given.user = "root";
  given.password_file = "root.secret";
  given.tls_ca = "ca.pem";
  const auto options = Resolved(given, AllVariables());
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->vhost, "w");
  EXPECT_EQ(options->login.user, "root");
  EXPECT_EQ(options->login.password, "");
  EXPECT_EQ(options->login.password_file, "root.secret");
  EXPECT_TRUE(options->tls.enabled);
  EXPECT_EQ(options->tls.ca, "ca.pem");
}

TEST(Resolve, AnOptionWinsAlsoIfItSaysWhatAVariableSays) {
  ConnectionSettings given;
  given.address = "kelpmq://app:pw@host/v";
  given.user = "other";
  given.vhost = "other";
  given.tls = true;
  const auto options = Resolved(given, AllVariables());
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->login.user, "other");
  EXPECT_EQ(options->login.password, "other-secret");
  EXPECT_EQ(options->vhost, "other");
  EXPECT_TRUE(options->tls.enabled);
}

TEST(Resolve, TakesFromTheEnvironmentWhatAnAddressLeavesOut) {
  ConnectionSettings given;
  given.address = "kelpmqs://other@host";
  const auto options = Resolved(given, AllVariables());
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->vhost, "other");
  EXPECT_EQ(options->login.password, "other-secret");
  EXPECT_TRUE(options->tls.enabled);
  EXPECT_EQ(options->tls.ca, "other.pem");
}

TEST(Resolve, AHostAndPortDoNotSayWhetherThereIsTls) {
  ConnectionSettings given;
  given.address = "host:1";
  EXPECT_TRUE(Resolved(given, {{"KELPMQ_TLS", "on"}})->tls.enabled);
  EXPECT_TRUE(Resolved(given, {{"KELPMQ_TLS_CA", "ca.pem"}})->tls.enabled);
  EXPECT_FALSE(Resolved(given, {{"KELPMQ_TLS", "0"}})->tls.enabled);
  given.tls = false;
  EXPECT_FALSE(Resolved(given, AllVariables())->tls.enabled);
}

TEST(Resolve, ATokenOnTheCommandLineWinsOverAUserElsewhere) {
  ConnectionSettings given;
  given.token_file = "token";
  const auto options = Resolved(given, AllVariables());
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->login.user, "");
  EXPECT_EQ(options->login.token_file, "token");
}

TEST(Resolve, SaysWhereTheMistakeIs) {
  ConnectionSettings given;
  EXPECT_THAT(Resolved(given, {{"KELPMQ_TLS", "maybe"}}).status().message(),
              HasSubstr("KELPMQ_TLS: 'maybe'"));
  const std::string bad = "kelpmq://app:s3cret@host:port";
  const absl::Status by_variable =
      Resolved(given, {{"KELPMQ_ADDRESS", bad}}).status();
  EXPECT_THAT(by_variable.message(), HasSubstr("KELPMQ_ADDRESS: "));
  EXPECT_THAT(by_variable.message(), Not(HasSubstr("s3cret")));
  given.address = bad;
  EXPECT_THAT(Resolved(given, {}).status().message(), HasSubstr("--address: "));
}

}  // namespace
}  // namespace kelpmq::service::cli
