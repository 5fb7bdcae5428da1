#ifndef KELPMQ_SERVICE_CLI_PERF_PUBLISHER_H_
#define KELPMQ_SERVICE_CLI_PERF_PUBLISHER_H_

#include <grpcpp/channel.h>

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/cli/perf/call_loop.h"
#include "service/cli/perf/client_stream.h"
#include "service/cli/perf/counters.h"
#include "service/cli/perf/load_options.h"
#include "service/cli/perf/message_source.h"
#include "service/cli/perf/pacer.h"

namespace kelpmq::service::cli::perf {

// One producer: publishes as long as it may and its window has room.
// Thread-safety: for the loop's thread.
class Publisher {
 public:
  virtual ~Publisher() = default;

  // Publishes `messages` more, at the pace of `pacer`.
  void Publish(uint64_t messages, Pacer pacer) {
    remaining_ = messages;
    pacer_ = pacer;
  }
  void Stop() { remaining_ = 0; }
  // All that was to be published is, and is confirmed.
  bool idle() const { return remaining_ == 0 && unconfirmed_ == 0; }
  // When to call Pump again, if nothing else happens before.
  int64_t NextDue() const {
    return remaining_ > 0 && pacer_.paced()
               ? pacer_.DueAt(0)
               : std::numeric_limits<int64_t>::max();
  }
  const MessageSource& source() const { return source_; }

  // Sends what is due and has room.
  virtual void Pump() = 0;
  // No more will be published: ends the stream.
  virtual void Close() = 0;
  virtual void Cancel() = 0;
  virtual bool over() const = 0;

 protected:
  Publisher(const LoadOptions& options, MessageSource source,
            Counters* counters)
      : options_(options), source_(std::move(source)), counters_(counters) {}

  // Whether `count` more may be sent now.
  bool MaySend(uint32_t count, int64_t now_ns) const {
    return count > 0 &&
           (unconfirmed_ == 0 ||
            unconfirmed_ + count <= options_.confirm_window) &&
           pacer_.DueAt(now_ns) <= now_ns;
  }

  // Counts a message that the broker refused. That ends the load, unless it is
  // what a bounded queue is for.
  void OnRefused(const absl::Status& status);

  const LoadOptions options_;
  MessageSource source_;
  Counters* const counters_;
  Pacer pacer_{0, 0};
  uint64_t remaining_ = 0;
  uint64_t unconfirmed_ = 0;
};

// Batches on a PublishStream.
class StreamPublisher : public Publisher, private ClientStream::Events {
 public:
  StreamPublisher(CallLoop* loop, std::shared_ptr<grpc::Channel> channel,
                  const LoadOptions& options, MessageSource source,
                  Counters* counters);

  void Pump() override;
  void Close() override { stream_.Close(); }
  void Cancel() override { stream_.Cancel(); }
  bool over() const override { return stream_.over(); }

 private:
  struct Sent {
    uint32_t count = 0;
    int64_t due_ns = 0;
    bool confirmed = false;
  };

  void OnRead(const grpc::ByteBuffer& message) override;
  void OnWritable() override { Pump(); }
  void OnOver(const absl::Status& status) override;
  void OnConfirmed(uint64_t first, uint64_t last, int64_t now_ns);
  void OnFailure(absl::string_view encoded);

  ClientStream stream_;
  // Requests that are not confirmed, by sequence, from first_sequence_ on.
  std::deque<Sent> in_flight_;
  uint64_t first_sequence_ = 1;
};

// Calls of Publish, a window of them at a time.
class UnaryPublisher : public Publisher {
 public:
  UnaryPublisher(CallLoop* loop, std::shared_ptr<grpc::Channel> channel,
                 absl::Duration timeout, const LoadOptions& options,
                 MessageSource source, Counters* counters);

  void Pump() override;
  void Close() override {}
  void Cancel() override { Stop(); }
  bool over() const override { return unconfirmed_ == 0; }

 private:
  CallLoop* const loop_;
  const std::shared_ptr<grpc::Channel> channel_;
  const absl::Duration timeout_;
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_PUBLISHER_H_
