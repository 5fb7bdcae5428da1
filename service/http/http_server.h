#ifndef KELPMQ_SERVICE_HTTP_HTTP_SERVER_H_
#define KELPMQ_SERVICE_HTTP_HTTP_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace kelpmq::service {

struct HttpRequest {
  std::string path;  // "/metrics"
  // Of the query, decoded; of a key that comes twice, all its values in order.
  absl::btree_map<std::string, std::vector<std::string>> query;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// A small HTTP server for whoever observes the broker: GET and HEAD only, on
// one thread of its own, which sleeps unless somebody asks. Connections that
// are idle or slow for some seconds are closed. Thread-safety:
// thread-compatible.
class HttpServer {
 public:
  struct Endpoint {
    std::string host;   // an IP address
    uint16_t port = 0;  // 0: a free one
  };
  // Runs on the server's thread; may block.
  using Handler = absl::AnyInvocable<HttpResponse(const HttpRequest&)>;

  // Serves from the moment this returns.
  //   Errors: kUnavailable, with the address and the reason.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const std::vector<Endpoint>& endpoints, Handler handler);

  // Breaks connections and joins the thread.
  ~HttpServer();

  // "127.0.0.1:50680", with the ports that were chosen.
  const std::vector<std::string>& addresses() const;

 private:
  struct Parts;

  explicit HttpServer(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
  std::thread thread_;
};

// libevent would write its warnings on standard error. For the whole process.
void SilenceHttpLibrary();

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_HTTP_HTTP_SERVER_H_
