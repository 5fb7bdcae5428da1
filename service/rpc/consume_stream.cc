#include "service/rpc/consume_stream.h"

#include <utility>

#include "service/base/error.h"
#include "service/rpc/codec.h"
#include "service/rpc/delivery_framing.h"

namespace kelpmq::service {

// ---- Consume ----

void ConsumeStream::OnStart(CallRef call) {
  call_ = std::move(call);
  stream_ = DeliveryStream::Create(context_, call_, MakeConsumeFraming(),
                                   [call = std::weak_ptr<Call>(call_)] {
                                     if (auto open = call.lock()) open->Read();
                                   });
  call_->Read();
}

void ConsumeStream::OnReadDone(bool ok, grpc::ByteBuffer message) {
  if (!ok) {
    stream_->End(absl::OkStatus());
    return;
  }
  if (absl::Status parsed = Parse(message, &request_); !parsed.ok()) {
    stream_->End(std::move(parsed));
    return;
  }
  const bool first = !opened_;
  if (first) {
    opened_ = true;
    if (absl::Status opened = stream_->Open(request_.options()); !opened.ok()) {
      stream_->End(std::move(opened));
      return;
    }
  } else if (request_.has_options()) {
    stream_->End(MakeError(Reason::kFirstMessage,
                           "options come with the first message only"));
    return;
  }
  Handle(request_, first);
  if (!stream_->HoldReads()) call_->Read();
}

void ConsumeStream::Handle(const v1::ConsumeRequest& request, bool first) {
  switch (request.request_case()) {
    case v1::ConsumeRequest::kSettle:
      return stream_->Settle(request.settle());
    case v1::ConsumeRequest::kStart:
      return stream_->StartConsumer(request.start(), /*ends_stream=*/first);
    case v1::ConsumeRequest::kCancel:
      return stream_->CancelConsumer(request.cancel().consumer_id());
    case v1::ConsumeRequest::kCredit:
      return stream_->GrantCredit(request.credit());
    case v1::ConsumeRequest::kFlow:
      return stream_->SetFlow(request.flow());
    case v1::ConsumeRequest::kPing:
      return stream_->Ping(request.ping().request_id());
    case v1::ConsumeRequest::kGet:
      return stream_->Get(request.get());
    case v1::ConsumeRequest::REQUEST_NOT_SET:
      return;  // options alone, or a request of a later version
  }
}

void ConsumeStream::OnWriteDone(bool ok) { stream_->OnWriteDone(ok); }

void ConsumeStream::OnDone(bool /*cancelled*/) { stream_->OnDone(); }

// ---- Subscribe ----

void SubscribeStream::OnStart(CallRef call) {
  call_ = std::move(call);
  call_->Read();
}

void SubscribeStream::OnReadDone(bool ok, grpc::ByteBuffer message) {
  // A server stream's request is one message; its end is read too, since that
  // is how a client that goes away is noticed.
  if (!ok || read_request_) {
    if (!read_request_) {
      call_->Finish(MakeError(Reason::kFirstMessage,
                              "Subscribe needs a request with `start`"));
    }
    return;
  }
  read_request_ = true;
  v1::SubscribeRequest request;
  if (absl::Status parsed = Parse(message, &request); !parsed.ok()) {
    call_->Finish(std::move(parsed));
    return;
  }
  if (!request.has_start()) {
    call_->Finish(MakeError(Reason::kFirstMessage,
                            "Subscribe needs `start`: which queue to consume"));
    return;
  }
  if (request.start().manual_credit()) {
    call_->Finish(MakeError(Reason::kInvalidValue,
                            "manual_credit needs a Consume stream: Subscribe "
                            "has no way to grant credit"));
    return;
  }
  auto framing = MakeSubscribeFraming();
  SubscribeFraming* const subscribe_framing = framing.get();
  stream_ = DeliveryStream::Create(context_, call_, std::move(framing), [] {});
  subscribe_framing->set_lease_id(stream_->lease_id());
  if (absl::Status opened = stream_->Open(request.options()); !opened.ok()) {
    stream_->End(std::move(opened));
    return;
  }
  stream_->StartConsumer(request.start(), /*ends_stream=*/true);
}

void SubscribeStream::OnWriteDone(bool ok) { stream_->OnWriteDone(ok); }

void SubscribeStream::OnDone(bool /*cancelled*/) {
  if (stream_ != nullptr) stream_->OnDone();
}

}  // namespace kelpmq::service
