#ifndef KELPMQ_CLIENT_CPP_SRC_STREAM_CONSUMER_H_
#define KELPMQ_CLIENT_CPP_SRC_STREAM_CONSUMER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "client/cpp/src/client_core.h"
#include "client/cpp/src/settle_batch.h"
#include "client/cpp/src/stream_call.h"
#include "kelpmq/consumer.h"
#include "service/base/mutex.h"

namespace kelpmq::client {

// A consumer's stream, and the next one when it breaks.
//
// Thread-safety: thread-safe; StreamCall::Events on the polling thread. Owned
// by the StreamConsumer, by the stream under way, and by unsettled deliveries.
class ConsumeStream final : public StreamCall::Events,
                            public std::enable_shared_from_this<ConsumeStream> {
 public:
  ConsumeStream(std::shared_ptr<ClientCore> core, ConsumerOptions options,
                DeliveryHandler handler);

  // Opens a stream. On the polling thread.
  void Open();
  // Waits until the broker has started the consumer, or refused.
  absl::Status AwaitStarted();
  void Cancel();
  absl::Status Flush(absl::Duration timeout);
  void Close();
  absl::Status status() const;
  std::string queue() const;
  std::string consumer_tag() const;

  // `stream`: the number of the stream that the delivery came by.
  absl::Status Settle(uint64_t stream, uint64_t tag, v1::SettleAction action);

  void OnWritable() override;
  bool OnRead(const grpc::ByteBuffer& message) override;
  void OnDone(const absl::Status& status) override;

 private:
  // What goes out next, if the stream can take it.
  void Pump();
  bool NextRequest(v1::ConsumeRequest* request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void OnStarted(const v1::ConsumerStarted& started);
  void OnCancelled(const v1::ConsumerCancelled& cancelled);
  bool OnDeliveries(v1::DeliveryBatch* batch);
  void TellLost(const v1::TagRange& tags, const absl::Status& status);
  void Deliver(Delivery delivery);
  // Runs code of the program, unless the consumer was closed; Close waits.
  void Run(absl::AnyInvocable<void()> code);
  // No stream follows.
  void End(const absl::Status& status);

  const std::shared_ptr<ClientCore> core_;
  const ConsumerOptions options_;
  const DeliveryHandler handler_;

  mutable service::Mutex mu_;
  service::CondVar changed_;
  std::shared_ptr<StreamCall> stream_ ABSL_GUARDED_BY(mu_);
  uint64_t number_ ABSL_GUARDED_BY(mu_) = 0;  // of the stream
  uint64_t epoch_ ABSL_GUARDED_BY(mu_) = 0;   // in which it was opened
  std::shared_ptr<Settler> settler_ ABSL_GUARDED_BY(mu_);  // for the stream
  bool writable_ ABSL_GUARDED_BY(mu_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mu_) = false;  // it takes no more settles
  // The stream's first request, until it is sent.
  std::optional<v1::ConsumeRequest> start_ ABSL_GUARDED_BY(mu_);
  SettleBatch settles_ ABSL_GUARDED_BY(mu_);
  // Pings of Flush, by number: wanted, sent, answered.
  uint64_t ping_wanted_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t ping_sent_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t ping_answered_ ABSL_GUARDED_BY(mu_) = 0;

  enum class Wish { kConsume, kCancel, kCancelSent };
  Wish wish_ ABSL_GUARDED_BY(mu_) = Wish::kConsume;
  bool ever_started_ ABSL_GUARDED_BY(mu_) = false;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;  // no code of the program runs
  bool over_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);
  std::string queue_ ABSL_GUARDED_BY(mu_);
  std::string consumer_tag_ ABSL_GUARDED_BY(mu_);
  int running_ ABSL_GUARDED_BY(mu_) = 0;  // code of the program
  int queued_ ABSL_GUARDED_BY(mu_) = 0;   // with the executor
  bool paused_ ABSL_GUARDED_BY(mu_) = false;
};

// The Consumer that programs hold.
class StreamConsumer final : public Consumer {
 public:
  explicit StreamConsumer(std::shared_ptr<ConsumeStream> stream)
      : stream_(std::move(stream)) {}
  ~StreamConsumer() override { stream_->Close(); }

  void Cancel() override { stream_->Cancel(); }
  absl::Status Flush(absl::Duration timeout) override {
    return stream_->Flush(timeout);
  }
  absl::Status status() const override { return stream_->status(); }
  std::string queue() const override { return stream_->queue(); }
  std::string consumer_tag() const override { return stream_->consumer_tag(); }

 private:
  const std::shared_ptr<ConsumeStream> stream_;
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_STREAM_CONSUMER_H_
