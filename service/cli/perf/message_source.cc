#include "service/cli/perf/message_source.h"

#include <grpcpp/support/slice.h>

#include <cstring>

#include "absl/strings/string_view.h"
#include "service/base/varint.h"
#include "service/cli/perf/stamp.h"

namespace kelpmq::service::cli::perf {
namespace {

// Numbers of messaging.proto and types.proto.
constexpr uint32_t kRequestVhost = 1;
constexpr uint32_t kRequestExchange = 2;
constexpr uint32_t kRequestRoutingKey = 3;
constexpr uint32_t kRequestMessage = 4;  // PublishRequest
constexpr uint32_t kRequestItems = 4;    // PublishStreamRequest
constexpr uint32_t kItemMessage = 1;
constexpr uint32_t kMessageBody = 1;
constexpr uint32_t kMessageDeliveryMode = 5;
constexpr uint64_t kPersistent = 2;

constexpr uint32_t kVarint = 0;
constexpr uint32_t kLengthDelimited = 2;

void AppendVarint(uint64_t value, std::string* out) {
  char bytes[kMaxVarintSize];
  out->append(bytes, WriteVarint(bytes, value));
}

// The start of a length-delimited field, up to its `size` bytes.
std::string FieldHead(uint32_t number, size_t size) {
  std::string head;
  AppendVarint(number << 3 | kLengthDelimited, &head);
  AppendVarint(size, &head);
  return head;
}

std::string StringField(uint32_t number, absl::string_view text) {
  if (text.empty()) return "";
  return FieldHead(number, text.size()).append(text.data(), text.size());
}

}  // namespace

MessageSource::MessageSource(uint16_t producer, const LoadOptions& options,
                             const std::string& vhost,
                             const LoadTopology* topology)
    : producer_(producer),
      body_(options.size, '\0'),
      // So that producers do not walk the keys in step.
      next_template_(producer % topology->keys().size()),
      sent_(options.queues) {
  FillBody(body_.data(), body_.size());
  std::string properties;
  if (options.durable) {
    AppendVarint(kMessageDeliveryMode << 3 | kVarint, &properties);
    AppendVarint(kPersistent, &properties);
  }
  for (const LoadTopology::Key& key : topology->keys()) {
    Template parts;
    parts.queue = key.queue;
    parts.meant_for = topology->meant_for(key.queue);
    parts.request = StringField(kRequestVhost, vhost) +
                    StringField(kRequestExchange, topology->exchange()) +
                    StringField(kRequestRoutingKey, key.routing_key);
    const std::string before_body =
        key.headers + properties + FieldHead(kMessageBody, body_.size());
    const size_t message_size = before_body.size() + body_.size();
    parts.message = FieldHead(kRequestMessage, message_size) + before_body;
    const std::string in_item =
        FieldHead(kItemMessage, message_size) + before_body;
    parts.item =
        FieldHead(kRequestItems, in_item.size() + body_.size()) + in_item;
    templates_.push_back(std::move(parts));
  }
}

const MessageSource::Template& MessageSource::NextTemplate() {
  const Template& parts = templates_[next_template_];
  if (++next_template_ == templates_.size()) next_template_ = 0;
  return parts;
}

grpc::ByteBuffer MessageSource::NextBatch(uint32_t count, int64_t sent_ns) {
  const Template& parts = NextTemplate();
  return Encode(parts, parts.item, count, sent_ns);
}

grpc::ByteBuffer MessageSource::NextMessage(int64_t sent_ns) {
  const Template& parts = NextTemplate();
  return Encode(parts, parts.message, 1, sent_ns);
}

grpc::ByteBuffer MessageSource::Encode(const Template& parts,
                                       const std::string& item, uint32_t count,
                                       int64_t sent_ns) {
  const size_t size =
      parts.request.size() + count * (item.size() + body_.size());
  grpc_slice slice = grpc_slice_malloc(size);
  char* out = reinterpret_cast<char*>(GRPC_SLICE_START_PTR(slice));
  std::memcpy(out, parts.request.data(), parts.request.size());
  out += parts.request.size();
  Stamp stamp;
  stamp.producer = producer_;
  stamp.sent_ns = sent_ns;
  for (uint32_t i = 0; i < count; ++i) {
    std::memcpy(out, item.data(), item.size());
    out += item.size();
    std::memcpy(out, body_.data(), body_.size());
    stamp.sequence = sent_[parts.queue]++;
    WriteStamp(stamp, parts.meant_for, out, body_.size());
    out += body_.size();
  }
  const grpc::Slice owned(slice, grpc::Slice::STEAL_REF);
  return grpc::ByteBuffer(&owned, 1);
}

}  // namespace kelpmq::service::cli::perf
