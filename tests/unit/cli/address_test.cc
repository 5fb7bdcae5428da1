#include "service/cli/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace kelpmq::service::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ParseAddress, TakesWhatGrpcTakesAndTheDefaultPort) {
  const std::pair<const char*, const char*> cases[] = {
      {"localhost", "localhost:50672"},
      {"localhost:1", "localhost:1"},
      {"[::1]", "[::1]:50672"},
      {"[::1]:1", "[::1]:1"},
      {"unix:/run/k.sock", "unix:/run/k.sock"},
      {"unix:///run/k.sock", "unix:///run/k.sock"},
      {"dns:///broker:1", "dns:///broker:1"},
  };
  for (const auto& [text, target] : cases) {
    const auto address = ParseAddress(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->target, target);
    EXPECT_FALSE(address->tls);
    EXPECT_EQ(address->user, "");
    EXPECT_EQ(address->vhost, "");
  }
}

TEST(ParseAddress, TakesUrls) {
  const struct {
    const char* text;
    const char* target;
    bool tls;
    const char* user;
    const char* password;
    const char* vhost;
  } cases[] = {
      {"kelpmq://", "127.0.0.1:50672", false, "", "", ""},
      {"kelpmq://h", "h:50672", false, "", "", ""},
      {"kelpmq://h:1/", "h:1", false, "", "", ""},
      {"kelpmqs://h:1/v", "h:1", true, "", "", "v"},
      {"kelpmq://[::1]", "[::1]:50672", false, "", "", ""},
      {"kelpmq://[::1]:2/v", "[::1]:2", false, "", "", "v"},
      {"kelpmq://u@h", "h:50672", false, "u", "", ""},
      {"kelpmq://u:p@h:1", "h:1", false, "u", "p", ""},
      {"kelpmq://u:p%40ss%3A%2F@h", "h:50672", false, "u", "p@ss:/", ""},
      {"kelpmq://u:a:b@h", "h:50672", false, "u", "a:b", ""},
      {"kelpmq://u:a+b@h", "h:50672", false, "u", "a+b", ""},
      {"kelpmq://h/%2F", "h:50672", false, "", "", "/"},
      {"kelpmq://h//", "h:50672", false, "", "", "/"},
      {"kelpmq://h/a%2Fb", "h:50672", false, "", "", "a/b"},
      {"kelpmq://h?vhost=a", "h:50672", false, "", "", "a"},
      {"kelpmq+unix:///run/k", "unix:/run/k", false, "", "", ""},
      {"kelpmq+unix:///k?vhost=%2F", "unix:/k", false, "", "", "/"},
      {"kelpmq+unix://u:p@/k", "unix:/k", false, "u", "p", ""},
  };
  for (const auto& expected : cases) {
    SCOPED_TRACE(expected.text);
    const auto address = ParseAddress(expected.text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->target, expected.target);
    EXPECT_EQ(address->tls, expected.tls);
    EXPECT_EQ(address->user, expected.user);
    EXPECT_EQ(address->password, expected.password);
    EXPECT_EQ(address->vhost, expected.vhost);
  }
}

TEST(ParseAddress, RefusesTheRest) {
  for (const char* text :
       {"", "amqp://h", "kelpmq://h:port", "kelpmq://h:99999", "kelpmq://h:0",
        "kelpmq+unix://h/x", "kelpmq+unix://", "kelpmq://h?x=1",
        "kelpmq://h?vhost=a&x=1", "kelpmq://a b", "h:0", "h:65536", "h:port",
        "[::1]:99999", "kelpmq://h:65536"}) {
    EXPECT_EQ(ParseAddress(text).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(ParseAddress, TakesTheHighestPort) {
  EXPECT_TRUE(ParseAddress("h:65535").ok());
  EXPECT_TRUE(ParseAddress("kelpmqs://h:65535").ok());
}

TEST(ParseAddress, TellsWhoComesFromAmqpWhatToWrite) {
  EXPECT_THAT(ParseAddress("amqp://h").status().message(),
              HasSubstr("KelpMQ speaks gRPC: write kelpmq://"));
  EXPECT_THAT(ParseAddress("amqps://h").status().message(),
              HasSubstr("KelpMQ speaks gRPC: write kelpmqs://"));
}

TEST(ParseAddress, DoesNotShowThePasswordOfWhatIsNoAddress) {
  for (const char* text :
       {"kelpmq://u:[s3cret@h", "kelpmq://u:s3cret@h:port", "amqp://u:s3cret@h",
        "kelpmq://u:s3cret/x@h", "kelpmq://u:s3cret?x@h",
        "kelpmq://u:a://s3cret/@h", "kelpmq://h?password=s3cret"}) {
    const absl::Status status = ParseAddress(text).status();
    ASSERT_FALSE(status.ok()) << text;
    EXPECT_THAT(status.message(), Not(HasSubstr("s3cret")));
    EXPECT_THAT(status.message(), HasSubstr("://"));
  }
}

}  // namespace
}  // namespace kelpmq::service::cli
