#ifndef KELPMQ_DELIVERY_H_
#define KELPMQ_DELIVERY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "kelpmq/v1/messaging.pb.h"

namespace kelpmq {

// What becomes of a message that was not dealt with.
enum class Requeue {
  kYes,  // back to its old place in the queue
  kNo,   // to the queue's dead-letter exchange, if it has one; else dropped
};

// Takes deliveries back. Implemented by the library; by a mock in tests.
// Thread-safety: implementations are thread-safe.
class Settler {
 public:
  virtual ~Settler() = default;
  virtual absl::Status Settle(uint64_t delivery_tag,
                              v1::SettleAction action) = 0;
  // For a delivery that was dropped unsettled: nobody can be told of an error.
  virtual void Abandon(uint64_t delivery_tag) = 0;
};

// A message that this program has to settle, once: Ack and Nack use it up.
//
//   [](kelpmq::Delivery delivery) {
//     Work(delivery.body());
//     std::move(delivery).Ack().IgnoreError();  // lost: it comes again
//   }
//
// One that is destroyed unsettled is requeued, so an early return loses no
// message; it comes again at once, if there is nobody else who wants it.
// Deliveries of auto_ack consumers are settled already.
// Thread-safety: thread-compatible; may be moved to, and settled on, any
// thread.
class Delivery {
 public:
  // `settler` may be null: settled already.
  Delivery(v1::Delivery delivery, std::shared_ptr<Settler> settler)
      : delivery_(std::move(delivery)), settler_(std::move(settler)) {}
  ~Delivery() { Abandon(); }
  Delivery(Delivery&& other) noexcept
      : delivery_(std::move(other.delivery_)),
        settler_(std::exchange(other.settler_, nullptr)) {}
  Delivery& operator=(Delivery&& other) noexcept {
    if (this != &other) {
      Abandon();
      delivery_ = std::move(other.delivery_);
      settler_ = std::exchange(other.settler_, nullptr);
    }
    return *this;
  }

  // The broker may forget the message.
  //   Consumers: does not block; the answer is on its way when this returns.
  //   From Get: waits for the broker's reply.
  //   Errors: kFailedPrecondition kDeliveryLost if the stream that it came by
  //   is gone (the message comes again), LEASE_EXPIRED for one of Get.
  absl::Status Ack() && { return Settle(v1::SETTLE_ACTION_ACK); }
  // The message was not dealt with. As Ack.
  absl::Status Nack(Requeue requeue) && {
    return Settle(requeue == Requeue::kYes ? v1::SETTLE_ACTION_REQUEUE
                                           : v1::SETTLE_ACTION_DISCARD);
  }

  const v1::Message& message() const { return delivery_.message(); }
  v1::Message& mutable_message() { return *delivery_.mutable_message(); }
  const std::string& body() const { return delivery_.message().body(); }
  const std::string& exchange() const { return delivery_.exchange(); }
  const std::string& routing_key() const { return delivery_.routing_key(); }
  // Whether it was delivered before, and how often.
  bool redelivered() const { return delivery_.redelivered(); }
  uint32_t delivery_count() const { return delivery_.delivery_count(); }
  // Unique within one stream or one Get.
  uint64_t delivery_tag() const { return delivery_.delivery_tag(); }

 private:
  absl::Status Settle(v1::SettleAction action) {
    const std::shared_ptr<Settler> settler = std::exchange(settler_, nullptr);
    return settler == nullptr
               ? absl::OkStatus()
               : settler->Settle(delivery_.delivery_tag(), action);
  }
  void Abandon() {
    if (settler_ != nullptr) settler_->Abandon(delivery_.delivery_tag());
  }

  v1::Delivery delivery_;
  std::shared_ptr<Settler> settler_;
};

}  // namespace kelpmq

#endif  // KELPMQ_DELIVERY_H_
