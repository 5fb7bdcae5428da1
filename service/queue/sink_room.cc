#include "service/queue/sink_room.h"

#include <algorithm>
#include <utility>

namespace kelpmq::service {

bool SinkRoom::TryReserve(DeliverySink& sink, uint32_t consumer_key,
                          size_t bytes, size_t may_follow) {
  const bool has_it = count_ > 0 && bytes_ >= bytes && sink_ == &sink &&
                      consumer_key_ == consumer_key;
  if (!has_it) {
    GiveBack();
    const auto wanted =
        static_cast<uint32_t>(std::min(may_follow + 1, kMaxAtOnce));
    count_ = sink.Reserve(consumer_key, bytes, wanted);
    if (count_ == 0) return false;
    bytes_ = count_ * bytes;
    sink_ = &sink;
    consumer_key_ = consumer_key;
  }
  --count_;
  bytes_ -= bytes;
  return true;
}

void SinkRoom::GiveBackRest() {
  sink_->GiveBack(consumer_key_, std::exchange(count_, 0),
                  std::exchange(bytes_, 0));
}

}  // namespace kelpmq::service
