#ifndef KELPMQ_SERVICE_RPC_UNSUPPORTED_H_
#define KELPMQ_SERVICE_RPC_UNSUPPORTED_H_

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/codec.h"
#include "service/rpc/reactor.h"

namespace kelpmq::service {

// Answers every unary call of `path` UNIMPLEMENTED, FEATURE_UNSUPPORTED.
inline void AddUnsupported(MethodTable* table, std::string path) {
  const std::string text = absl::StrCat(path, " is not supported");
  AddRawUnary(table, std::move(path), MethodTable::WhileDraining::kAllow,
              [text](CallContext, grpc::ByteBuffer, RawReply reply) {
                reply(MakeError(Reason::kFeatureUnsupported, text));
              });
}

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_UNSUPPORTED_H_
