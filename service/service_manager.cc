#include "service/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace kelpmq::service {

// By hand, since libsystemd has no static library and the message is a line.
void NotifyServiceManager(absl::string_view state) {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr) return;
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  const size_t length = strlen(path);
  if (length < 2 || length >= sizeof(name.sun_path)) return;
  memcpy(name.sun_path, path, length);
  // "@name" is the abstract socket whose name begins with a null byte.
  if (name.sun_path[0] == '@') name.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  sendto(fd, state.data(), state.size(), MSG_NOSIGNAL,
         reinterpret_cast<const sockaddr*>(&name),
         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
  close(fd);
}

}  // namespace kelpmq::service
