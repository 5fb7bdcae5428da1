#include "service/rpc/call_log.h"

#include "absl/status/status.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

// "/kelpmq.v1.MessagingService/PublishStream": "PublishStream".
absl::string_view RpcOf(absl::string_view method) {
  return method.substr(method.rfind('/') + 1);
}

LogLevel LevelOf(const absl::Status& error, bool is_stream) {
  switch (error.code()) {
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      return LogLevel::kError;
    case absl::StatusCode::kCancelled:    // by the client
    case absl::StatusCode::kUnavailable:  // we stop, which has its own line
    case absl::StatusCode::kAborted:      // as a session's end has
      return LogLevel::kDebug;
    default:
      return is_stream ? LogLevel::kWarning : LogLevel::kDebug;
  }
}

}  // namespace

CallLog::CallLog(const MethodTable& methods, const Log* log) : log_(log) {
  methods.ForEach(
      [this](const std::string& path, const MethodTable::Method& method) {
        if (method.kind == MethodTable::Kind::kStream) {
          streams_[std::string(RpcOf(path))];
        }
      });
}

void CallLog::StreamOpened(const Caller& caller) {
  const absl::string_view rpc = RpcOf(caller.method);
  streams_.find(rpc)->second.opened.Add(1);
  log_->Info("stream opened", {{"rpc", rpc}, {"peer", caller.peer}});
}

void CallLog::CallFailed(const Caller& caller, const absl::Status& error) {
  failed_calls_.Add(1);
  const LogLevel level = LevelOf(error, caller.is_stream);
  if (!log_->Writes(level)) return;
  log_->Write(
      level, "call failed",
      {LogField("rpc", RpcOf(caller.method)), LogField("peer", caller.peer),
       LogField("code", absl::StatusCodeToString(error.code())),
       LogField("reason", InfoOf(error).reason_name),
       LogField("error", error.message())});
}

void CallLog::StreamClosed(const Caller& caller, bool cancelled) {
  const absl::string_view rpc = RpcOf(caller.method);
  streams_.find(rpc)->second.closed.Add(1);
  log_->Info("stream closed",
             {{"rpc", rpc}, {"peer", caller.peer}, {"cancelled", cancelled}});
}

}  // namespace kelpmq::service
