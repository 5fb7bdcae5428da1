#ifndef KELPMQ_SERVICE_BASE_MESSAGE_H_
#define KELPMQ_SERVICE_BASE_MESSAGE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "absl/strings/string_view.h"

namespace kelpmq::service {

// What routing and queueing must know of a message; the rest of it stays
// encoded. message_wire.h reads it off the publisher's bytes.
struct MessageMarks {
  // A BCC header: further routing keys, which nobody is to see (CC-02).
  enum class Bcc : uint8_t {
    kNone,
    kHeader,  // among the headers, as the publisher put it there
    kHidden,  // kept beside them: hidden_header()
  };

  uint32_t payload_bytes = 0;  // the body alone: what length limits count
  uint8_t priority = 0;        // 0: none given
  bool persistent = false;     // delivery_mode 2
  bool has_headers = false;
  bool has_sender_keys = false;  // a CC or BCC header: further routing keys
  Bcc bcc = Bcc::kNone;
  bool has_delay = false;  // an x-delay header
  bool has_expiration = false;
  // x-death and its kin are our own record of its deaths, not a client's.
  bool dead_lettered = false;
};
struct MessageFacts : MessageMarks {
  uint64_t expiration_ms = 0;  // with has_expiration
  bool has_user_id = false;    // perhaps an empty one
};

class MessageRef;

// A published message, shared by all the queues that hold it; never changed.
//
// The publisher's bytes are kept once, together with their envelope, and
// already in the form in which deliveries carry them: the fields `message` (2),
// `routing_key` (3) and `exchange` (4) of kelpmq.v1.Delivery. A delivery
// therefore costs one copy of wire() and no encoding.
//
// In memory a message is this header of 20 bytes and its wire form behind it,
// in a block that it may share with its neighbours (MessagePacker). A header
// that is not delivered follows the wire form.
//
// Thread-safety: immutable, so thread-safe. Owned through MessageRef.
class Message {
 public:
  // Copies everything. `encoded` is a valid encoded kelpmq.v1.Message;
  // `routing_key` and `exchange` are valid UTF-8 of at most 255 bytes.
  //   hidden_header: if `facts` say that BCC is hidden, that header, as a field
  //   of a kelpmq.v1.Message.
  static MessageRef Create(absl::string_view exchange,
                           absl::string_view routing_key,
                           absl::string_view encoded, const MessageFacts& facts,
                           absl::string_view hidden_header = "");

  absl::string_view exchange() const;
  absl::string_view routing_key() const;
  // The kelpmq.v1.Message as the publisher encoded it.
  absl::string_view encoded() const;
  // Fields 2, 3 and 4 of a kelpmq.v1.Delivery, encoded.
  absl::string_view wire() const { return {data(), wire_size_}; }

  // The BCC header as an encoded kelpmq.v1.Message of nothing else; empty
  // unless it is hidden.
  absl::string_view hidden_header() const;

  const MessageMarks& marks() const { return marks_; }
  MessageFacts facts() const;

 private:
  friend class MessagePacker;
  friend class MessageRef;

  // What an allocation begins with: how many references there are to all the
  // messages in it.
  struct Block {
    std::atomic<uint32_t> refs;
  };

  explicit Message(const MessageMarks& marks) : marks_(marks) {}
  // An expiration, which few messages have, stands before the wire form.
  const char* data() const {
    return reinterpret_cast<const char*>(this + 1) +
           (marks_.has_expiration ? sizeof(uint64_t) : 0);
  }
  Block& block() const {
    return *reinterpret_cast<Block*>(
        const_cast<char*>(reinterpret_cast<const char*>(this)) - block_offset_);
  }

  MessageMarks marks_;
  uint32_t wire_size_ = 0;
  uint16_t block_offset_ = 0;  // of this message, in its block
  uint8_t routing_key_size_ = 0;
  uint8_t exchange_size_ = 0;
};

// Shared ownership of a Message, at one word and one atomic count.
class MessageRef {
 public:
  MessageRef() = default;
  MessageRef(const MessageRef& other) : message_(other.message_) {
    if (message_ != nullptr) {
      message_->block().refs.fetch_add(1, std::memory_order_relaxed);
    }
  }
  MessageRef(MessageRef&& other) noexcept
      : message_(std::exchange(other.message_, nullptr)) {}
  MessageRef& operator=(MessageRef other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~MessageRef() {
    if (message_ != nullptr) Release();
  }

  // One more reference to a message that others hold.
  static MessageRef Share(const Message& message) {
    message.block().refs.fetch_add(1, std::memory_order_relaxed);
    return MessageRef(&message);
  }

  const Message* operator->() const { return message_; }
  const Message& operator*() const { return *message_; }
  explicit operator bool() const { return message_ != nullptr; }

 private:
  friend class MessagePacker;
  // Takes over a reference that is counted.
  explicit MessageRef(const Message* message) : message_(message) {}
  void Release() {
    if (message_ == nullptr) return;
    Message::Block& block = message_->block();
    if (block.refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      ::operator delete(&block);
    }
  }

  const Message* message_ = nullptr;
};

// Makes the messages of one request. Small ones that come one after the other
// and go the same way share an allocation: to make and to free one costs more
// than to copy a small message, and takes 16 bytes besides.
//
// A block is freed with the last of its messages, so it is small, and holds
// only messages with the same exchange and key, which mostly leave together:
// one that stays behind keeps at most kMaxBlockBytes.
// Thread-safety: thread-compatible. For one request.
class MessagePacker {
 public:
  static constexpr size_t kMaxBlockBytes = 2048;

  MessagePacker() = default;
  MessagePacker(const MessagePacker&) = delete;
  MessagePacker& operator=(const MessagePacker&) = delete;
  ~MessagePacker() { CloseBlock(); }

  // As Message::Create. The names must stay until the next Add.
  //   more: messages of about this size that may follow; makes room for them.
  MessageRef Add(absl::string_view exchange, absl::string_view routing_key,
                 absl::string_view encoded, const MessageFacts& facts,
                 size_t more, absl::string_view hidden_header = "");

 private:
  void OpenBlock(size_t bytes);
  void CloseBlock();

  Message::Block* block_ = nullptr;  // the packer has a reference of its own
  size_t used_ = 0;
  size_t capacity_ = 0;
  // Of the message added last; the views are the caller's.
  absl::string_view last_exchange_;
  absl::string_view last_routing_key_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_MESSAGE_H_
