#ifndef KELPMQ_SERVICE_QUEUE_DISPATCHER_H_
#define KELPMQ_SERVICE_QUEUE_DISPATCHER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>

namespace kelpmq::service {

struct Taker;

// Whose turn it is (CONS-06, PRIOC-01): the highest priority of which someone
// has room; among equals in turn, one message each. Who takes one goes to the
// back. Who has no room when its turn comes leaves the line, and joins it again
// at the back when it has; room that is lost and won back between two turns
// costs no place (as recorded of RabbitMQ).
//
// A message that does not fit into what is left of a consumer's byte window
// passes it by: the consumer stands aside until it can take a message whose
// turn has come, then goes to the back. A message larger than a window fits it
// when nothing else is out.
//
// Who was found without room stands in no line, so the cost of a turn does not
// depend on how many those are.
// Thread-safety: thread-compatible. Owned by one QueueCore; owns no Taker.
class Dispatcher {
 public:
  Dispatcher() = default;
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  void Add(Taker* taker);
  void Remove(Taker* taker);
  // To be called after a change of the taker's fields.
  void Update(Taker* taker);

  // Who is to take a message that counts `bytes` in byte windows; nullptr:
  // nobody can. Asking again without Took or Update in between gives the same.
  Taker* Next(size_t bytes);
  // It took that message.
  void Took(Taker* taker, size_t bytes);
  // One that it took is settled, or no longer out.
  void Settled(Taker* taker, size_t bytes);

 private:
  friend struct Taker;
  using Line = std::list<Taker*>;
  struct Level {
    Line turns;
    Line aside;  // have room, but not for the message that came
    // No one aside that can take anything has more room than this.
    uint64_t max_room_aside = 0;
    size_t taker_count = 0;  // of this priority, standing anywhere
  };

  static bool CanTake(const Taker& taker);
  static uint64_t ByteRoom(const Taker& taker);
  static void Move(Taker* taker, Line* to);
  static void Readmit(Level* level, size_t bytes);

  std::map<int64_t, Level, std::greater<int64_t>> levels_;
  Line resting_;  // cannot take anything
};

// One that takes messages in turn: a consumer, or a get that waits for one.
// Fields may be changed at will while it is in a dispatcher, if Update follows.
struct Taker {
  enum class Kind { kConsumer, kWaitingGet };

  Kind kind = Kind::kConsumer;
  int64_t priority = 0;         // higher ones first; fixed once added
  bool ignores_window = false;  // auto_ack: prefetch does not hold it back
  uint32_t prefetch_count = 0;  // 0: no limit
  uint64_t prefetch_bytes = 0;  // 0: no limit
  bool manual_credit = false;
  uint32_t credit = 0;  // with manual_credit: messages it may still take
  bool paused = false;
  bool refused = false;    // its sink had no room
  bool stands_by = false;  // another consumer is the single active one
  // What it has taken and not settled.
  uint64_t unacked_count = 0;
  uint64_t unacked_bytes = 0;

 private:
  friend class Dispatcher;
  Dispatcher::Level* level_ = nullptr;  // of its priority
  std::list<Taker*>* line_ = nullptr;   // that it stands in
  std::list<Taker*>::iterator place_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_DISPATCHER_H_
