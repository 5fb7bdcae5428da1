#include "service/cli/perf/unary_calls.h"

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <limits>
#include <utility>

#include "service/cli/errors.h"

namespace kelpmq::service::cli::perf {
namespace {

// As many as the server reads at once from one connection without waiting.
constexpr size_t kCallsAtATime = 64;

// Owns itself until its completion.
class UnaryCall final : public CallLoop::Completion {
 public:
  UnaryCall(CallLoop* loop, const std::shared_ptr<grpc::Channel>& channel,
            const std::string& method, const grpc::ByteBuffer& request,
            absl::Duration timeout, UnaryDone done)
      : done_(std::move(done)) {
    context_.set_deadline(std::chrono::system_clock::now() +
                          absl::ToChronoMilliseconds(timeout));
    grpc::GenericStub stub(channel);
    call_ = stub.PrepareUnaryCall(&context_, method, request, loop->queue());
  }
  void Start() {
    call_->StartCall();
    call_->Finish(&response_, &status_, static_cast<Completion*>(this));
  }
  void OnComplete(bool /*ok*/) override {
    const std::unique_ptr<UnaryCall> self(this);
    done_(StatusOfCall(status_, context_), response_);
  }

 private:
  const UnaryDone done_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> call_;
  grpc::ByteBuffer response_;
  grpc::Status status_;
};

}  // namespace

grpc::ByteBuffer BufferOf(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

void StartUnaryCall(CallLoop* loop,
                    const std::shared_ptr<grpc::Channel>& channel,
                    const std::string& method, const grpc::ByteBuffer& request,
                    absl::Duration timeout, UnaryDone done) {
  auto call = std::make_unique<UnaryCall>(loop, channel, method, request,
                                          timeout, std::move(done));
  call.release()->Start();
}

absl::Status CallMany(CallLoop* loop,
                      const std::shared_ptr<grpc::Channel>& channel,
                      const std::string& method, size_t count,
                      absl::Duration timeout,
                      const std::function<std::string(size_t i)>& request) {
  absl::Status first_failure;
  size_t started = 0;
  size_t under_way = 0;
  while (under_way > 0 || (started < count && first_failure.ok())) {
    while (started < count && under_way < kCallsAtATime && first_failure.ok()) {
      ++under_way;
      StartUnaryCall(loop, channel, method, BufferOf(request(started++)),
                     timeout,
                     [&](const absl::Status& status, const grpc::ByteBuffer&) {
                       --under_way;
                       first_failure.Update(status);
                     });
    }
    loop->RunOne(std::numeric_limits<int64_t>::max());
  }
  return first_failure;
}

}  // namespace kelpmq::service::cli::perf
