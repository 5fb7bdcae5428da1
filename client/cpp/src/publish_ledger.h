#ifndef KELPMQ_CLIENT_CPP_SRC_PUBLISH_LEDGER_H_
#define KELPMQ_CLIENT_CPP_SRC_PUBLISH_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "kelpmq/publisher.h"
#include "kelpmq/v1/messaging.pb.h"

namespace kelpmq::client {

// What a publisher has taken over and not yet answered for: the rules of
// window, batches and confirms, with no threads, clock or I/O.
// Thread-safety: thread-compatible.
class PublishLedger {
 public:
  struct Limits {
    size_t window_messages;
    size_t window_bytes;
    size_t batch_messages;
    size_t batch_bytes;
    bool resend;  // what has lost its confirm is sent again
  };

  // A message that is to be answered for.
  struct Entry {
    ConfirmCallback done;
    // Kept if it may have to be given back.
    std::unique_ptr<Publication> returnable;
  };
  // How one ended. To be told outside of every lock.
  struct Outcome {
    Entry entry;
    absl::Status status;
  };
  using Outcomes = std::vector<Outcome>;

  explicit PublishLedger(const Limits& limits) : limits_(limits) {}

  // Whether the window takes a message of that size. One that is larger than
  // the window goes alone.
  bool HasRoom(size_t bytes) const;
  // `encoded`: a PublishStreamRequest that has the one item.
  void Add(std::string encoded, Entry entry);

  // What to send next as one request, if anything: encoded items. The requests
  // of a stream number themselves from 1.
  //
  // With a few small requests on their way messages gather until one of them
  // is confirmed: a request costs fifty times what a message costs.
  std::optional<std::string> TakeBatch();

  Outcomes OnResponse(const v1::PublishStreamResponse& response);
  // The stream is gone: what was sent and not confirmed is lost, or goes back
  // to the front, as the limits say. The next request is the first of another.
  Outcomes OnStreamLost();
  // Gives everything up: what was not sent ends with `unsent`, what was is
  // lost.
  Outcomes GiveUp(const absl::Status& unsent);

  bool empty() const { return messages_ == 0; }
  bool has_unsent() const { return !unsent_.empty(); }

 private:
  struct Batch {
    std::string encoded;
    size_t bytes = 0;
    std::vector<Entry> entries;
    std::vector<std::pair<uint32_t, absl::Status>> failures;  // by index
    bool confirmed = false;
  };

  void Forget(const Batch& batch);
  void Confirm(Batch* batch, Outcomes* outcomes);
  void EndAll(std::deque<Batch>* batches, const absl::Status& status,
              Outcomes* outcomes);

  const Limits limits_;
  size_t messages_ = 0;  // unconfirmed, unsent ones included
  size_t bytes_ = 0;
  std::deque<Batch> unsent_;  // all but the last are full
  std::deque<Batch> sent_;    // in order of their sequence
  uint64_t first_sent_ = 1;   // the sequence of sent_.front()
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_PUBLISH_LEDGER_H_
