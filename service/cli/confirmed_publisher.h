#ifndef KELPMQ_SERVICE_CLI_CONFIRMED_PUBLISHER_H_
#define KELPMQ_SERVICE_CLI_CONFIRMED_PUBLISHER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "kelpmq/v1/messaging.grpc.pb.h"
#include "service/base/mutex.h"
#include "service/cli/connection.h"
#include "service/cli/output.h"
#include "service/cli/publish_input.h"

namespace kelpmq::service::cli {

// One message that the broker refused.
struct FailedMessage {
  uint64_t number = 0;  // as in InputMessage
  absl::Status status;
};

// How the messages of one stream fared.
struct PublishTotals {
  uint64_t sent = 0;
  uint64_t confirmed = 0;  // the broker has dealt with them, failures included
  uint64_t failed = 0;
  uint64_t unrouted = 0;  // taken, but no queue wanted them
  // The first failures, so that a thousand of a kind do not fill the screen.
  std::vector<FailedMessage> failures;
};

// Publishes batches over one PublishStream and keeps count of the confirms.
// At most a window of messages is unconfirmed: a fast reader of a large file
// waits for the broker instead of filling the memory.
// Thread-safety: for one thread; a thread of its own reads the confirms.
class ConfirmedPublisher {
 public:
  struct Options {
    std::string exchange;     // for messages that name none
    std::string routing_key;  // likewise
    bool mandatory = false;
  };

  // `connection` and `output` must outlive it.
  ConfirmedPublisher(Connection* connection, Output* output, Options options);
  // Cancels the stream if Finish was not called.
  ~ConfirmedPublisher();

  // Opens the stream.
  absl::Status Start();
  // Sends a batch, once the window has room for it.
  // Errors: the stream's end, which Finish explains.
  bool Send(std::vector<InputMessage> batch);
  // Waits for all confirms. The status is the stream's: failures of single
  // messages are in totals().
  absl::Status Finish();

  // Counts so far; final after Finish.
  PublishTotals totals();

 private:
  struct SentMessage {
    uint64_t number;
    std::string exchange;  // only if the message named one
  };
  struct Batch {
    std::vector<SentMessage> messages;
    size_t bytes = 0;
  };

  void ReadConfirms();
  void OnResponse(const v1::PublishStreamResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnFailure(const v1::PublishFailure& failure)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnConfirmed(uint64_t sequence) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Connection* const connection_;
  Output* const output_;
  const Options options_;

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::PublishStreamRequest,
                                           v1::PublishStreamResponse>>
      stream_;
  std::thread reader_;
  uint64_t next_sequence_ = 1;

  Mutex mu_;
  CondVar changed_;
  // Batches that were sent and not confirmed, by sequence.
  std::map<uint64_t, Batch> unconfirmed_ ABSL_GUARDED_BY(mu_);
  uint64_t unconfirmed_messages_ ABSL_GUARDED_BY(mu_) = 0;
  size_t unconfirmed_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  PublishTotals totals_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;  // no confirm will come any more
};

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_CONFIRMED_PUBLISHER_H_
