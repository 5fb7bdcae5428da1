#include "service/cli/errors.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "kelpmq/internal/v1/rpc_status.pb.h"
#include "service/cli/hints.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

constexpr absl::string_view kReason = "kelpmq.cli/reason";
constexpr absl::string_view kAmqpCode = "kelpmq.cli/amqp_code";
constexpr absl::string_view kExitCode = "kelpmq.cli/exit_code";
constexpr absl::string_view kHint = "kelpmq.cli/hint";
constexpr absl::string_view kFact = "kelpmq.cli/fact/";

std::string PayloadOf(const absl::Status& status, absl::string_view key) {
  const auto payload = status.GetPayload(key);
  return payload.has_value() ? std::string(*payload) : "";
}

void SetPayload(absl::Status* status, absl::string_view key,
                absl::string_view value) {
  if (!value.empty()) status->SetPayload(key, absl::Cord(value));
}

std::string TrailerOf(const grpc::ClientContext& context, const char* name) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find(name);
  if (found == trailers.end()) return "";
  return std::string(found->second.data(), found->second.size());
}

// The facts of google.rpc.ErrorInfo, if the status carries one.
void AddFacts(const std::string& details, absl::Status* status) {
  internal::v1::Status parsed;
  if (!parsed.ParseFromString(details)) return;
  for (const auto& detail : parsed.details()) {
    if (detail.type_url() != "type.googleapis.com/google.rpc.ErrorInfo") {
      continue;
    }
    internal::v1::ErrorInfo info;
    if (!info.ParseFromString(detail.value())) continue;
    for (const auto& [key, value] : info.metadata()) {
      SetPayload(status, absl::StrCat(kFact, key), value);
    }
  }
}

// "NOT_FOUND - no queue 'q'" -> "no queue 'q'": the reason says it already.
absl::string_view WithoutAmqpName(absl::string_view text) {
  const size_t dash = text.find(" - ");
  if (dash == absl::string_view::npos || dash == 0) return text;
  const absl::string_view name = text.substr(0, dash);
  const bool is_name = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isupper(static_cast<unsigned char>(c)) || c == '_';
  });
  return is_name ? text.substr(dash + 3) : text;
}

// gRPC nests its reports ("failed to connect to all addresses; last error:
// ...: Connection refused"); the innermost is what happened.
absl::string_view Innermost(absl::string_view text) {
  const size_t colon = text.rfind(": ");
  return colon == absl::string_view::npos ? text : text.substr(colon + 2);
}

bool IsOnThisMachine(absl::string_view address) {
  return absl::StartsWith(address, "127.") ||
         absl::StartsWith(address, "localhost:") ||
         absl::StartsWith(address, "[::1]") ||
         absl::StartsWith(address, "unix:");
}

// What a broken handshake says, by a part of gRPC's text.
struct HandshakeHint {
  absl::string_view sign;
  bool with_tls;
  absl::string_view text;
};
constexpr HandshakeHint kHandshakeHints[] = {
    {"Socket closed", false, "if it wants TLS: --tls, or --tls-ca FILE"},
    {"Connection reset by peer", false,
     "if it wants TLS: --tls, or --tls-ca FILE"},
    {"Failed parsing HTTP/2", false,
     "if it wants TLS: --tls, or --tls-ca FILE"},
    {"wrong version number", true,
     "what listens there does not speak TLS: write kelpmq:// instead of "
     "kelpmqs://, leave out --tls and --tls-ca, unset KELPMQ_TLS"},
    {"certificate verify failed", true,
     "say who vouches for its certificate: --tls-ca FILE"},
    {"is not in peer certificate", true,
     "its certificate is for another name: --tls-server-name NAME"},
};

std::string UnreachableHint(const absl::Status& status, const Target& target) {
  for (const HandshakeHint& hint : kHandshakeHints) {
    if (hint.with_tls == target.has_tls &&
        absl::StrContains(status.message(), hint.sign)) {
      return std::string(hint.text);
    }
  }
  const std::string& address = target.address;
  if (address == "127.0.0.1:50672") {
    return "is the broker running? start it: kelpmq serve";
  }
  if (IsOnThisMachine(address)) {
    return absl::StrCat(
        "is the broker running? start it: kelpmq serve --listen ",
        ShellWord(address));
  }
  return "does a broker run there, open to other machines? else correct "
         "--address or KELPMQ_ADDRESS";
}

FailureReport ExplainUnreachable(const absl::Status& status,
                                 const Target& target) {
  return {ExitCode::kUnreachable,
          absl::StrCat("cannot reach the broker at ", target.address, ": ",
                       OneLine(Innermost(status.message()))),
          UnreachableHint(status, target)};
}

}  // namespace

absl::Status MakeFailure(ExitCode exit_code, absl::string_view text,
                         absl::string_view hint) {
  absl::Status status = absl::UnknownError(text);
  SetPayload(&status, kExitCode, absl::StrCat(static_cast<int>(exit_code)));
  SetPayload(&status, kHint, hint);
  return status;
}

absl::Status WithHint(absl::Status status, absl::string_view hint) {
  if (!status.ok()) SetPayload(&status, kHint, hint);
  return status;
}

absl::Status StatusOfCall(const grpc::Status& status,
                          const grpc::ClientContext& context) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
  SetPayload(&result, kReason, TrailerOf(context, "kelpmq-reason"));
  SetPayload(&result, kAmqpCode, TrailerOf(context, "kelpmq-amqp-code"));
  AddFacts(status.error_details(), &result);
  return result;
}

absl::Status StatusOfItem(int code, absl::string_view reason,
                          absl::string_view message, int amqp_code,
                          const ErrorFacts& facts) {
  absl::Status result(static_cast<absl::StatusCode>(code), message);
  // A failure is one whatever its code says.
  if (result.ok()) result = absl::UnknownError(message);
  SetPayload(&result, kReason, reason);
  SetPayload(&result, kAmqpCode, absl::StrCat(amqp_code));
  for (const auto& [key, value] : facts) {
    SetPayload(&result, absl::StrCat(kFact, key), value);
  }
  return result;
}

std::string ReasonOf(const absl::Status& status) {
  return PayloadOf(status, kReason);
}

FailureReport Explain(const absl::Status& status, const Target& target) {
  FailureReport report;
  const std::string reason = ReasonOf(status);
  int exit_code = 0;
  if (absl::SimpleAtoi(PayloadOf(status, kExitCode), &exit_code)) {
    report.exit_code = static_cast<ExitCode>(exit_code);
    report.line = std::string(status.message());
    report.hint = PayloadOf(status, kHint);
    return report;
  }
  if (reason.empty() && absl::IsUnavailable(status)) {
    return ExplainUnreachable(status, target);
  }

  report.line = OneLine(WithoutAmqpName(status.message()));
  if (reason.empty()) {
    report.line = absl::StrCat(report.line, " (",
                               absl::StatusCodeToString(status.code()), ")");
    if (absl::IsDeadlineExceeded(status)) {
      report.line =
          absl::StrCat("no answer in time from the broker at ", target.address);
      report.hint = "allow more time: --timeout 60";
    } else if (absl::IsResourceExhausted(status)) {
      // gRPC's own limit, which stands before the broker's.
      report.hint = "see the limits: kelpmq status";
    } else if (absl::IsUnimplemented(status)) {
      report.hint = absl::StrCat(
          "is there a KelpMQ broker at ", target.address,
          ", as new as this program? check --address or KELPMQ_ADDRESS");
    }
    return report;
  }

  const std::string amqp_code = PayloadOf(status, kAmqpCode);
  report.line = absl::StrCat(report.line, " (", reason,
                             amqp_code.empty() || amqp_code == "0" ? "" : ", ",
                             amqp_code == "0" ? "" : amqp_code, ")");
  ErrorFacts facts;
  status.ForEachPayload(
      [&facts](absl::string_view key, const absl::Cord& fact) {
        if (absl::ConsumePrefix(&key, kFact)) {
          facts.emplace(std::string(key), std::string(fact));
        }
      });
  report.hint = PayloadOf(status, kHint);
  if (report.hint.empty()) {
    report.hint = HintFor(reason, status.message(), facts, target);
  }
  return report;
}

}  // namespace kelpmq::service::cli
