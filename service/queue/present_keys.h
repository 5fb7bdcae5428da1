#ifndef KELPMQ_SERVICE_QUEUE_PRESENT_KEYS_H_
#define KELPMQ_SERVICE_QUEUE_PRESENT_KEYS_H_

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "service/base/message.h"
#include "service/queue/deadline.h"

namespace kelpmq::service {

// The deduplication keys of the messages in one queue, ready or out, until each
// leaves it or has expired (PLUG-07).
// Thread-safety: thread-compatible. Owned by one QueueCore.
class PresentKeys {
 public:
  // False: the message is a duplicate of one that is here.
  bool Enter(const Message& message, Deadline expires, absl::Time now);
  // No effect if the message has not entered.
  void Leave(const Message& message);
  void Clear() { entries_.clear(); }

 private:
  struct Entry {
    const Message* message;  // which the queue keeps
    Deadline expires;
  };

  absl::flat_hash_map<std::string, Entry> entries_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_PRESENT_KEYS_H_
