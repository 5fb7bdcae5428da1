#include "service/rpc/generic_call.h"

#include <cassert>
#include <chrono>
#include <utility>

namespace kelpmq::service {

GenericCall::GenericCall(grpc::ServerCompletionQueue* queue, Owner* owner)
    : queue_(queue), owner_(owner), transport_(std::make_unique<Transport>()) {}

void GenericCall::Accept(grpc::AsyncGenericService* service,
                         grpc::ServerCompletionQueue* queue, Owner* owner) {
  std::shared_ptr<GenericCall> call(new GenericCall(queue, owner));
  call->self_ = call;
  Transport* transport = call->transport_.get();
  // Must precede the request. Comes back for accepted calls only.
  transport->context.AsyncNotifyWhenDone(&call->done_tag_);
  service->RequestCall(&transport->context, &transport->stream, queue, queue,
                       &call->accept_tag_);
}

void GenericCall::OnAccept(bool ok) {
  if (ok) {
    const auto deadline = transport_->context.deadline();
    method_ = transport_->context.method();
    if (deadline != std::chrono::system_clock::time_point::max()) {
      deadline_ = absl::FromChrono(deadline);
    }
    {
      MutexLock lock(&mu_);
      ++tags_out_;  // the done tag
    }
    owner_->OnAccepted(this);
  }
  TagIsBack();
  CloseIfOver();
}

void GenericCall::Serve(std::shared_ptr<CallHandler> handler, bool is_stream,
                        CallObserver* observer) {
  handler_ = std::move(handler);
  is_stream_ = is_stream;
  observer_ = observer;
  if (is_stream_ && observer_ != nullptr) {
    stream_peer_ = peer();
    observer_->StreamOpened({method_, stream_peer_, is_stream_});
  }
  handler_->OnStart(shared_from_this());
}

void GenericCall::Refuse(RpcStatus status) {
  RequestEnd(End{std::nullopt, std::move(status)});
}

void GenericCall::Defer() {
  resume_alarm_ = std::make_unique<grpc::Alarm>();
  MutexLock lock(&mu_);
  ++tags_out_;
}

void GenericCall::Resume(Closure decide) {
  decide_ = std::move(decide);
  // Due at once: what brings a tag back to the polling thread from elsewhere.
  resume_alarm_->Set(queue_, std::chrono::system_clock::time_point(),
                     &resume_tag_);
}

void GenericCall::OnResume(bool ok) {
  bool gone;
  {
    MutexLock lock(&mu_);
    gone = done_;
  }
  Closure decide = std::move(decide_);
  if (!gone) std::move(decide)();
  TagIsBack();
  CloseIfOver();
}

absl::string_view GenericCall::metadata_view(absl::string_view key) const {
  const auto& metadata = transport_->context.client_metadata();
  auto it = metadata.find(grpc::string_ref(key.data(), key.size()));
  if (it == metadata.end()) return absl::string_view();
  return absl::string_view(it->second.data(), it->second.size());
}

std::string GenericCall::peer() const {
  MutexLock lock(&mu_);
  return closed_ ? std::string() : transport_->context.peer();
}

std::string GenericCall::metadata(absl::string_view key) const {
  MutexLock lock(&mu_);
  if (closed_) return std::string();
  const auto& metadata = transport_->context.client_metadata();
  auto it = metadata.find(grpc::string_ref(key.data(), key.size()));
  if (it == metadata.end()) return std::string();
  return std::string(it->second.data(), it->second.size());
}

void GenericCall::Read() {
  {
    MutexLock lock(&mu_);
    if (TakesNothing()) return;
    assert(!reading_);
    reading_ = true;
    ++tags_out_;
  }
  transport_->stream.Read(&read_, &read_tag_);
}

void GenericCall::Write(grpc::ByteBuffer message) {
  {
    MutexLock lock(&mu_);
    if (TakesNothing()) return;
    assert(!writing_);
    writing_ = true;
    ++tags_out_;
  }
  transport_->stream.Write(message, &write_tag_);
}

void GenericCall::Finish(absl::Status status) {
  End end{std::nullopt, ToRpcStatus(status)};
  if (status.ok() || observer_ == nullptr) {
    RequestEnd(std::move(end));
    return;
  }
  // The observer hears of it before the client does, and of one end alone.
  {
    MutexLock lock(&mu_);
    if (TakesNothing()) return;
    ending_ = true;
    ++tags_out_;
  }
  observer_->CallFailed(
      {method_, is_stream_ ? stream_peer_ : peer(), is_stream_}, status);
  {
    MutexLock lock(&mu_);
    if (writing_) {
      --tags_out_;  // the write's holds the call
      end_after_write_ = std::move(end);
      return;
    }
  }
  StartEnd(std::move(end));
}

void GenericCall::WriteAndFinish(grpc::ByteBuffer message) {
  RequestEnd(End{std::move(message), RpcStatus{}});
}

void GenericCall::RequestEnd(End end) {
  {
    MutexLock lock(&mu_);
    if (TakesNothing()) return;
    ending_ = true;
    if (writing_) {
      end_after_write_ = std::move(end);
      return;
    }
    ++tags_out_;
  }
  StartEnd(std::move(end));
}

void GenericCall::StartEnd(End end) {
  for (auto& [key, value] : end.status.trailers) {
    transport_->context.AddTrailingMetadata(key, value);
  }
  if (end.message.has_value()) {
    transport_->stream.WriteAndFinish(*end.message, grpc::WriteOptions(),
                                      end.status.status, &finish_tag_);
  } else {
    transport_->stream.Finish(end.status.status, &finish_tag_);
  }
}

void GenericCall::TagIsBack() {
  MutexLock lock(&mu_);
  --tags_out_;
}

grpc::ByteBuffer GenericCall::TakeRead() {
  grpc::ByteBuffer message;
  message.Swap(&read_);
  return message;
}

void GenericCall::OnRead(bool ok) {
  {
    MutexLock lock(&mu_);
    reading_ = false;
    --tags_out_;
  }
  handler_->OnReadDone(ok, TakeRead());
  CloseIfOver();
}

void GenericCall::OnWrite(bool ok) {
  std::optional<End> end;
  {
    MutexLock lock(&mu_);
    writing_ = false;
    --tags_out_;
    if (!done_) end.swap(end_after_write_);
    if (end.has_value()) ++tags_out_;
  }
  if (end.has_value()) StartEnd(*std::move(end));
  handler_->OnWriteDone(ok);
  CloseIfOver();
}

void GenericCall::OnFinish(bool ok) {
  finish_failed_ = !ok;
  TagIsBack();
  CloseIfOver();
}

void GenericCall::OnDone(bool ok) {
  // The tag always comes back with ok=true; the context knows how it ended.
  if (transport_->context.IsCancelled()) {
    cancelled_.store(true, std::memory_order_release);
  }
  {
    MutexLock lock(&mu_);
    done_ = true;
    --tags_out_;
  }
  CloseIfOver();
}

void GenericCall::CloseIfOver() {
  {
    MutexLock lock(&mu_);
    if (tags_out_ > 0) return;
    closed_ = true;
  }
  // Whoever called in before now has counted a tag, so nobody else is inside.
  std::shared_ptr<GenericCall> self = std::move(self_);
  if (handler_ != nullptr) {
    const bool went = cancelled() || finish_failed_;
    handler_->OnDone(went);
    handler_.reset();
    if (is_stream_ && observer_ != nullptr) {
      observer_->StreamClosed({method_, stream_peer_, is_stream_}, went);
    }
  }
  resume_alarm_.reset();
  transport_.reset();
  owner_->OnClosed();
}

}  // namespace kelpmq::service
