#ifndef KELPMQ_SERVICE_RPC_CONSUME_STREAM_H_
#define KELPMQ_SERVICE_RPC_CONSUME_STREAM_H_

#include <memory>

#include "kelpmq/v1/messaging.pb.h"
#include "service/rpc/delivery_stream.h"
#include "service/rpc/reactor.h"

namespace kelpmq::service {

// One Consume: reads the client's requests and hands each to the
// DeliveryStream, in order. Owned by its call.
class ConsumeStream : public CallHandler,
                      public std::enable_shared_from_this<ConsumeStream> {
 public:
  explicit ConsumeStream(const MessagingContext* context) : context_(context) {}

  void OnStart(CallRef call) override;
  void OnReadDone(bool ok, grpc::ByteBuffer message) override;
  void OnWriteDone(bool ok) override;
  void OnDone(bool cancelled) override;

 private:
  void Handle(const v1::ConsumeRequest& request, bool first);

  const MessagingContext* const context_;
  CallRef call_;
  std::shared_ptr<DeliveryStream> stream_;
  bool opened_ = false;
  v1::ConsumeRequest request_;  // reused: strings and arrays keep their room
};

// One Subscribe: a single consumer, settled by unary calls. Owned by its call.
class SubscribeStream : public CallHandler {
 public:
  explicit SubscribeStream(const MessagingContext* context)
      : context_(context) {}

  void OnStart(CallRef call) override;
  void OnReadDone(bool ok, grpc::ByteBuffer message) override;
  void OnWriteDone(bool ok) override;
  void OnDone(bool cancelled) override;

 private:
  const MessagingContext* const context_;
  CallRef call_;
  std::shared_ptr<DeliveryStream> stream_;
  bool read_request_ = false;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_CONSUME_STREAM_H_
