#include "service/http/http_server.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace kelpmq::service {
namespace {

// Idle or slow for longer: closed.
constexpr int kTimeoutSeconds = 10;
// Of a request: no client needs more to ask for a page.
constexpr ev_ssize_t kMaxHeaderBytes = 16 * 1024;
constexpr ev_ssize_t kMaxBodyBytes = 1024;

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using EventBase = std::unique_ptr<event_base, Freer<event_base_free>>;
using Event = std::unique_ptr<event, Freer<event_free>>;
using Http = std::unique_ptr<evhttp, Freer<evhttp_free>>;

std::string Address(const std::string& host, uint16_t port) {
  return absl::StrContains(host, ':') ? absl::StrCat("[", host, "]:", port)
                                      : absl::StrCat(host, ":", port);
}

// The port that a listening socket has.
uint16_t PortOf(evutil_socket_t socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return 0;
  }
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                   : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

HttpRequest Read(evhttp_request* request) {
  HttpRequest read;
  const evhttp_uri* uri = evhttp_request_get_evhttp_uri(request);
  if (const char* path = evhttp_uri_get_path(uri)) read.path = path;
  evkeyvalq query{};
  const char* text = evhttp_uri_get_query(uri);
  if (text != nullptr && evhttp_parse_query_str(text, &query) == 0) {
    for (evkeyval* pair = query.tqh_first; pair != nullptr;
         pair = pair->next.tqe_next) {
      read.query[pair->key].emplace_back(pair->value);
    }
    evhttp_clear_headers(&query);
  }
  return read;
}

void Send(evhttp_request* request, const HttpResponse& response) {
  evkeyvalq* headers = evhttp_request_get_output_headers(request);
  evhttp_add_header(headers, "Content-Type", response.content_type.c_str());
  evhttp_add_header(headers, "Cache-Control", "no-store");
  evbuffer_add(evhttp_request_get_output_buffer(request), response.body.data(),
               response.body.size());
  evhttp_send_reply(request, response.status, /*reason=*/nullptr,
                    /*databuf=*/nullptr);
}

}  // namespace

struct HttpServer::Parts {
  ~Parts() {
    if (wake >= 0) close(wake);
  }

  Handler handler;
  int wake = -1;  // an eventfd: written to, the loop ends
  EventBase base;
  Event wake_event;
  Http http;
  std::vector<std::string> addresses;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const std::vector<Endpoint>& endpoints, Handler handler) {
  auto parts = std::make_unique<Parts>();
  parts->handler = std::move(handler);
  parts->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  parts->base.reset(event_base_new());
  if (parts->wake < 0 || parts->base == nullptr) {
    return absl::InternalError("no event loop for HTTP");
  }
  parts->wake_event.reset(event_new(
      parts->base.get(), parts->wake, EV_READ,
      [](evutil_socket_t, short, void* base) {  // NOLINT(google-runtime-int)
        event_base_loopbreak(static_cast<event_base*>(base));
      },
      parts->base.get()));
  parts->http.reset(evhttp_new(parts->base.get()));
  if (parts->wake_event == nullptr || parts->http == nullptr ||
      event_add(parts->wake_event.get(), nullptr) != 0) {
    return absl::InternalError("no event loop for HTTP");
  }
  evhttp* http = parts->http.get();
  evhttp_set_timeout(http, kTimeoutSeconds);
  evhttp_set_max_headers_size(http, kMaxHeaderBytes);
  evhttp_set_max_body_size(http, kMaxBodyBytes);
  evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
  evhttp_set_gencb(
      http,
      [](evhttp_request* request, void* owner) {
        Send(request, static_cast<Parts*>(owner)->handler(Read(request)));
      },
      parts.get());
  for (const Endpoint& endpoint : endpoints) {
    errno = 0;
    evhttp_bound_socket* bound = evhttp_bind_socket_with_handle(
        http, endpoint.host.c_str(), endpoint.port);
    if (bound == nullptr) {
      return absl::UnavailableError(absl::StrCat(
          "cannot listen on ", Address(endpoint.host, endpoint.port), ": ",
          std::strerror(errno)));
    }
    parts->addresses.push_back(
        Address(endpoint.host, PortOf(evhttp_bound_socket_get_fd(bound))));
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(parts)));
}

HttpServer::HttpServer(std::unique_ptr<Parts> parts)
    : parts_(std::move(parts)), thread_([this] {
        pthread_setname_np(pthread_self(), "kelpmq-http");
        event_base_dispatch(parts_->base.get());
      }) {}

HttpServer::~HttpServer() {
  const uint64_t one = 1;
  // Cannot fail: the counter was 0.
  (void)!write(parts_->wake, &one, sizeof(one));
  thread_.join();
}

const std::vector<std::string>& HttpServer::addresses() const {
  return parts_->addresses;
}

void SilenceHttpLibrary() {
  event_set_log_callback([](int, const char*) {});
}

}  // namespace kelpmq::service
