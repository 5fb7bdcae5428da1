#include "service/base/message.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "service/base/varint.h"

namespace kelpmq::service {

static_assert(sizeof(Message) == 20, "a queue may hold millions of them");

namespace {

// kelpmq.v1.Delivery, wire type 2 (length-delimited).
constexpr char kMessageKey = (2 << 3) | 2;
constexpr char kRoutingKeyKey = (3 << 3) | 2;
constexpr char kExchangeKey = (4 << 3) | 2;

// Empty strings are absent in proto3.
size_t StringFieldSize(size_t size) {
  return size == 0 ? 0 : 1 + VarintSize(size) + size;
}

// Messages in a block follow each other at this distance or a multiple.
size_t RoundUp(size_t size) {
  constexpr size_t kStep = 4;
  return (size + kStep - 1) / kStep * kStep;
}

// Names that a request gives once for all its items are the same bytes.
bool IsSame(absl::string_view a, absl::string_view b) {
  return (a.data() == b.data() && a.size() == b.size()) || a == b;
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
                           absl::string_view encoded, const MessageFacts& facts,
                           absl::string_view hidden_header) {
  return MessagePacker().Add(exchange, routing_key, encoded, facts, /*more=*/0,
                             hidden_header);
}

MessageFacts Message::facts() const {
  MessageFacts facts;
  static_cast<MessageMarks&>(facts) = marks_;
  if (marks_.has_expiration) {
    std::memcpy(&facts.expiration_ms, this + 1, sizeof(facts.expiration_ms));
  }
  return facts;
}

absl::string_view Message::encoded() const {
  uint64_t size = 0;
  const char* const start = ReadVarint(data() + 1, data() + wire_size_, &size);
  return {start, size};
}

absl::string_view Message::hidden_header() const {
  if (marks_.bcc != MessageMarks::Bcc::kHidden) return "";
  const char* const at = data() + wire_size_;
  uint64_t size = 0;
  const char* const start = ReadVarint(at, at + kMaxVarintSize, &size);
  return {start, size};
}

absl::string_view Message::routing_key() const {
  return {
      data() + wire_size_ - StringFieldSize(exchange_size_) - routing_key_size_,
      routing_key_size_};
}

absl::string_view Message::exchange() const {
  return {data() + wire_size_ - exchange_size_, exchange_size_};
}

MessageRef MessagePacker::Add(absl::string_view exchange,
                              absl::string_view routing_key,
                              absl::string_view encoded,
                              const MessageFacts& facts, size_t more,
                              absl::string_view hidden_header) {
  // The message field is written even when it is empty: a delivery always has
  // a message.
  const size_t wire_size = 1 + VarintSize(encoded.size()) + encoded.size() +
                           StringFieldSize(routing_key.size()) +
                           StringFieldSize(exchange.size());
  const bool hides = facts.bcc == MessageMarks::Bcc::kHidden;
  const size_t size = RoundUp(
      sizeof(Message) + wire_size +
      (facts.has_expiration ? sizeof(facts.expiration_ms) : 0) +
      (hides ? VarintSize(hidden_header.size()) + hidden_header.size() : 0));
  const bool goes_along = block_ != nullptr && capacity_ - used_ >= size &&
                          IsSame(last_routing_key_, routing_key) &&
                          IsSame(last_exchange_, exchange);
  if (!goes_along) {
    CloseBlock();
    const size_t room = std::max(kMaxBlockBytes - sizeof(Message::Block), size);
    OpenBlock(sizeof(Message::Block) + std::min(more + 1, room / size) * size);
  }
  char* const at = reinterpret_cast<char*>(block_) + used_;
  auto* const message = new (at) Message(facts);
  message->wire_size_ = static_cast<uint32_t>(wire_size);
  message->block_offset_ = static_cast<uint16_t>(used_);
  message->routing_key_size_ = static_cast<uint8_t>(routing_key.size());
  message->exchange_size_ = static_cast<uint8_t>(exchange.size());
  if (facts.has_expiration) {
    std::memcpy(at + sizeof(Message), &facts.expiration_ms,
                sizeof(facts.expiration_ms));
  }
  char* out = const_cast<char*>(message->data());
  out = AppendField(out, kMessageKey, encoded);
  if (!routing_key.empty()) out = AppendField(out, kRoutingKeyKey, routing_key);
  if (!exchange.empty()) out = AppendField(out, kExchangeKey, exchange);
  if (hides) {
    out = WriteVarint(out, hidden_header.size());
    std::memcpy(out, hidden_header.data(), hidden_header.size());
  }
  used_ += size;
  last_exchange_ = exchange;
  last_routing_key_ = routing_key;
  // No other thread knows of the block yet.
  block_->refs.store(block_->refs.load(std::memory_order_relaxed) + 1,
                     std::memory_order_relaxed);
  return MessageRef(message);
}

void MessagePacker::OpenBlock(size_t bytes) {
  block_ = new (::operator new(bytes)) Message::Block{{1}};
  used_ = sizeof(Message::Block);
  capacity_ = bytes;
}

void MessagePacker::CloseBlock() {
  if (block_ == nullptr) return;
  if (block_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    ::operator delete(block_);
  }
  block_ = nullptr;
}

}  // namespace kelpmq::service
