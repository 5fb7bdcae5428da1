#include "service/cli/perf/load_topology.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "kelpmq/v1/topology.pb.h"
#include "kelpmq/v1/types.pb.h"
#include "service/cli/perf/unary_calls.h"

namespace kelpmq::service::cli::perf {
namespace {

// Exchanges whose names happen to be taken before we give up.
constexpr int kNameAttempts = 100;

std::string RandomLetters(int count) {
  static constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::random_device random;
  std::uniform_int_distribution<size_t> index(0, sizeof(kLetters) - 2);
  std::string letters;
  for (int i = 0; i < count; ++i) letters += kLetters[index(random)];
  return letters;
}

// What a headers exchange matches on.
void AddHeaders(uint32_t queue, uint32_t number,
                google::protobuf::Map<std::string, v1::Value>* table) {
  (*table)["queue"].set_int64_value(queue);
  (*table)["number"].set_int64_value(number);
}

}  // namespace

LoadTopology::LoadTopology(const LoadOptions& options)
    : options_(options),
      fans_out_(options.exchange_type == "fanout"),
      load_id_(std::random_device()()) {
  if (is_shared()) {
    keys_.push_back({options.use_queue, "", 0});
    return;
  }
  queue_prefix_ = absl::StrCat("kelpmq-perf-", RandomLetters(8), "-");
  const uint32_t keys = fans_out_ ? 1 : binding_count();
  for (uint32_t i = 0; i < keys; ++i) {
    Key key;
    key.queue = i % options.queues;
    const uint32_t number = i / options.queues;
    key.routing_key = absl::StrCat(key.queue, ".", number);
    if (options.exchange_type == "headers") {
      v1::Message message;
      AddHeaders(key.queue, number, message.mutable_headers());
      key.headers = message.SerializeAsString();
    }
    keys_.push_back(std::move(key));
  }
}

uint32_t LoadTopology::binding_count() const {
  return std::max(options_.bindings, options_.queues);
}

std::string LoadTopology::queue(uint32_t index) const {
  return is_shared() ? options_.use_queue : absl::StrCat(queue_prefix_, index);
}

absl::Status LoadTopology::DeclareExchange(Connection* connection) {
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    exchange_ = absl::StrCat("p", RandomLetters(3));
    v1::DeclareExchangeRequest request;
    request.set_vhost(connection->vhost());
    request.set_name(exchange_);
    request.set_type(options_.exchange_type);
    request.set_durable(options_.durable);
    v1::DeclareExchangeResponse response;
    const absl::Status status = connection->Call(
        connection->topology(), &v1::TopologyService::Stub::DeclareExchange,
        request, &response);
    if (status.ok() && response.created()) return absl::OkStatus();
    const bool taken =
        status.ok() || ReasonOf(status) == "INEQUIVALENT_ARGUMENT";
    if (!taken) return status;
  }
  return MakeFailure(ExitCode::kFailed, "no name for an exchange is free");
}

std::string LoadTopology::BindRequest(const std::string& vhost,
                                      uint32_t binding) const {
  const uint32_t index = binding % options_.queues;
  const uint32_t number = binding / options_.queues;
  v1::BindQueueRequest request;
  request.set_vhost(vhost);
  request.set_queue(queue(index));
  request.set_exchange(exchange_);
  request.set_routing_key(absl::StrCat(index, ".", number));
  if (options_.exchange_type == "topic") {
    // A real pattern: the key and whatever words follow.
    request.set_routing_key(absl::StrCat(request.routing_key(), ".#"));
  } else if (options_.exchange_type == "headers") {
    AddHeaders(index, number, request.mutable_arguments());
    (*request.mutable_arguments())["x-match"].set_string_value("all");
  }
  return request.SerializeAsString();
}

absl::Status LoadTopology::Declare(Connection* connection, CallLoop* loop) {
  if (is_shared()) return absl::OkStatus();
  if (absl::Status status = DeclareExchange(connection); !status.ok()) {
    return status;
  }
  absl::Status status = CallMany(
      loop, connection->channel(), "/kelpmq.v1.TopologyService/DeclareQueue",
      options_.queues, connection->timeout(), [&](size_t i) {
        v1::DeclareQueueRequest request;
        request.set_vhost(connection->vhost());
        request.set_name(queue(static_cast<uint32_t>(i)));
        request.set_durable(options_.durable);
        return request.SerializeAsString();
      });
  if (!status.ok()) return status;
  return CallMany(
      loop, connection->channel(), "/kelpmq.v1.TopologyService/BindQueue",
      binding_count(), connection->timeout(), [&](size_t i) {
        return BindRequest(connection->vhost(), static_cast<uint32_t>(i));
      });
}

absl::Status LoadTopology::Delete(Connection* connection, CallLoop* loop) {
  if (is_shared()) return absl::OkStatus();
  // The bindings go with the exchange, which is faster than one by one.
  absl::Status status = CallMany(loop, connection->channel(),
                                 "/kelpmq.v1.TopologyService/DeleteExchange", 1,
                                 connection->timeout(), [&](size_t) {
                                   v1::DeleteExchangeRequest request;
                                   request.set_vhost(connection->vhost());
                                   request.set_name(exchange_);
                                   return request.SerializeAsString();
                                 });
  status.Update(CallMany(loop, connection->channel(),
                         "/kelpmq.v1.TopologyService/DeleteQueue",
                         options_.queues, connection->timeout(), [&](size_t i) {
                           v1::DeleteQueueRequest request;
                           request.set_vhost(connection->vhost());
                           request.set_name(queue(static_cast<uint32_t>(i)));
                           return request.SerializeAsString();
                         }));
  return status;
}

}  // namespace kelpmq::service::cli::perf
