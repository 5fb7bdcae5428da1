#ifndef KELPMQ_SERVICE_QUEUE_DEAD_LETTER_H_
#define KELPMQ_SERVICE_QUEUE_DEAD_LETTER_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/message.h"

namespace kelpmq::service {

// What dead-lettering makes of a message (DLX-02 to DLX-13). Pure functions and
// values.

enum class DeathReason { kRejected, kExpired, kMaxLength, kDeliveryLimit };

// Where the messages that die in one queue go, and from where.
struct DeadLetterRoute {
  absl::string_view queue;     // in which they die
  absl::string_view exchange;  // x-dead-letter-exchange
  // x-dead-letter-routing-key; unset: the message's own keys route again.
  std::optional<absl::string_view> routing_key;
};

// The message that is published in place of `message`, which died at `time`:
// to the dead-letter exchange, without its expiration, and with the death on
// record in its headers (x-death, x-first-death-*, x-last-death-*).
//
// Only deaths that were recorded here count: an x-death that a client put there
// is replaced (DLX-12 as in RabbitMQ 4).
MessageRef MakeDeadLetter(const Message& message, DeathReason reason,
                          const DeadLetterRoute& route, absl::Time time);

// The deaths of a message, as its x-death header has them.
class DeathHistory {
 public:
  explicit DeathHistory(const Message& message);

  // Whether a message that goes to `queue` now goes round in a circle: it died
  // there before, and nobody has rejected it then or since (DLX-13).
  bool IsCycle(absl::string_view queue) const;

 private:
  struct Death {
    std::string queue;
    bool rejected = false;
  };

  std::vector<Death> deaths_;  // newest first
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_DEAD_LETTER_H_
