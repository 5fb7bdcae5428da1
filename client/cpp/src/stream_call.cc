#include "client/cpp/src/stream_call.h"

#include <utility>

#include "client/cpp/src/call_status.h"

namespace kelpmq::client {

using service::MutexLock;

std::shared_ptr<StreamCall> StreamCall::Start(
    Poller* poller, const std::shared_ptr<grpc::Channel>& channel,
    const std::string& method, const std::string& authorization,
    std::shared_ptr<Events> events) {
  std::shared_ptr<StreamCall> call(new StreamCall(poller, std::move(events)));
  if (!authorization.empty()) {
    call->context_.AddMetadata("authorization", authorization);
  }
  call->self_ = call;
  if (!poller->Begin(call.get())) {
    call->self_ = nullptr;
    return nullptr;
  }
  grpc::GenericStub stub(channel);
  call->stream_ = stub.PrepareCall(&call->context_, method, poller->queue());
  call->stream_->StartCall(&call->started_tag_);
  return call;
}

void StreamCall::Write(grpc::ByteBuffer message) {
  {
    MutexLock lock(&mu_);
    if (!started_ || writing_ || closing_ || broken_) return;
    writing_ = true;
  }
  stream_->Write(message, &write_tag_);
}

void StreamCall::Close() {
  {
    MutexLock lock(&mu_);
    if (closing_) return;
    closing_ = true;
    if (!started_ || writing_ || broken_) return;
    writing_ = half_closed_ = true;
  }
  stream_->WritesDone(&closed_tag_);
}

void StreamCall::Resume() { StartRead(); }

void StreamCall::OnStarted(bool ok) {
  bool close = false;
  {
    MutexLock lock(&mu_);
    started_ = true;
    broken_ = !ok;
    close = ok && closing_;
    if (close) writing_ = half_closed_ = true;
  }
  if (!ok) return FinishIfQuiet();
  StartRead();
  if (close) {
    stream_->WritesDone(&closed_tag_);
  } else {
    events_->OnWritable();
  }
}

void StreamCall::StartRead() {
  {
    MutexLock lock(&mu_);
    // Also on a stream whose writes fail: what has come in is still there.
    if (reading_ || reads_over_ || finishing_) return;
    reading_ = true;
  }
  stream_->Read(&read_, &read_tag_);
}

void StreamCall::OnReadDone(bool ok) {
  {
    MutexLock lock(&mu_);
    reading_ = false;
    if (!ok) reads_over_ = broken_ = true;
  }
  if (!ok) return FinishIfQuiet();
  grpc::ByteBuffer message;
  message.Swap(&read_);
  if (events_->OnRead(message)) {
    StartRead();
  } else {
    FinishIfQuiet();
  }
}

void StreamCall::OnWriteDone(bool ok) {
  bool close = false;
  {
    MutexLock lock(&mu_);
    writing_ = false;
    if (!ok) broken_ = true;
    close = !broken_ && closing_ && !half_closed_;
    if (close) writing_ = half_closed_ = true;
  }
  if (close) {
    stream_->WritesDone(&closed_tag_);
  } else if (ok) {
    events_->OnWritable();
  }
  FinishIfQuiet();
}

void StreamCall::OnClosed(bool ok) {
  {
    MutexLock lock(&mu_);
    writing_ = false;
    if (!ok) broken_ = true;
  }
  FinishIfQuiet();
}

void StreamCall::FinishIfQuiet() {
  {
    MutexLock lock(&mu_);
    if (!broken_ || reading_ || writing_ || finishing_) return;
    finishing_ = true;
  }
  stream_->Finish(&status_, &finished_tag_);
}

void StreamCall::OnFinished(bool /*ok*/) {
  const std::shared_ptr<StreamCall> self = std::move(self_);
  const std::shared_ptr<Events> events = std::move(events_);
  events->OnDone(StatusOfCall(status_, context_));
  // After OnDone: what it starts may keep a stopping poller going no longer
  // than this call does.
  poller_->End(this);
}

}  // namespace kelpmq::client
