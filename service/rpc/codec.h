#ifndef KELPMQ_SERVICE_RPC_CODEC_H_
#define KELPMQ_SERVICE_RPC_CODEC_H_

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/rpc/reactor.h"

namespace kelpmq::service {

// Bytes <-> messages: the one door through which every request comes and every
// response goes. Methods are taken raw because gRPC's typed ones hide requests
// that do not parse.

// MALFORMED_REQUEST (INVALID_ARGUMENT) if the bytes are not a valid encoding
// of the message's type, strings that are not UTF-8 included.
absl::Status Parse(const grpc::ByteBuffer& bytes,
                   google::protobuf::MessageLite* message);
grpc::ByteBuffer Serialize(const google::protobuf::MessageLite& message);

// What a unary method learns about its call.
struct CallContext {
  std::string peer;
  absl::Time deadline = absl::InfiniteFuture();
  CallRef call;  // to ask whether it is cancelled
  LoginRef login;
};

template <typename Response>
using Reply = absl::AnyInvocable<void(absl::StatusOr<Response>)>;

// The untyped core of AddUnary: reads one request, lets `method` answer it.
using RawReply = absl::AnyInvocable<void(absl::StatusOr<grpc::ByteBuffer>)>;
using RawUnaryMethod = std::function<void(
    CallContext context, grpc::ByteBuffer request, RawReply reply)>;
void AddRawUnary(MethodTable* table, std::string path,
                 MethodTable::WhileDraining while_draining,
                 RawUnaryMethod method,
                 MethodTable::OpenTo open_to = MethodTable::OpenTo::kUsers);

// Serves `path` with `method`, which answers by calling `reply` once, from any
// thread, now or later.
template <typename Request, typename Response>
void AddUnary(MethodTable* table, std::string path,
              MethodTable::WhileDraining while_draining,
              std::function<void(CallContext, Request, Reply<Response>)> method,
              MethodTable::OpenTo open_to = MethodTable::OpenTo::kUsers) {
  AddRawUnary(
      table, std::move(path), while_draining,
      [method = std::move(method)](CallContext context, grpc::ByteBuffer bytes,
                                   RawReply reply) {
        Request request;
        if (absl::Status parsed = Parse(bytes, &request); !parsed.ok()) {
          std::move(reply)(std::move(parsed));
          return;
        }
        method(std::move(context), std::move(request),
               [reply = std::move(reply)](
                   absl::StatusOr<Response> response) mutable {
                 if (!response.ok()) {
                   std::move(reply)(std::move(response).status());
                   return;
                 }
                 std::move(reply)(Serialize(*response));
               });
      },
      open_to);
}

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_CODEC_H_
