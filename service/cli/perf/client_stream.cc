#include "service/cli/perf/client_stream.h"

#include <utility>

#include "service/cli/errors.h"

namespace kelpmq::service::cli::perf {

ClientStream::ClientStream(CallLoop* loop,
                           std::shared_ptr<grpc::Channel> channel,
                           std::string method, Events* events)
    : events_(events),
      method_(std::move(method)),
      channel_(std::move(channel)),
      stub_(channel_),
      stream_(stub_.PrepareCall(&context_, method_, loop->queue())) {}

void ClientStream::Start() { stream_->StartCall(&started_tag_); }

void ClientStream::Write(const grpc::ByteBuffer& message) {
  writing_ = true;
  stream_->Write(message, &write_tag_);
}

void ClientStream::Close() {
  if (closing_) return;
  closing_ = true;
  if (started_ && !writing_) HalfClose();
}

void ClientStream::OnStarted(bool ok) {
  started_ = true;
  if (!ok) {
    closing_ = true;
    EndIfQuiet();
    return;
  }
  reading_ = true;
  stream_->Read(&read_, &read_tag_);
  if (closing_) {
    HalfClose();
  } else {
    events_->OnWritable();
  }
}

void ClientStream::OnReadDone(bool ok) {
  reading_ = false;
  if (!ok) {
    closing_ = true;
    EndIfQuiet();
    return;
  }
  grpc::ByteBuffer message;
  message.Swap(&read_);
  // Before it is looked at: the next one may be on its way already.
  reading_ = true;
  stream_->Read(&read_, &read_tag_);
  events_->OnRead(message);
}

void ClientStream::OnWriteDone(bool ok) {
  writing_ = false;
  if (!ok) {
    closing_ = true;
    EndIfQuiet();
  } else if (closing_) {
    HalfClose();
  } else {
    events_->OnWritable();
  }
}

void ClientStream::HalfClose() {
  if (finishing_) return;
  writing_ = true;
  stream_->WritesDone(&closed_tag_);
}

void ClientStream::OnClosed(bool /*ok*/) {
  writing_ = false;
  EndIfQuiet();
}

void ClientStream::EndIfQuiet() {
  if (reading_ || writing_ || finishing_) return;
  finishing_ = true;
  stream_->Finish(&status_, &finished_tag_);
}

void ClientStream::OnFinished(bool /*ok*/) {
  over_ = true;
  events_->OnOver(StatusOfCall(status_, context_));
}

}  // namespace kelpmq::service::cli::perf
