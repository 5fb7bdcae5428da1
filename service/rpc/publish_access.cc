#include "service/rpc/publish_access.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "service/base/message_wire.h"

namespace kelpmq::service {
namespace {

using Permission = VhostAccess::Permission;
using Resource = VhostAccess::Resource;

constexpr absl::string_view kTopic = "topic";

// What needs more than the name of the exchange, in RabbitMQ's order.
absl::Status CheckContent(const Engine& engine, const std::string& vhost,
                          const Message& message, bool has_user_id,
                          VhostAccess* access) {
  const bool topic_rule = access->HasTopicRule(message.exchange());
  absl::Status user_id;
  if (has_user_id) user_id = access->CheckUserId(UserIdOf(message.encoded()));
  if (!topic_rule && user_id.ok()) return absl::OkStatus();
  const absl::StatusOr<std::string> type =
      engine.FindExchangeType(vhost, message.exchange());
  if (!type.ok()) return absl::OkStatus();  // the engine says so
  if (topic_rule && *type == kTopic) {
    absl::Status topic = access->CheckTopic(
        Permission::kWrite, message.exchange(), message.routing_key());
    if (!topic.ok()) return topic;
  }
  return user_id;
}

}  // namespace

absl::Status CheckPublish(const Engine& engine, VhostAccess* access,
                          PublishRequestData* request) {
  if (request->item_count == 0) {
    return access->Check(Permission::kWrite, Resource::kExchange,
                         request->exchange);
  }
  if (!request->has_user_ids && !access->may_refuse()) return absl::OkStatus();

  std::vector<PublishItem>& items = request->items;
  size_t kept = 0;
  // Mostly all items name one exchange.
  absl::string_view last_exchange;
  absl::Status last_answer;
  for (size_t i = 0; i < items.size(); ++i) {
    const Message& message = *items[i].message;
    if (i == 0 || message.exchange() != last_exchange) {
      last_answer = access->Check(Permission::kWrite, Resource::kExchange,
                                  message.exchange());
    }
    last_exchange = message.exchange();
    absl::Status allowed = last_answer;
    if (allowed.ok()) {
      allowed = CheckContent(engine, request->vhost, message,
                             request->has_user_ids, access);
    }
    if (!allowed.ok()) {
      request->failures.push_back({request->item_index[i], std::move(allowed)});
      continue;
    }
    if (kept != i) {
      items[kept] = std::move(items[i]);
      request->item_index[kept] = request->item_index[i];
    }
    ++kept;
  }
  items.resize(kept);
  request->item_index.resize(kept);
  return absl::OkStatus();
}

}  // namespace kelpmq::service
