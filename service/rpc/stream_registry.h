#ifndef KELPMQ_SERVICE_RPC_STREAM_REGISTRY_H_
#define KELPMQ_SERVICE_RPC_STREAM_REGISTRY_H_

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"

namespace kelpmq::service {

// An open stream, as far as those must know it who end all of them.
// Thread-safety: implementations are thread-safe. Calls must not block.
class RegisteredStream {
 public:
  virtual ~RegisteredStream() = default;
  // The server stops at `deadline`: tell the client, take no new work. Once.
  virtual void Drain(absl::Time deadline) = 0;
  // The time is over: finish with SERVER_DRAINING.
  virtual void EndForDrain() = 0;
  // This vhost is gone: finish with VHOST_NOT_FOUND if it is this stream's.
  virtual void EndVhost(absl::string_view vhost) = 0;
  // An alarm has gone on or off; ask it which, as two changes may come in any
  // order. Nothing to be done by those that take nothing in from publishers.
  virtual void AlarmChanged() {}
  // Users or permissions have changed, or a token has expired: finish if the
  // stream would not be let in as it is now.
  virtual void RecheckAccess() {}
};

// The open streams of a server. Knows them weakly: a stream that is gone need
// not say so, but is counted as open until its object dies.
// Thread-safety: thread-safe; calls no stream under its lock.
class StreamRegistry {
 public:
  // Whether a drain waits for the stream to end by itself.
  enum class DuringDrain { kWaitFor, kDoNotWaitFor };

  // Once draining has begun, the stream is told so before this returns.
  void Add(const std::shared_ptr<RegisteredStream>& stream,
           DuringDrain during_drain = DuringDrain::kWaitFor);
  // Usually from OnDone. One that is not there is ignored.
  void Remove(const RegisteredStream* stream);

  void DrainAll(absl::Time deadline);
  // Ends also every stream that is added from now on.
  void EndAllForDrain();
  void EndVhost(absl::string_view vhost);
  // Streams that are added from now on see the alarm by themselves.
  void AlarmChanged();
  void RecheckAccess();

  // Open streams that a drain waits for.
  size_t WaitedForCount() const;

 private:
  enum class State { kOpen, kDraining, kEnding };
  struct Entry {
    std::weak_ptr<RegisteredStream> stream;
    DuringDrain during_drain;
  };

  std::vector<std::shared_ptr<RegisteredStream>> Live() const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  State state_ ABSL_GUARDED_BY(mu_) = State::kOpen;
  absl::Time deadline_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  absl::flat_hash_map<const RegisteredStream*, Entry> streams_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_STREAM_REGISTRY_H_
