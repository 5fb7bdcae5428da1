#ifndef KELPMQ_SERVICE_RPC_CONFIRMS_H_
#define KELPMQ_SERVICE_RPC_CONFIRMS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "kelpmq/v1/messaging.pb.h"
#include "service/engine/engine.h"

namespace kelpmq::service {

// What a PublishStream has to tell its client: confirms and failures that
// gather while a response is being written, then go out as one.
// Thread-safety: thread-compatible. Owned by one PublishStream.
class Confirms {
 public:
  // One request that has been dealt with.
  struct Entry {
    uint64_t sequence = 0;
    uint32_t unrouted_count = 0;
    std::vector<PublishFailure> failures;  // by index
    // What the request weighs in the stream's window.
    uint32_t items = 0;
    size_t bytes = 0;
  };

  explicit Confirms(v1::ConfirmMode mode = v1::CONFIRM_MODE_UNSPECIFIED)
      : mode_(mode) {}
  void set_mode(v1::ConfirmMode mode) { mode_ = mode; }

  void Add(Entry entry);

  bool empty() const { return entries_.empty(); }

  // What a response took off the window.
  struct Weight {
    uint32_t items = 0;
    size_t bytes = 0;
  };
  // Moves as much as fits one response into `response`; a sequence never comes
  // before its failures. False: the mode has nothing of it said, and what is
  // counted waits for the next response.
  bool Fill(v1::PublishStreamResponse* response, Weight* weight);

 private:
  v1::ConfirmMode mode_;
  uint32_t unrouted_count_ = 0;  // since the last response
  std::deque<Entry> entries_;
};

// The failure of one item as the API has it.
v1::PublishFailure ToProto(uint64_t sequence, const PublishFailure& failure);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_CONFIRMS_H_
