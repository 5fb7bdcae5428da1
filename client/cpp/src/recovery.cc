#include "client/cpp/src/recovery.h"

#include <utility>

#include "kelpmq/error.h"

namespace kelpmq::client {
namespace {

absl::Status ClosedError() {
  return MakeError(absl::StatusCode::kCancelled, kClosed,
                   "the client was closed");
}

}  // namespace

void Recovery::AwaitNewer(uint64_t epoch, const absl::Status& cause,
                          Resume resume) {
  if (closed_) return resume(ClosedError());
  if (epoch < this->epoch()) return resume(absl::OkStatus());
  waiting_.push_back(std::move(resume));
  if (recovering_) return;
  recovering_ = true;
  world_.report({ClientEvent::Kind::kDisconnected, cause, "", ""});
  TryLater();
}

void Recovery::TryLater() {
  world_.run_after(backoff_.Next(world_.chance()), [this] {
    if (closed_) return;
    world_.attempt([this](const absl::Status& status) { OnAttempted(status); });
  });
}

void Recovery::OnAttempted(const absl::Status& status) {
  if (closed_) return;
  if (!status.ok()) {
    world_.report({ClientEvent::Kind::kAttemptFailed, status, "", ""});
    return TryLater();
  }
  recovering_ = false;
  epoch_.store(epoch() + 1, std::memory_order_release);
  world_.report({ClientEvent::Kind::kReconnected, absl::OkStatus(), "", ""});
  // Moved away first: who goes on may break, and wait, again.
  std::vector<Resume> waiting = std::exchange(waiting_, {});
  for (Resume& resume : waiting) resume(absl::OkStatus());
}

void Recovery::Close() {
  closed_ = true;
  std::vector<Resume> waiting = std::exchange(waiting_, {});
  for (Resume& resume : waiting) resume(ClosedError());
}

}  // namespace kelpmq::client
