#include "client/cpp/src/unary_call.h"

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "client/cpp/src/call_status.h"
#include "client/cpp/src/wire.h"
#include "kelpmq/error.h"

namespace kelpmq::client {
namespace {

// A deadline that no clock overflows at.
constexpr absl::Duration kLongestTimeout = absl::Hours(24 * 365);

void Prepare(const UnaryTarget& target, grpc::ClientContext* context) {
  if (!target.authorization.empty()) {
    context->AddMetadata("authorization", target.authorization);
  }
  const absl::Duration timeout = std::min(target.timeout, kLongestTimeout);
  context->set_deadline(std::chrono::system_clock::now() +
                        absl::ToChronoMilliseconds(timeout));
}

absl::Status Result(const grpc::Status& status,
                    const grpc::ClientContext& context,
                    const grpc::ByteBuffer& bytes,
                    google::protobuf::MessageLite* response) {
  if (!status.ok()) return StatusOfCall(status, context);
  if (Parse(bytes, response)) return absl::OkStatus();
  return absl::InternalError("the broker's response cannot be parsed");
}

// Owns itself: deleted when its tag has come back.
class UnaryCall final : public Poller::Completion, public Poller::Call {
 public:
  UnaryCall(Poller* poller, google::protobuf::MessageLite* response,
            absl::AnyInvocable<void(absl::Status)> done)
      : poller_(poller), response_(response), done_(std::move(done)) {}

  void Start(const UnaryTarget& target, const std::string& method,
             const google::protobuf::MessageLite& request) {
    if (!poller_->Begin(this)) {
      done_(MakeError(absl::StatusCode::kCancelled, kClosed,
                      "the client was closed"));
      delete this;
      return;
    }
    Prepare(target, &context_);
    grpc::GenericStub stub(target.channel);
    reader_ = stub.PrepareUnaryCall(&context_, method, BufferOf(request),
                                    poller_->queue());
    reader_->StartCall();
    reader_->Finish(&bytes_, &status_, static_cast<Poller::Completion*>(this));
  }
  void Cancel() override { context_.TryCancel(); }
  void OnComplete(bool /*ok*/) override {
    done_(Result(status_, context_, bytes_, response_));
    done_ = nullptr;
    poller_->End(this);
    delete this;
  }

 private:
  Poller* const poller_;
  google::protobuf::MessageLite* const response_;
  absl::AnyInvocable<void(absl::Status)> done_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader_;
  grpc::ByteBuffer bytes_;
  grpc::Status status_;
};

}  // namespace

absl::Status CallAndWait(const UnaryTarget& target, const std::string& method,
                         const google::protobuf::MessageLite& request,
                         google::protobuf::MessageLite* response) {
  grpc::ClientContext context;
  Prepare(target, &context);
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(target.channel);
  const auto reader =
      stub.PrepareUnaryCall(&context, method, BufferOf(request), &queue);
  reader->StartCall();
  grpc::ByteBuffer bytes;
  grpc::Status status;
  reader->Finish(&bytes, &status, &context);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);  // the one tag
  queue.Shutdown();
  return Result(status, context, bytes, response);
}

void StartCall(Poller* poller, const UnaryTarget& target,
               const std::string& method,
               const google::protobuf::MessageLite& request,
               google::protobuf::MessageLite* response,
               absl::AnyInvocable<void(absl::Status)> done) {
  (new UnaryCall(poller, response, std::move(done)))
      ->Start(target, method, request);
}

}  // namespace kelpmq::client
