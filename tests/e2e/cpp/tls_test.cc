#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "kelpmq/error.h"
#include "tests/e2e/cpp/client_fixture.h"

namespace kelpmq::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPassword[] = "ada-secret";

// What a shell command writes on standard output; fails the test if it fails.
std::string OutputOf(const std::string& command) {
  FILE* const pipe = popen(command.c_str(), "r");
  std::string output;
  char bytes[4096];
  while (const size_t size = fread(bytes, 1, sizeof(bytes), pipe)) {
    output.append(bytes, size);
  }
  EXPECT_EQ(pclose(pipe), 0) << command;
  return std::string(absl::StripAsciiWhitespace(output));
}

// Certificates that sign themselves, and a users file, in a folder that goes
// with the test.
class Secrets {
 public:
  Secrets() {
    char name[] = "/tmp/kelpmq-cpp-tls-XXXXXX";
    folder_ = mkdtemp(name);
    Certify("broker");
    Certify("other");
    const std::string hash = OutputOf(absl::StrCat(
        "printf %s ", kPassword, " | ", BrokerBinary(), " hash-password"));
    std::ofstream(Path("users.json"))
        << R"({"users": [{"name": "ada", "tags": [], "password_hash": ")"
        << hash << R"("}], "permissions": [{"user": "ada", "vhost": "/", )"
        << R"("configure": "mine", "write": ".*", "read": ".*"}]})";
  }
  ~Secrets() { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const {
    return absl::StrCat(folder_, "/", name);
  }

 private:
  void Certify(const std::string& name) {
    OutputOf(absl::StrCat(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
        "-nodes -days 2 -subj /CN=",
        name, " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout ",
        Path(name + ".key"), " -out ", Path(name + ".pem"), " 2>/dev/null"));
  }

  std::string folder_;
};

// A broker with TLS and the user ada, who may declare `mine`.
class ClientTls : public ::testing::Test {
 protected:
  ClientOptions Options() const {
    ClientOptions options;
    options.address = broker_.address();
    options.connect_timeout = absl::Seconds(2);
    options.call_timeout = kPatience;
    options.tls.emplace();
    options.tls->ca_file = secrets_.Path("broker.pem");
    options.credentials = BasicCredentials{"ada", kPassword};
    return options;
  }

  const Secrets secrets_;
  BrokerProcess broker_{{"--tls-cert", secrets_.Path("broker.pem"), "--tls-key",
                         secrets_.Path("broker.key"), "--users-file",
                         secrets_.Path("users.json")}};
};

TEST_F(ClientTls, PublishesAndGetsAsAUser) {
  auto client = Client::Connect(Options());
  ASSERT_TRUE(client.ok()) << client.status();
  ASSERT_TRUE((*client)->topology().DeclareQueue("mine").ok());
  EXPECT_TRUE((*client)->NewPublisher()->Publish({"mine", "hello"}).get().ok());
  EXPECT_EQ((*client)->Get("mine")->front().body(), "hello");
}

TEST_F(ClientTls, AUserWithoutPermissionIsRefused) {
  auto client = Client::Connect(Options());
  ASSERT_TRUE(client.ok()) << client.status();
  const absl::Status refused =
      (*client)->topology().DeclareQueue("hers").status();
  EXPECT_EQ(ReasonOf(refused), "ACCESS_REFUSED");
  EXPECT_EQ(AmqpCodeOf(refused), 403);
}

TEST_F(ClientTls, AWrongPasswordIsRefusedAndNotShown) {
  ClientOptions options = Options();
  options.credentials = BasicCredentials{"ada", "not-hers"};
  auto client = Client::Connect(options);
  const absl::Status refused =
      client.ok() ? (*client)->topology().DeclareQueue("mine").status()
                  : client.status();
  EXPECT_EQ(ReasonOf(refused), "BAD_CREDENTIALS");
  EXPECT_THAT(refused.ToString(), Not(HasSubstr("not-hers")));
}

TEST_F(ClientTls, AnAuthorityThatDidNotSignIsNotTrusted) {
  ClientOptions options = Options();
  options.tls->ca_file = secrets_.Path("other.pem");
  EXPECT_EQ(Client::Connect(options).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(ClientTls, ACertificateForAnotherNameIsNotTrusted) {
  ClientOptions options = Options();
  options.tls->server_name = "elsewhere";
  EXPECT_EQ(Client::Connect(options).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace kelpmq::testing
