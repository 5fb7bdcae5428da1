// AdminService's definitions.

#include <optional>
#include <utility>

#include "service/rpc/admin_service.h"
#include "service/rpc/convert.h"

namespace kelpmq::service {
namespace {

// Unset: nullopt; empty: `default_vhost`.
template <typename Request>
std::optional<std::string> VhostOf(const Request& request,
                                   const std::string& default_vhost) {
  if (!request.has_vhost()) return std::nullopt;
  return request.vhost().empty() ? default_vhost : request.vhost();
}

}  // namespace

void AdminService::ImportDefinitions(
    const CallContext&, v1::ImportDefinitionsRequest request,
    Reply<v1::ImportDefinitionsResponse> reply) {
  absl::Status name = CheckName("vhost", request.vhost());
  if (!name.ok()) return reply(std::move(name));
  slow_->Post([this, vhost = VhostOf(request, default_vhost_),
               request = std::move(request),
               reply = std::move(reply)]() mutable {
    absl::StatusOr<ImportResult> result =
        definitions_->Import(request.json(), vhost, request.validate_only());
    if (!result.ok()) return reply(std::move(result).status());
    v1::ImportDefinitionsResponse response;
    response.set_created_count(result->created_count);
    response.set_unchanged_count(result->unchanged_count);
    for (std::string& conflict : result->conflicts) {
      response.add_conflicts(std::move(conflict));
    }
    for (std::string& section : result->ignored_sections) {
      response.add_ignored_sections(std::move(section));
    }
    // Users and permissions may be among what has changed.
    Recheck(
        [response = std::move(response), reply = std::move(reply)]() mutable {
          reply(std::move(response));
        });
  });
}

void AdminService::ExportDefinitions(
    const CallContext&, v1::ExportDefinitionsRequest request,
    Reply<v1::ExportDefinitionsResponse> reply) {
  absl::Status name = CheckName("vhost", request.vhost());
  if (!name.ok()) return reply(std::move(name));
  slow_->Post([this, vhost = VhostOf(request, default_vhost_),
               reply = std::move(reply)]() mutable {
    absl::StatusOr<std::string> json = definitions_->Export(vhost);
    if (!json.ok()) return reply(std::move(json).status());
    v1::ExportDefinitionsResponse response;
    response.set_json(*std::move(json));
    reply(std::move(response));
  });
}

}  // namespace kelpmq::service
