#ifndef KELPMQ_CLIENT_CPP_SRC_STREAM_PUBLISHER_H_
#define KELPMQ_CLIENT_CPP_SRC_STREAM_PUBLISHER_H_

#include <memory>
#include <optional>
#include <string>

#include "client/cpp/src/client_core.h"
#include "client/cpp/src/publish_ledger.h"
#include "client/cpp/src/stream_call.h"
#include "kelpmq/publisher.h"
#include "service/base/mutex.h"

namespace kelpmq::client {

// A publisher's stream, and the next one when it breaks, around a
// PublishLedger. Callers write when nobody does; while a write is under way
// messages gather, and the polling thread writes them when it is done.
//
// Thread-safety: thread-safe; StreamCall::Events on the polling thread. Owned
// by the StreamPublisher and by the stream under way.
class PublishStream final : public StreamCall::Events,
                            public std::enable_shared_from_this<PublishStream> {
 public:
  PublishStream(std::shared_ptr<ClientCore> core, PublisherOptions options);

  // Opens a stream. On the polling thread.
  void Open();
  // May wait, if told so, as long as there is no room.
  enum class WhenFull { kFail, kWait };
  absl::Status Publish(Publication& publication, ConfirmCallback& done,
                       WhenFull when_full);
  absl::Status Flush(absl::Duration timeout);
  void Close();

  void OnWritable() override;
  bool OnRead(const grpc::ByteBuffer& message) override;
  void OnDone(const absl::Status& status) override;

 private:
  // What goes out next, if anything: a batch, or without one the half-close.
  struct Outgoing {
    std::shared_ptr<StreamCall> stream;  // null: nothing
    std::optional<std::string> batch;
  };
  Outgoing NextOutgoing() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void Send(Outgoing outgoing);
  void Pump();
  // Waits for room for `bytes`; OK once there is.
  absl::Status AwaitRoom(size_t bytes, WhenFull when_full)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tell(PublishLedger::Outcomes outcomes);
  void TellFlow(const v1::PublishStreamResponse& response);
  // No stream follows.
  void End(const absl::Status& status);

  const std::shared_ptr<ClientCore> core_;
  const PublisherOptions options_;

  service::Mutex mu_;
  service::CondVar changed_;
  PublishLedger ledger_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<StreamCall> stream_ ABSL_GUARDED_BY(mu_);
  uint64_t epoch_ ABSL_GUARDED_BY(mu_) = 0;  // in which stream_ was opened
  bool writable_ ABSL_GUARDED_BY(mu_) = false;
  bool first_write_ ABSL_GUARDED_BY(mu_) = true;
  bool telling_ ABSL_GUARDED_BY(mu_) = false;    // callbacks run
  bool closing_ ABSL_GUARDED_BY(mu_) = false;    // takes no more
  bool abandoned_ ABSL_GUARDED_BY(mu_) = false;  // waits for no more either
  bool over_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mu_);  // why it takes no more
};

// The Publisher that programs hold.
class StreamPublisher final : public Publisher {
 public:
  explicit StreamPublisher(std::shared_ptr<PublishStream> stream)
      : stream_(std::move(stream)) {}
  ~StreamPublisher() override { stream_->Close(); }

  absl::Status Publish(Publication publication, ConfirmCallback done) override {
    return stream_->Publish(publication, done, PublishStream::WhenFull::kWait);
  }
  absl::Status TryPublish(Publication& publication,
                          ConfirmCallback& done) override {
    return stream_->Publish(publication, done, PublishStream::WhenFull::kFail);
  }
  absl::Status Flush(absl::Duration timeout) override {
    return stream_->Flush(timeout);
  }
  void Close() override { stream_->Close(); }

 private:
  const std::shared_ptr<PublishStream> stream_;
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_STREAM_PUBLISHER_H_
