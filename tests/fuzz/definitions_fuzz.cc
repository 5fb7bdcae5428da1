// A definitions document may be anything at all: what is read is written again
// in a form that reads as the same.
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "service/definitions/definitions.h"
#include "tests/fuzz/require.h"

namespace kelpmq::service {
namespace {

void Check(absl::string_view json, const std::optional<std::string>& vhost) {
  const auto parsed = ParseDefinitions(json, vhost);
  if (!parsed.ok() || vhost.has_value()) return;
  const std::string written = WriteDefinitions(*parsed, /*one_vhost=*/false);
  const auto again = ParseDefinitions(written, std::nullopt);
  // Numbers that JSON cannot tell from others, as 1e3, may change their type,
  // and a hash its algorithm's name; what there is may not.
  Require(again.ok(), "is written as it was read", json);
  Require(again->queues.size() == parsed->queues.size(),
          "is written as it was read", json);
  Require(again->exchanges.size() == parsed->exchanges.size(),
          "is written as it was read", json);
  Require(again->bindings.size() == parsed->bindings.size(),
          "is written as it was read", json);
  Require(again->users.size() == parsed->users.size(),
          "is written as it was read", json);
  Require(again->policies.size() == parsed->policies.size(),
          "is written as it was read", json);
  Require(again->permissions == parsed->permissions,
          "is written as it was read", json);
  Require(again->topic_permissions == parsed->topic_permissions,
          "is written as it was read", json);
}

}  // namespace
}  // namespace kelpmq::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view json(reinterpret_cast<const char*>(data), size);
  kelpmq::service::Check(json, std::nullopt);
  kelpmq::service::Check(json, std::string("v"));
  return 0;
}
