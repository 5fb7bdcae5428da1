#include "service/rpc/confirms.h"

#include <utility>

#include "service/base/error.h"

namespace kelpmq::service {
namespace {

// A response with failures is cut here, far below any client's receive limit.
constexpr size_t kMaxFailuresPerResponse = 1000;

}  // namespace

v1::PublishFailure ToProto(uint64_t sequence, const PublishFailure& failure) {
  const ErrorInfo info = InfoOf(failure.error);
  v1::PublishFailure proto;
  proto.set_sequence(sequence);
  proto.set_index(failure.index);
  proto.set_code(static_cast<int>(failure.error.code()));
  proto.set_reason(std::string(info.reason_name));
  proto.set_message(std::string(failure.error.message()));
  proto.set_amqp_code(info.amqp_code);
  return proto;
}

void Confirms::Add(Entry entry) {
  if (mode_ == v1::CONFIRM_MODE_NONE) entry.failures.clear();
  entries_.push_back(std::move(entry));
}

bool Confirms::Fill(v1::PublishStreamResponse* response, Weight* weight) {
  size_t failures = 0;
  while (!entries_.empty() && failures < kMaxFailuresPerResponse) {
    Entry& entry = entries_.front();
    size_t taken = 0;
    while (taken < entry.failures.size() &&
           failures < kMaxFailuresPerResponse) {
      *response->add_failures() =
          ToProto(entry.sequence, entry.failures[taken]);
      ++taken;
      ++failures;
    }
    if (taken < entry.failures.size()) {
      entry.failures.erase(entry.failures.begin(),
                           entry.failures.begin() + taken);
      break;
    }
    if (mode_ != v1::CONFIRM_MODE_FAILURES && mode_ != v1::CONFIRM_MODE_NONE) {
      const int ranges = response->confirmed_size();
      if (ranges > 0 &&
          response->confirmed(ranges - 1).last() + 1 == entry.sequence) {
        response->mutable_confirmed(ranges - 1)->set_last(entry.sequence);
      } else {
        v1::TagRange* range = response->add_confirmed();
        range->set_first(entry.sequence);
        range->set_last(entry.sequence);
      }
    }
    unrouted_count_ += entry.unrouted_count;
    weight->items += entry.items;
    weight->bytes += entry.bytes;
    entries_.pop_front();
  }
  if (response->confirmed_size() == 0 && response->failures_size() == 0) {
    return false;
  }
  response->set_unrouted_count(std::exchange(unrouted_count_, 0));
  return true;
}

}  // namespace kelpmq::service
