#include "service/rpc/listen_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kUnixPrefix = "unix:";

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

struct AddrinfoDeleter {
  void operator()(addrinfo* info) const { freeaddrinfo(info); }
};
using AddrinfoPtr = std::unique_ptr<addrinfo, AddrinfoDeleter>;

absl::Status CannotListen(const ListenSocket& socket, absl::string_view why) {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", socket.address, ": ", why));
}

// Splits "host:port" and "[v6]:port".
bool SplitHostPort(absl::string_view address, std::string* host,
                   std::string* port) {
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return false;
  absl::string_view host_part = address.substr(0, colon);
  const absl::string_view port_part = address.substr(colon + 1);
  if (absl::ConsumePrefix(&host_part, "[")) {
    if (!absl::ConsumeSuffix(&host_part, "]")) return false;
  } else if (host_part.find(':') != absl::string_view::npos) {
    return false;  // an IPv6 address needs its brackets
  }
  uint32_t number;
  if (host_part.empty() || !absl::SimpleAtoi(port_part, &number) ||
      number > 65535) {
    return false;
  }
  *host = std::string(host_part);
  *port = absl::StrCat(number);
  return true;
}

AddrinfoPtr Resolve(const std::string& host, const std::string& port, int flags,
                    int* error) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  *error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  return AddrinfoPtr(*error == 0 ? found : nullptr);
}

ListenSocket TcpSocket(const addrinfo& info, const std::string& port) {
  ListenSocket socket;
  char text[INET6_ADDRSTRLEN] = {};
  if (info.ai_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(info.ai_addr);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    socket.address = absl::StrCat("[", text, "]:", port);
    socket.is_local = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
  } else {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(info.ai_addr);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    socket.address = absl::StrCat(text, ":", port);
    socket.is_local = (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
  }
  return socket;
}

// The kernel has no such address (often ::1 in containers).
bool IsAbsent(int error) {
  return error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

// 0 or an errno.
int TryBind(const addrinfo& info) {
  Fd fd(socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return errno;
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd.get(), info.ai_addr, info.ai_addrlen) != 0) return errno;
  return 0;
}

absl::Status CheckTcp(const ListenSocket& listen) {
  std::string host;
  std::string port;
  SplitHostPort(listen.address, &host, &port);
  int error = 0;
  const AddrinfoPtr info = Resolve(host, port, AI_NUMERICHOST, &error);
  if (info == nullptr) return CannotListen(listen, gai_strerror(error));
  if (const int failed = TryBind(*info)) {
    return CannotListen(listen, strerror(failed));
  }
  return absl::OkStatus();
}

// Takes a socket file out of the way that a server left behind.
absl::Status RemoveStale(const ListenSocket& listen, const sockaddr_un& name) {
  struct stat status;
  if (lstat(name.sun_path, &status) != 0) {
    return errno == ENOENT ? absl::OkStatus()
                           : CannotListen(listen, strerror(errno));
  }
  if (!S_ISSOCK(status.st_mode)) {
    return CannotListen(listen, "a file that is not a socket is in the way");
  }
  // Whether its server is alive shows by calling it; gRPC would take its place
  // without asking.
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return CannotListen(listen, strerror(errno));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&name),
              sizeof(name)) == 0 ||
      errno == EAGAIN) {
    return CannotListen(listen, "Address already in use");
  }
  if (errno != ECONNREFUSED) return CannotListen(listen, strerror(errno));
  if (unlink(name.sun_path) != 0 && errno != ENOENT) {
    return CannotListen(listen, strerror(errno));
  }
  return absl::OkStatus();
}

absl::Status CheckUnix(const ListenSocket& listen) {
  const std::string path = UnixPath(listen);
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  memcpy(name.sun_path, path.c_str(), path.size());
  absl::Status removed = RemoveStale(listen, name);
  if (!removed.ok()) return removed;
  // No such folder, no right to write there: gRPC would not say which.
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return CannotListen(listen, strerror(errno));
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) !=
      0) {
    return CannotListen(listen, strerror(errno));
  }
  unlink(name.sun_path);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ListenSocket>> UnixSocket(
    absl::string_view address) {
  const absl::string_view path = address.substr(kUnixPrefix.size());
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", address, "': the path of a Unix socket has 1 to ",
                     sizeof(sockaddr_un::sun_path) - 1, " bytes"));
  }
  ListenSocket socket;
  socket.address = std::string(address);
  socket.is_unix = true;
  socket.is_local = true;
  return std::vector<ListenSocket>{socket};
}

}  // namespace

std::string UnixPath(const ListenSocket& socket) {
  return socket.address.substr(kUnixPrefix.size());
}

absl::StatusOr<std::vector<ListenSocket>> ResolveListenAddress(
    absl::string_view address) {
  if (absl::StartsWith(address, kUnixPrefix)) return UnixSocket(address);
  std::string host;
  std::string port;
  if (!SplitHostPort(address, &host, &port)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", address,
        "' is no address: use HOST:PORT (127.0.0.1:50672), [IPV6]:PORT or "
        "unix:/PATH"));
  }
  int error = 0;
  const AddrinfoPtr found = Resolve(host, port, 0, &error);
  if (found == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", address, "': cannot resolve '", host, "': ", gai_strerror(error)));
  }
  std::vector<ListenSocket> sockets;
  for (const addrinfo* info = found.get(); info != nullptr;
       info = info->ai_next) {
    if (info->ai_family != AF_INET && info->ai_family != AF_INET6) continue;
    if (info->ai_next == nullptr && sockets.empty()) {
      // The only one left: let its own error show when it is bound.
    } else if (IsAbsent(TryBind(*info))) {
      continue;
    }
    sockets.push_back(TcpSocket(*info, port));
  }
  return sockets;
}

absl::Status CheckBindable(const ListenSocket& socket) {
  return socket.is_unix ? CheckUnix(socket) : CheckTcp(socket);
}

}  // namespace kelpmq::service
