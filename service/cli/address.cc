#include "service/cli/address.h"

#include <event2/http.h>

#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace kelpmq::service::cli {
namespace {

constexpr absl::string_view kDefaultPort = ":50672";
constexpr absl::string_view kDefaultHost = "127.0.0.1";

constexpr int kHighestPort = 65535;
constexpr absl::string_view kNoPort = "its port is no number from 1 to 65535";

constexpr absl::string_view kPlain = "kelpmq";
constexpr absl::string_view kTls = "kelpmqs";
constexpr absl::string_view kUnix = "kelpmq+unix";

// "localhost" -> "localhost:50672": gRPC would take port 443.
std::string WithPort(absl::string_view host) {
  const bool has_port = absl::StartsWith(host, "[")
                            ? absl::StrContains(host, "]:")
                            : absl::StrContains(host, ":");
  return absl::StrCat(host, has_port ? "" : kDefaultPort);
}

// Of HOST:PORT. gRPC would take 65537 for 1.
bool HasValidPort(absl::string_view target) {
  int port = 0;
  return absl::SimpleAtoi(target.substr(target.rfind(':') + 1), &port) &&
         port > 0 && port <= kHighestPort;
}

bool IsOfGrpc(absl::string_view text) {
  for (const absl::string_view scheme :
       {"unix:", "unix-abstract:", "dns:", "ipv4:", "ipv6:"}) {
    if (absl::StartsWith(text, scheme)) return true;
  }
  return false;
}

// Without what might be a password.
std::string Shown(absl::string_view url) {
  const size_t scheme_end = url.find("://") + 3;
  const size_t at = url.rfind('@');
  const absl::string_view query = url.substr(0, url.find('?'));
  if (at == absl::string_view::npos) return std::string(query);
  return absl::StrCat(url.substr(0, scheme_end), "...",
                      url.substr(at, url.find('?', at) - at));
}

absl::Status NoAddress(absl::string_view url, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("'", Shown(url), "': ", why));
}

std::string Decoded(const std::string& text) {
  size_t size = 0;
  const std::unique_ptr<char, decltype(&std::free)> decoded(
      evhttp_uridecode(text.c_str(), /*decode_plus=*/0, &size), &std::free);
  return decoded == nullptr ? "" : std::string(decoded.get(), size);
}

std::string Text(const char* part) { return part == nullptr ? "" : part; }

// Fills in the part that says who calls: "user:password".
void TakeLogin(const std::string& part, Address* address) {
  const std::pair<std::string, std::string> login =
      absl::StrSplit(part, absl::MaxSplits(':', 1));
  address->user = Decoded(login.first);
  address->password = Decoded(login.second);
}

// Of "vhost=VHOST"; false: it says something else.
bool TakeQuery(const std::string& query, Address* address) {
  absl::string_view value = query;
  if (value.empty()) return true;
  if (!absl::ConsumePrefix(&value, "vhost=") || absl::StrContains(value, "&")) {
    return false;
  }
  address->vhost = Decoded(std::string(value));
  return true;
}

absl::StatusOr<Address> ParseUrl(const std::string& url) {
  const std::unique_ptr<evhttp_uri, decltype(&evhttp_uri_free)> uri(
      evhttp_uri_parse(url.c_str()), &evhttp_uri_free);
  if (uri == nullptr) {
    return NoAddress(url,
                     "no URL (is the port up to 65535, are user and password "
                     "percent-encoded?)");
  }
  const std::string scheme = Text(evhttp_uri_get_scheme(uri.get()));
  const std::string host = Text(evhttp_uri_get_host(uri.get()));
  const std::string path = Text(evhttp_uri_get_path(uri.get()));
  const int port = evhttp_uri_get_port(uri.get());
  Address address;
  TakeLogin(Text(evhttp_uri_get_userinfo(uri.get())), &address);
  if (!TakeQuery(Text(evhttp_uri_get_query(uri.get())), &address)) {
    return NoAddress(url, "the only parameter is ?vhost=VHOST");
  }
  if (scheme == kUnix) {
    if (!host.empty() || path.empty()) {
      return NoAddress(url, "write kelpmq+unix:///PATH");
    }
    address.tls = false;
    address.target = absl::StrCat("unix:", Decoded(path));
    return address;
  }
  if (scheme == "amqp" || scheme == "amqps") {
    return NoAddress(url,
                     absl::StrCat("KelpMQ speaks gRPC: write ",
                                  scheme == "amqp" ? kPlain : kTls, "://"));
  }
  if (scheme != kPlain && scheme != kTls) {
    return NoAddress(url, absl::StrCat("the scheme is none of ", kPlain, ", ",
                                       kTls, ", ", kUnix));
  }
  if (port == 0 || port > kHighestPort) return NoAddress(url, kNoPort);
  address.tls = scheme == kTls;
  address.target = absl::StrCat(
      host.empty() ? kDefaultHost : absl::string_view(host),
      port > 0 ? absl::StrCat(":", port) : std::string(kDefaultPort));
  if (path.size() > 1) address.vhost = Decoded(path.substr(1));
  return address;
}

}  // namespace

absl::StatusOr<Address> ParseAddress(const std::string& text) {
  if (text.empty()) return absl::InvalidArgumentError("it is empty");
  Address address;
  if (IsOfGrpc(text)) {
    address.target = text;
  } else if (absl::StrContains(text, "://")) {
    return ParseUrl(text);
  } else {
    address.target = WithPort(text);
    if (!HasValidPort(address.target)) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", text, "': ", kNoPort));
    }
  }
  return address;
}

}  // namespace kelpmq::service::cli
