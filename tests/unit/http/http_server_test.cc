#include "service/http/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/numbers.h"

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What the server says to these bytes, until it closes the connection.
std::string Ask(const std::string& address, const std::string& bytes) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
  to.sin_port = htons(static_cast<uint16_t>(port));
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  EXPECT_EQ(write(fd, bytes.data(), bytes.size()),
            static_cast<ssize_t>(bytes.size()));
  std::string answer;
  char buffer[4096];
  ssize_t size;
  while ((size = read(fd, buffer, sizeof(buffer))) > 0) {
    answer.append(buffer, static_cast<size_t>(size));
  }
  close(fd);
  return answer;
}

std::string Get(const std::string& address, const std::string& target) {
  return Ask(address, "GET " + target +
                          " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

TEST(HttpServer, HandsPathAndQueryToItsHandler) {
  HttpRequest seen;
  auto server = HttpServer::Start({{"127.0.0.1", 0}},
                                  [&seen](const HttpRequest& request) {
                                    seen = request;
                                    return HttpResponse{404, "text/x", "body"};
                                  });
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string answer =
      Get((*server)->addresses()[0], "/a/b?k=1&vhost=%2F%20x&k=2");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/x\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nbody"));
  EXPECT_EQ(seen.path, "/a/b");
  EXPECT_THAT(seen.query["k"], ElementsAre("1", "2"));
  EXPECT_THAT(seen.query["vhost"], ElementsAre("/ x"));
}

TEST(HttpServer, RefusesWhatIsNoRequest) {
  auto server = HttpServer::Start(
      {{"127.0.0.1", 0}}, [](const HttpRequest&) { return HttpResponse(); });
  ASSERT_TRUE(server.ok());
  const std::string& address = (*server)->addresses()[0];
  EXPECT_THAT(Ask(address, "\x16\x03\x01 rubbish\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask(address, "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x')),
              StartsWith("HTTP/1.1 4"));
  EXPECT_THAT(Get(address, "/"), StartsWith("HTTP/1.1 200"));
}

TEST(HttpServer, TellsWhyItCannotListen) {
  auto first = HttpServer::Start(
      {{"127.0.0.1", 0}}, [](const HttpRequest&) { return HttpResponse(); });
  ASSERT_TRUE(first.ok());
  const std::string& address = (*first)->addresses()[0];
  int port = 0;
  ASSERT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
  const auto second =
      HttpServer::Start({{"127.0.0.1", static_cast<uint16_t>(port)}},
                        [](const HttpRequest&) { return HttpResponse(); });
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(address));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
}

}  // namespace
}  // namespace kelpmq::service
