#include "service/rpc/grpc_status.h"

#include <google/protobuf/any.pb.h>

#include <cstddef>
#include <cstdint>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "kelpmq/internal/v1/rpc_status.pb.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

namespace wire = ::kelpmq::internal::v1;

constexpr absl::string_view kErrorInfoUrl =
    "type.googleapis.com/google.rpc.ErrorInfo";
constexpr absl::string_view kRetryInfoUrl =
    "type.googleapis.com/google.rpc.RetryInfo";
constexpr absl::string_view kDomain = "kelpmq";

constexpr size_t kMaxTextBytes = 1024;
constexpr size_t kMaxValueBytes = 256;
// What the text (grpc-message) and the details (grpc-status-details-bin) may
// take together of the 8 KiB; the rest is for the other trailers and for
// HPACK's 32 bytes an entry.
constexpr size_t kMaxTrailerBytes = 7400;

// How long a client should wait; how often a cause like this is over by then
// is a guess, not a promise.
constexpr absl::Duration kAlarmRetryDelay = absl::Seconds(1);
constexpr absl::Duration kElsewhereRetryDelay = absl::Milliseconds(200);

absl::optional<absl::Duration> RetryDelayOf(const absl::Status& status) {
  for (Reason reason :
       {Reason::kMemoryAlarm, Reason::kDiskAlarm, Reason::kUpstreamBlocked}) {
    if (HasReason(status, reason)) return kAlarmRetryDelay;
  }
  for (Reason reason : {Reason::kServerDraining, Reason::kSessionEnded,
                        Reason::kUpstreamUnavailable}) {
    if (HasReason(status, reason)) return kElsewhereRetryDelay;
  }
  return absl::nullopt;
}

// At most `max` bytes, cut between characters: a broken one would make the
// details unreadable.
std::string Cut(absl::string_view text, size_t max) {
  if (text.size() <= max) return std::string(text);
  constexpr absl::string_view kEllipsis = "...";
  size_t end = max - kEllipsis.size();
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
  return absl::StrCat(text.substr(0, end), kEllipsis);
}

// What details may take besides the text; base64 makes 4 bytes of 3.
size_t DetailsBudget(absl::string_view text) {
  size_t encoded = 0;  // a byte that is not plain ASCII goes as %XX
  for (char c : text) encoded += c >= 0x20 && c <= 0x7e && c != '%' ? 1 : 3;
  return (kMaxTrailerBytes - encoded) / 4 * 3;
}

// Leaves the detail out if it does not fit.
void AddDetail(absl::string_view url, std::string bytes, size_t budget,
               wire::Status* details) {
  google::protobuf::Any* any = details->add_details();
  any->set_type_url(url.data(), url.size());
  any->set_value(std::move(bytes));
  if (details->ByteSizeLong() > budget) {
    details->mutable_details()->RemoveLast();
  }
}

std::string EncodeErrorInfo(const ErrorInfo& info) {
  wire::ErrorInfo error_info;
  error_info.set_reason(std::string(info.reason_name));
  error_info.set_domain(std::string(kDomain));
  auto& metadata = *error_info.mutable_metadata();
  metadata["amqp_code"] = absl::StrCat(info.amqp_code);
  if (!info.amqp_name.empty()) metadata["amqp_name"] = info.amqp_name;
  for (const auto& [key, value] : info.metadata) {
    metadata[key] = Cut(value, kMaxValueBytes);
  }
  return error_info.SerializeAsString();
}

std::string EncodeRetryInfo(absl::Duration delay) {
  wire::RetryInfo retry_info;
  auto* wire_delay = retry_info.mutable_retry_delay();
  wire_delay->set_seconds(absl::IDivDuration(delay, absl::Seconds(1), &delay));
  wire_delay->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(delay)));
  return retry_info.SerializeAsString();
}

}  // namespace

RpcStatus ToRpcStatus(const absl::Status& status) {
  if (status.ok()) return {};
  const auto code = static_cast<grpc::StatusCode>(status.code());
  std::string text = Cut(status.message(), kMaxTextBytes);
  const ErrorInfo info = InfoOf(status);
  const bool from_elsewhere =
      info.reason_name == EntryOf(Reason::kInternalError).name &&
      !HasReason(status, Reason::kInternalError);
  if (from_elsewhere && status.code() != absl::StatusCode::kInternal &&
      status.code() != absl::StatusCode::kUnknown) {
    return {grpc::Status(code, std::move(text)), {}};
  }

  wire::Status details;
  details.set_code(static_cast<int>(code));
  details.set_message(text);
  const size_t budget = DetailsBudget(text);
  AddDetail(kErrorInfoUrl, EncodeErrorInfo(info), budget, &details);
  if (auto delay = RetryDelayOf(status)) {
    AddDetail(kRetryInfoUrl, EncodeRetryInfo(*delay), budget, &details);
  }
  status.ForEachPayload(
      [&details, budget](absl::string_view url, const absl::Cord& value) {
        if (absl::ConsumePrefix(&url, kDetailPayloadPrefix)) {
          AddDetail(url, std::string(value), budget, &details);
        }
      });

  RpcStatus result;
  result.status =
      grpc::Status(code, std::move(text), details.SerializeAsString());
  result.trailers.emplace_back("kelpmq-reason", std::string(info.reason_name));
  result.trailers.emplace_back("kelpmq-amqp-code",
                               absl::StrCat(info.amqp_code));
  return result;
}

}  // namespace kelpmq::service
