#ifndef KELPMQ_SERVICE_RPC_BARRIER_H_
#define KELPMQ_SERVICE_RPC_BARRIER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace kelpmq::service {

// Operations of one stream that have begun and not yet ended, and the pings
// among them: a ping is answered once all that began before it has ended.
// Thread-safety: thread-compatible.
class Barrier {
 public:
  using Ticket = uint64_t;

  Ticket Begin() {
    steps_.push_back({false, false, 0});
    return first_ + steps_.size() - 1;
  }
  // Returns the pings that may be answered now, in order.
  std::vector<uint64_t> End(Ticket ticket) {
    steps_[ticket - first_].ended = true;
    return Advance();
  }
  std::vector<uint64_t> Ping(uint64_t request_id) {
    steps_.push_back({true, true, request_id});
    return Advance();
  }
  // Nothing has begun that has not ended.
  bool empty() const { return steps_.empty(); }
  size_t size() const { return steps_.size(); }

 private:
  struct Step {
    bool ended;
    bool is_ping;
    uint64_t request_id;
  };

  std::vector<uint64_t> Advance() {
    std::vector<uint64_t> pings;
    while (!steps_.empty() && steps_.front().ended) {
      if (steps_.front().is_ping) pings.push_back(steps_.front().request_id);
      steps_.pop_front();
      ++first_;
    }
    return pings;
  }

  Ticket first_ = 0;  // of steps_.front()
  std::deque<Step> steps_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_BARRIER_H_
