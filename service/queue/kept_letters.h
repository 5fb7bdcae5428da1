#ifndef KELPMQ_SERVICE_QUEUE_KEPT_LETTERS_H_
#define KELPMQ_SERVICE_QUEUE_KEPT_LETTERS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "service/base/message.h"
#include "service/queue/dead_letter.h"

namespace kelpmq::service {

// A message that died in a queue, to be published as a dead letter.
struct DeadMessage {
  MessageRef message;
  DeathReason reason = DeathReason::kRejected;
  absl::Time time;  // of its death
  // Non-zero: the queue keeps it until it hears what became of the letter.
  uint64_t letter_id = 0;
  // Queues that have the letter already, from an earlier attempt.
  std::vector<std::string> reached = {};
};

// A message that died, as it is published.
struct DeadLetter {
  MessageRef message;
  uint64_t id = 0;                   // as DeadMessage::letter_id
  std::vector<std::string> reached;  // likewise; these get no second copy
};

// What became of a letter that a queue keeps.
struct LetterFate {
  uint64_t letter_id = 0;
  // It had a route, and every queue on it has taken it.
  bool delivered = false;
  std::vector<std::string> reached;  // all queues that have it
};

// The messages that a queue keeps until their dead letters have a route and
// room (x-dead-letter-strategy: at-least-once, DLX-17). They are published in
// their order, a limited number at a time; what fails is tried again later, and
// only at queues that do not have it yet.
// Thread-safety: thread-compatible. Owned by one QueueCore.
class KeptLetters {
 public:
  // Letters that may be on their way, or between two attempts. Those behind
  // wait: a dead-letter queue that is full for long costs no more than this at
  // each attempt.
  static constexpr size_t kMaxUnderWay = 32;
  // Room comes when somebody consumes, a route when somebody binds.
  static constexpr absl::Duration kRetryAfter = absl::Seconds(10);

  KeptLetters() = default;
  KeptLetters(const KeptLetters&) = delete;
  KeptLetters& operator=(const KeptLetters&) = delete;

  size_t size() const { return under_way_.size() + waiting_.size(); }
  uint64_t bytes() const { return bytes_; }  // of bodies

  void Add(DeadMessage dead);
  void OnFates(absl::Span<const LetterFate> fates, absl::Time now);
  // Appends what is to be published now, in order of death.
  void TakeDue(absl::Time now, std::vector<DeadMessage>* due);
  // When TakeDue has something; infinite future: not of itself.
  absl::Time next_attempt() const;

  // Appends all as letters of whose fate nobody is told.
  void LetGo(std::vector<DeadMessage>* letters);
  void Clear();

 private:
  struct UnderWay {
    DeadMessage dead;
    absl::Time next_attempt;  // infinite future: it is being published
  };

  uint64_t last_id_ = 0;
  absl::btree_map<uint64_t, UnderWay> under_way_;  // by id: by death
  std::deque<DeadMessage> waiting_;                // behind all of these
  uint64_t bytes_ = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_KEPT_LETTERS_H_
