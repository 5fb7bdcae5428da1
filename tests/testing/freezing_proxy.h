#ifndef KELPMQ_TESTS_TESTING_FREEZING_PROXY_H_
#define KELPMQ_TESTS_TESTING_FREEZING_PROXY_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>

namespace kelpmq::service::testing {

// A TCP proxy for one connection on loopback that can go silent without
// closing anything: to the server its peer has then vanished.
class FreezingProxy {
 public:
  // server: "127.0.0.1:PORT".
  explicit FreezingProxy(const std::string& server) {
    const sockaddr_in any = Loopback(0);
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    server_ = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in to =
        Loopback(std::stoi(server.substr(server.rfind(':') + 1)));
    sockaddr_in own = {};
    socklen_t size = sizeof(own);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&any), size) != 0 ||
        listen(listener_, 1) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&own), &size) != 0 ||
        connect(server_, reinterpret_cast<const sockaddr*>(&to), size) != 0 ||
        pipe(stop_) != 0) {
      std::abort();
    }
    address_ = "127.0.0.1:" + std::to_string(ntohs(own.sin_port));
    thread_ = std::thread([this] { Run(); });
  }
  ~FreezingProxy() {
    Freeze();
    for (int fd : {listener_, server_, client_, stop_[0], stop_[1]}) {
      if (fd >= 0) close(fd);
    }
  }

  const std::string& address() const { return address_; }

  // Nothing passes from now on, either way.
  void Freeze() {
    if (!thread_.joinable()) return;
    if (write(stop_[1], "x", 1) != 1) std::abort();
    thread_.join();
  }

 private:
  static sockaddr_in Loopback(int port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  void Run() {
    pollfd waits[] = {{stop_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    poll(waits, 2, -1);
    if (waits[0].revents != 0) return;
    client_ = accept(listener_, nullptr, nullptr);
    while (true) {
      pollfd fds[] = {
          {stop_[0], POLLIN, 0}, {client_, POLLIN, 0}, {server_, POLLIN, 0}};
      poll(fds, 3, -1);
      if (fds[0].revents != 0) return;
      if (fds[1].revents != 0 && !Pass(client_, server_)) return;
      if (fds[2].revents != 0 && !Pass(server_, client_)) return;
    }
  }

  static bool Pass(int from, int to) {
    char buffer[4096];
    const ssize_t got = read(from, buffer, sizeof(buffer));
    return got > 0 && send(to, buffer, got, MSG_NOSIGNAL) == got;
  }

  int listener_ = -1;
  int server_ = -1;
  int client_ = -1;
  int stop_[2] = {-1, -1};
  std::string address_;
  std::thread thread_;
};

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_TESTING_FREEZING_PROXY_H_
