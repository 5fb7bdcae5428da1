#include "tests/bench/relay/relay_call.h"

namespace kelpmq::bench {

RelayCall::RelayCall(const Source* source) : source_(source) {
  source->service->RequestCall(&context_, &stream_, source->queue,
                               source->queue, &accepted_);
}

void RelayCall::OnAccepted(bool ok) {
  if (!ok) {
    delete this;
    return;
  }
  Accept(source_);
  handler_ = source_->make_handler(this, context_.method(), source_->argument);
  Read();
}

void RelayCall::Read() {
  reading_ = true;
  stream_.Read(&read_, &read_done_);
}

void RelayCall::ReadOn() {
  held_ = false;
  if (!reading_ && !ended_ && !finishing_) Read();
}

void RelayCall::OnReadDone(bool ok) {
  reading_ = false;
  if (!ok) {
    ended_ = true;
    handler_->OnEnd();
    if (!writing_ && !finishing_) {
      finishing_ = true;
      stream_.Finish(grpc::Status::OK, &finish_done_);
    }
    DeleteIfOver();
    return;
  }
  grpc::ByteBuffer message;
  message.Swap(&read_);
  if (!held_) Read();
  handler_->OnRead(message);
}

void RelayCall::Write(const grpc::ByteBuffer& message) {
  writing_ = true;
  stream_.Write(message, &write_done_);
}

void RelayCall::WriteAndFinish(const grpc::ByteBuffer& message) {
  finishing_ = true;
  stream_.WriteAndFinish(message, grpc::WriteOptions(), grpc::Status::OK,
                         &finish_done_);
}

void RelayCall::OnWriteDone(bool ok) {
  writing_ = false;
  if (!ended_ && ok) {
    handler_->OnWritable();
  } else if (ended_ && !finishing_) {
    finishing_ = true;
    stream_.Finish(grpc::Status::OK, &finish_done_);
  }
}

void RelayCall::OnFinished(bool /*ok*/) {
  finished_ = true;
  DeleteIfOver();
}

void RelayCall::DeleteIfOver() {
  if (finished_ && !reading_ && !writing_) delete this;
}

}  // namespace kelpmq::bench
