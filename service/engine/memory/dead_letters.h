#ifndef KELPMQ_SERVICE_ENGINE_MEMORY_DEAD_LETTERS_H_
#define KELPMQ_SERVICE_ENGINE_MEMORY_DEAD_LETTERS_H_

#include <vector>

#include "absl/functional/any_invocable.h"
#include "service/engine/memory/departures.h"
#include "service/queue/kept_letters.h"

namespace kelpmq::service {

// Publishes dead letters to the exchange that each names, in their order; an
// internal one will do (EXB-06). What finds no exchange, no queue or a full one
// is dropped (DLX-08), and so is a copy for a queue that the letter has died in
// before without a rejection since (DLX-13). `done` gets the fates of those
// letters that have an id when every queue has taken its share, on the strand
// of the last; with no queue at all, at once.
// Thread-safety: any thread; takes no lock.
void PublishDeadLetters(const PublishPath& path,
                        std::vector<DeadLetter> letters,
                        absl::AnyInvocable<void(std::vector<LetterFate>)> done);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_ENGINE_MEMORY_DEAD_LETTERS_H_
