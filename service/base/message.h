#ifndef KELPMQ_SERVICE_BASE_MESSAGE_H_
#define KELPMQ_SERVICE_BASE_MESSAGE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/string_view.h"

namespace kelpmq::service {

// What routing and queueing must know of a message; the rest of it stays
// encoded. message_wire.h reads it off the publisher's bytes.
struct MessageFacts {
  uint8_t priority = 0;            // 0: none given
  bool persistent = false;         // delivery_mode 2
  bool has_headers = false;
  bool has_sender_keys = false;    // a CC or BCC header: further routing keys
  bool has_bcc = false;            // a BCC header, which is not delivered
  bool has_delay = false;          // an x-delay header
  bool has_expiration = false;
  // x-death and its kin are our own record of its deaths, not a client's.
  bool dead_lettered = false;
  uint64_t expiration_ms = 0;      // with has_expiration
  uint32_t payload_bytes = 0;      // the body alone: what length limits count
};

class MessageRef;

// A published message, shared by all the queues that hold it; never changed.
//
// The publisher's bytes are kept once, in one allocation with their envelope,
// and already in the form in which deliveries carry them: the fields `message`
// (2), `routing_key` (3) and `exchange` (4) of kelpmq.v1.Delivery. A delivery
// therefore costs one copy of wire() and no encoding.
//
// Thread-safety: immutable, so thread-safe. Owned through MessageRef.
class Message {
 public:
  // Copies everything. `encoded` is a valid encoded kelpmq.v1.Message;
  // `routing_key` and `exchange` are valid UTF-8 of at most 255 bytes.
  static MessageRef Create(absl::string_view exchange,
                           absl::string_view routing_key,
                           absl::string_view encoded,
                           const MessageFacts& facts);

  absl::string_view exchange() const;
  absl::string_view routing_key() const;
  // The kelpmq.v1.Message as the publisher encoded it.
  absl::string_view encoded() const;
  // Fields 2, 3 and 4 of a kelpmq.v1.Delivery, encoded.
  absl::string_view wire() const { return {data(), wire_size_}; }

  const MessageFacts& facts() const { return facts_; }
  // What this message takes in memory, to the allocator's rounding.
  size_t allocated_bytes() const { return sizeof(Message) + wire_size_; }

 private:
  friend class MessageRef;

  explicit Message(const MessageFacts& facts) : facts_(facts) {}
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }

  mutable std::atomic<uint32_t> refs_{1};
  uint32_t wire_size_ = 0;
  uint32_t encoded_offset_ = 0;
  uint32_t encoded_size_ = 0;
  uint8_t routing_key_size_ = 0;
  uint8_t exchange_size_ = 0;
  MessageFacts facts_;
};

// Shared ownership of a Message, at one word and one atomic count.
class MessageRef {
 public:
  MessageRef() = default;
  MessageRef(const MessageRef& other) : message_(other.message_) {
    if (message_ != nullptr) {
      message_->refs_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  MessageRef(MessageRef&& other) noexcept
      : message_(std::exchange(other.message_, nullptr)) {}
  MessageRef& operator=(MessageRef other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~MessageRef() { Release(); }

  // One more reference to a message that others hold.
  static MessageRef Share(const Message& message) {
    message.refs_.fetch_add(1, std::memory_order_relaxed);
    return MessageRef(&message);
  }

  const Message* operator->() const { return message_; }
  const Message& operator*() const { return *message_; }
  explicit operator bool() const { return message_ != nullptr; }

 private:
  friend class Message;
  // Takes over a count that the message has already.
  explicit MessageRef(const Message* message) : message_(message) {}
  void Release();

  const Message* message_ = nullptr;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_MESSAGE_H_
