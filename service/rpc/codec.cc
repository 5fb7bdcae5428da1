#include "service/rpc/codec.h"

#include <google/protobuf/io/zero_copy_stream.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

// Answers one call, from any thread. An answer that is dropped unsent would
// leave the client waiting for ever, so it is made up for.
class UnaryReply {
 public:
  explicit UnaryReply(CallRef call) : call_(std::move(call)) {}
  UnaryReply(UnaryReply&&) = default;
  UnaryReply& operator=(UnaryReply&&) = delete;
  ~UnaryReply() {
    if (call_ == nullptr) return;
    call_->Finish(
        MakeError(Reason::kInternalError, "the request got no answer"));
  }

  void operator()(absl::StatusOr<grpc::ByteBuffer> response) {
    const CallRef call = std::exchange(call_, nullptr);
    if (response.ok()) {
      call->WriteAndFinish(*std::move(response));
    } else {
      call->Finish(std::move(response).status());
    }
  }

 private:
  CallRef call_;
};

class UnaryHandler : public CallHandler {
 public:
  explicit UnaryHandler(std::shared_ptr<const RawUnaryMethod> method)
      : method_(std::move(method)) {}

  void OnStart(CallRef call) override {
    call_ = std::move(call);
    call_->Read();
  }

  void OnReadDone(bool ok, grpc::ByteBuffer message) override {
    const CallRef call = std::exchange(call_, nullptr);
    if (!ok) {
      // Half-closed without a request. A request over the size limit also
      // comes here, but then gRPC has ended the call and Finish does nothing.
      call->Finish(MakeError(Reason::kMalformedRequest,
                             "the call carried no request message"));
      return;
    }
    CallContext context{call->peer(), call->deadline(), call, call->login()};
    (*method_)(std::move(context), std::move(message), UnaryReply(call));
  }

  void OnWriteDone(bool ok) override {}
  void OnDone(bool cancelled) override {}

 private:
  const std::shared_ptr<const RawUnaryMethod> method_;
  CallRef call_;
};

}  // namespace

absl::Status Parse(const grpc::ByteBuffer& bytes,
                   google::protobuf::MessageLite* message) {
  bool parsed;
  grpc::Slice slice;
  if (!bytes.Valid()) {
    message->Clear();
    parsed = true;
  } else if (bytes.TrySingleSlice(&slice).ok()) {
    parsed =
        message->ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
  } else {
    grpc::ByteBuffer readable(bytes);  // refers to the same slices
    grpc::ProtoBufferReader reader(&readable);
    parsed = message->ParseFromZeroCopyStream(&reader) && reader.status().ok();
  }
  if (parsed) return absl::OkStatus();
  return MakeError(Reason::kMalformedRequest,
                   absl::StrCat("not a valid ", message->GetTypeName(),
                                ": broken encoding or a string that is not "
                                "UTF-8"));
}

grpc::ByteBuffer Serialize(const google::protobuf::MessageLite& message) {
  grpc::Slice slice(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return grpc::ByteBuffer(&slice, 1);
}

void AddRawUnary(MethodTable* table, std::string path,
                 MethodTable::WhileDraining while_draining,
                 RawUnaryMethod method, MethodTable::OpenTo open_to) {
  auto shared = std::make_shared<const RawUnaryMethod>(std::move(method));
  table->Add(
      std::move(path), while_draining,
      [shared = std::move(shared)] {
        return std::make_shared<UnaryHandler>(shared);
      },
      MethodTable::Kind::kCall, open_to);
}

}  // namespace kelpmq::service
