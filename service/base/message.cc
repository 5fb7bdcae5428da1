#include "service/base/message.h"

#include <cstring>
#include <new>

#include "service/base/varint.h"

namespace kelpmq::service {
namespace {

// kelpmq.v1.Delivery, wire type 2 (length-delimited).
constexpr char kMessageKey = (2 << 3) | 2;
constexpr char kRoutingKeyKey = (3 << 3) | 2;
constexpr char kExchangeKey = (4 << 3) | 2;

// Empty strings are absent in proto3.
size_t StringFieldSize(size_t size) {
  return size == 0 ? 0 : 1 + VarintSize(size) + size;
}

char* AppendField(char* out, char key, absl::string_view bytes) {
  *out++ = key;
  out = WriteVarint(out, bytes.size());
  std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

}  // namespace

MessageRef Message::Create(absl::string_view exchange,
                           absl::string_view routing_key,
                           absl::string_view encoded,
                           const MessageFacts& facts) {
  // The message field is written even when it is empty: a delivery always has
  // a message.
  const size_t wire_size = 1 + VarintSize(encoded.size()) + encoded.size() +
                           StringFieldSize(routing_key.size()) +
                           StringFieldSize(exchange.size());
  void* memory = ::operator new(sizeof(Message) + wire_size);
  auto* message = new (memory) Message(facts);
  message->wire_size_ = static_cast<uint32_t>(wire_size);
  message->encoded_size_ = static_cast<uint32_t>(encoded.size());
  message->encoded_offset_ =
      static_cast<uint32_t>(1 + VarintSize(encoded.size()));
  message->routing_key_size_ = static_cast<uint8_t>(routing_key.size());
  message->exchange_size_ = static_cast<uint8_t>(exchange.size());
  char* out = reinterpret_cast<char*>(message + 1);
  out = AppendField(out, kMessageKey, encoded);
  if (!routing_key.empty()) out = AppendField(out, kRoutingKeyKey, routing_key);
  if (!exchange.empty()) out = AppendField(out, kExchangeKey, exchange);
  return MessageRef(message);
}

absl::string_view Message::encoded() const {
  return {data() + encoded_offset_, encoded_size_};
}

absl::string_view Message::routing_key() const {
  return {data() + wire_size_ - StringFieldSize(exchange_size_) -
              routing_key_size_,
          routing_key_size_};
}

absl::string_view Message::exchange() const {
  return {data() + wire_size_ - exchange_size_, exchange_size_};
}

void MessageRef::Release() {
  if (message_ == nullptr) return;
  if (message_->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    const Message* message = std::exchange(message_, nullptr);
    message->~Message();
    ::operator delete(const_cast<Message*>(message));
  }
}

}  // namespace kelpmq::service
