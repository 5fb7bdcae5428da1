#include "client/cpp/src/channel.h"

#include <gtest/gtest.h>

namespace kelpmq::client {
namespace {

TEST(Channel, AnAddressWithoutAPortGetsTheBrokers) {
  EXPECT_EQ(AddressWithPort("localhost"), "localhost:50672");
  EXPECT_EQ(AddressWithPort("localhost:1"), "localhost:1");
  EXPECT_EQ(AddressWithPort("[::1]"), "[::1]:50672");
  EXPECT_EQ(AddressWithPort("[::1]:1"), "[::1]:1");
  EXPECT_EQ(AddressWithPort("unix:/tmp/s"), "unix:/tmp/s");
  EXPECT_EQ(AddressWithPort("dns:///broker:1"), "dns:///broker:1");
}

TEST(Channel, CredentialsBecomeAnAuthorizationHeader) {
  EXPECT_EQ(AuthorizationOf({}), "");
  EXPECT_EQ(AuthorizationOf(BasicCredentials{"guest", "guest"}),
            "Basic Z3Vlc3Q6Z3Vlc3Q=");
  int calls = 0;
  const Credentials tokens =
      TokenSource([&calls] { return std::to_string(++calls); });
  EXPECT_EQ(AuthorizationOf(tokens), "Bearer 1");
  EXPECT_EQ(AuthorizationOf(tokens), "Bearer 2");  // asked for each call
}

TEST(Channel, TheKeyOfACertificateIsNeededToo) {
  ClientOptions options;
  options.tls.emplace();
  options.tls->cert_file = "/dev/null";
  EXPECT_EQ(ChannelFactory::Make(options).status().code(),
            absl::StatusCode::kInvalidArgument);
  options.tls->key_file = "/dev/null";
  EXPECT_TRUE(ChannelFactory::Make(options).ok());
}

}  // namespace
}  // namespace kelpmq::client
