#include "service/rpc/publish_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/caller.h"
#include "service/rpc/codec.h"
#include "service/rpc/publish_access.h"
#include "service/rpc/stream_errors.h"

namespace kelpmq::service {
namespace {

// How long a publisher may be held back for a crowded queue: consumers that do
// not empty it by then are slow, and none of the publisher's business. It tries
// again after so many messages, for they may have had a bad moment.
constexpr absl::Duration kMaxWait = absl::Milliseconds(10);
constexpr uint32_t kItemsBetweenWaits = 65'536;

v1::ConfirmMode ModeOf(const PublishRequestData& request) {
  return request.confirms == v1::CONFIRM_MODE_UNSPECIFIED
             ? v1::CONFIRM_MODE_ALL
             : static_cast<v1::ConfirmMode>(request.confirms);
}

}  // namespace

void PublishStream::OnStart(CallRef call) {
  call_ = std::move(call);
  {
    // Until it has been looked at below, the alarm holds the first read back.
    MutexLock lock(&mu_);
    held_back_ = true;
  }
  context_->streams->Add(shared_from_this());
  Pump();
}

void PublishStream::OnReadDone(bool ok, grpc::ByteBuffer message) {
  if (!ok) {
    End(absl::OkStatus());
    return;
  }
  {
    // Whoever ended the stream did so before this was read: the client hears
    // of no confirm for it, so nothing may come of it.
    MutexLock lock(&mu_);
    if (end_.has_value()) return;
    if (context_->memory->on()) {
      // gRPC's limit on what it holds counts this too, as long as it is not
      // taken apart.
      held_request_ = std::move(message);
      return;
    }
  }
  Take(std::move(message));
}

void PublishStream::Take(grpc::ByteBuffer message) {
  const size_t bytes = message.Length();
  absl::StatusOr<PublishRequestData> request = DecodePublishBatch(
      message, {context_->limits.message, context_->limits.max_batch_items});
  absl::Status status = request.status();
  if (status.ok()) status = Accept(&*request);
  if (status.ok()) {
    status = CheckPublish(*context_->engine, &access_, &*request);
  }
  if (!status.ok()) {
    End(std::move(status));
    return;
  }
  // What was decoded is a copy.
  message.Clear();
  Publish(*std::move(request), bytes);
  ReadMore();
}

absl::Status PublishStream::Accept(PublishRequestData* request) {
  if (first_) {
    first_ = false;
    if (!request->producer_id.empty()) {
      return MakeError(Reason::kFeatureUnsupported,
                       "producer_id: deduplication is not available");
    }
    request->vhost = context_->VhostOrDefault(request->vhost);
    producer_id_ = request->producer_id;
    confirm_mode_ = ModeOf(*request);
    {
      MutexLock lock(&mu_);
      vhost_ = request->vhost;
      confirms_.set_mode(confirm_mode_);
    }
    // From here on a vhost that is deleted ends the stream; before, this sees
    // it.
    if (absl::Status known = context_->engine->CheckVhost(request->vhost);
        !known.ok()) {
      return known;
    }
    // So does a change of what the user may do.
    access_ = VhostAccess(call_->login(), request->vhost);
    absl::Status access =
        CheckStreamAccess(*context_->engine, call_->login(), request->vhost,
                          context_->clock->Now());
    if (!access.ok()) return access;
  } else {
    MutexLock lock(&mu_);
    const bool changed =
        (!request->vhost.empty() && request->vhost != vhost_) ||
        (!request->producer_id.empty() &&
         request->producer_id != producer_id_) ||
        (request->confirms != 0 && ModeOf(*request) != confirm_mode_);
    if (changed) {
      return MakeError(Reason::kFirstMessage,
                       "vhost, producer_id and confirms are fixed by the "
                       "stream's first message");
    }
    request->vhost = vhost_;
  }
  if (request->sequence == 0) {
    request->sequence = last_sequence_ + 1;
  } else if (request->sequence <= last_sequence_) {
    return MakeError(Reason::kSequenceOutOfOrder,
                     absl::StrCat("sequence ", request->sequence, " follows ",
                                  last_sequence_, ": it must increase"));
  }
  last_sequence_ = request->sequence;
  return absl::OkStatus();
}

void PublishStream::Publish(PublishRequestData request, size_t bytes) {
  Confirms::Entry entry;
  entry.sequence = request.sequence;
  // An empty request weighs something too: its confirm takes room.
  entry.items = std::max(request.item_count, 1u);
  entry.bytes = bytes;
  {
    MutexLock lock(&mu_);
    ++publishing_;
    unconfirmed_items_ += entry.items;
    items_since_wait_ += entry.items;
    unconfirmed_bytes_ += entry.bytes;
  }
  context_->memory->TookIn(bytes + request.item_count * kMessageOverheadBytes);
  PublishParams params;
  params.vhost = std::move(request.vhost);
  params.items = std::move(request.items);
  context_->engine->Publish(
      std::move(params),
      [self = shared_from_this(), entry = std::move(entry),
       wants_confirm = confirm_mode_ != v1::CONFIRM_MODE_NONE,
       failures = std::move(request.failures),
       item_index = std::move(request.item_index)](
          absl::StatusOr<PublishResult> result) mutable {
        CountPublished(entry.items, wants_confirm, result,
                       self->context_->traffic);
        if (result.ok()) {
          entry.unrouted_count = result->unrouted_count;
          entry.failures = MergeFailures(std::move(failures), item_index,
                                         std::move(result->failures));
        } else {
          // The whole request failed: so did each item of it.
          std::vector<PublishFailure> all;
          for (uint32_t i = 0; i < item_index.size(); ++i) {
            all.push_back({i, result.status()});
          }
          entry.failures =
              MergeFailures(std::move(failures), item_index, std::move(all));
        }
        {
          MutexLock lock(&self->mu_);
          if (result.ok() && result->crowded != nullptr) {
            self->crowded_ = std::move(result->crowded);
          }
          --self->publishing_;
          self->confirms_.Add(std::move(entry));
        }
        self->Pump();
      });
}

void PublishStream::ReadMore() {
  QueueRef crowded;
  bool wait;
  {
    MutexLock lock(&mu_);
    if (end_.has_value()) return;
    // Not the memory alarm: what is read then is held, once (OnReadDone), and
    // the end of a stream has to be seen.
    held_back_ = unconfirmed_items_ >= context_->limits.max_unconfirmed_items ||
                 unconfirmed_bytes_ >= context_->limits.max_unconfirmed_bytes;
    if (held_back_) return;
    crowded = std::exchange(crowded_, nullptr);
    waiting_ = crowded != nullptr &&
               (!relief_awaited_ || items_since_wait_ >= kItemsBetweenWaits);
    wait = waiting_;
    if (wait) {
      items_since_wait_ = 0;
      // What is to come of an earlier wait will do.
      if (std::exchange(relief_awaited_, true)) crowded = nullptr;
    }
  }
  if (wait) {
    WaitForRelief(crowded);
  } else {
    call_->Read();
  }
}

void PublishStream::WaitForRelief(const QueueRef& crowded) {
  const TimerQueue::TimerId timer = context_->timers->Schedule(
      context_->clock->Now() + kMaxWait, [weak = weak_from_this()] {
        if (auto self = weak.lock()) self->EndWait();
      });
  {
    MutexLock lock(&mu_);
    wait_timer_ = timer;
  }
  if (crowded == nullptr) return;
  context_->engine->WhenRelieved(crowded, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->OnRelieved();
  });
}

void PublishStream::OnRelieved() {
  TimerQueue::TimerId timer;
  {
    MutexLock lock(&mu_);
    relief_awaited_ = false;
    timer = std::exchange(wait_timer_, TimerQueue::kNoTimer);
  }
  if (timer != TimerQueue::kNoTimer) context_->timers->Cancel(timer);
  EndWait();
}

void PublishStream::EndWait() {
  {
    MutexLock lock(&mu_);
    if (!std::exchange(waiting_, false)) return;
  }
  ReadMore();
}

void PublishStream::Pump() {
  grpc::ByteBuffer message;
  bool write = false;
  bool finish = false;
  bool read = false;
  std::optional<grpc::ByteBuffer> held;
  absl::Status end;
  {
    MutexLock lock(&mu_);
    if (writing_ || finished_) return;
    const bool blocked = context_->memory->on();
    const bool flow = blocked != told_blocked_;
    if (!confirms_.empty() || draining_.has_value() || flow) {
      v1::PublishStreamResponse response;
      Confirms::Weight weight;
      write = confirms_.Fill(&response, &weight);
      unconfirmed_items_ -= weight.items;
      unconfirmed_bytes_ -= weight.bytes;
      if (draining_.has_value()) {
        *response.mutable_draining() = DrainingNotice(*draining_);
        draining_.reset();
        write = true;
      }
      if (flow) {
        *response.mutable_flow() = MemoryNotice(blocked);
        told_blocked_ = blocked;
        write = true;
      }
      if (write) {
        writing_ = true;
        message = Serialize(response);
      }
    }
    if (!end_.has_value() && !blocked) {
      held.swap(held_request_);
      read = std::exchange(held_back_, false);
    } else if (!write && end_.has_value() && publishing_ == 0) {
      finished_ = finish = true;
      end = *end_;
    }
  }
  if (write) call_->Write(std::move(message));
  if (finish) call_->Finish(std::move(end));
  if (held.has_value()) Take(*std::move(held));
  if (read) ReadMore();
}

void PublishStream::OnWriteDone(bool ok) {
  {
    MutexLock lock(&mu_);
    writing_ = false;
    if (!ok) confirms_ = Confirms();  // nobody is left to be told
  }
  Pump();
}

void PublishStream::OnDone(bool /*cancelled*/) {
  context_->streams->Remove(this);
}

void PublishStream::End(absl::Status status) {
  {
    MutexLock lock(&mu_);
    if (end_.has_value()) return;
    end_ = std::move(status);
  }
  Pump();
}

void PublishStream::Drain(absl::Time deadline) {
  {
    MutexLock lock(&mu_);
    draining_ = deadline;
  }
  Pump();
}

void PublishStream::EndForDrain() { End(ServerDrainingError()); }

void PublishStream::RecheckAccess() {
  std::string vhost;
  {
    MutexLock lock(&mu_);
    vhost = vhost_;
  }
  const absl::Time now = context_->clock->Now();
  absl::Status access =
      vhost.empty()  // nothing has come yet
          ? CheckStillValid(call_->login(), now)
          : CheckStreamAccess(*context_->engine, call_->login(), vhost, now);
  if (!access.ok()) End(std::move(access));
}

void PublishStream::EndVhost(absl::string_view vhost) {
  {
    MutexLock lock(&mu_);
    if (vhost != vhost_) return;
  }
  End(VhostGoneError(vhost));
}

}  // namespace kelpmq::service
