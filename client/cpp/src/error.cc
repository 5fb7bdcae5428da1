#include "kelpmq/error.h"

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace kelpmq {
namespace {

// Payloads of our statuses.
constexpr absl::string_view kReasonUrl = "kelpmq/reason";
constexpr absl::string_view kAmqpCodeUrl = "kelpmq/amqp_code";
constexpr absl::string_view kMetadataUrl = "kelpmq/metadata/";

std::string PayloadOf(const absl::Status& status, absl::string_view url) {
  const auto payload = status.GetPayload(url);
  return payload.has_value() ? std::string(*payload) : "";
}

}  // namespace

std::string ReasonOf(const absl::Status& status) {
  return PayloadOf(status, kReasonUrl);
}

int AmqpCodeOf(const absl::Status& status) {
  int code = 0;
  return absl::SimpleAtoi(PayloadOf(status, kAmqpCodeUrl), &code) ? code : 0;
}

std::map<std::string, std::string> MetadataOf(const absl::Status& status) {
  std::map<std::string, std::string> metadata;
  status.ForEachPayload(
      [&metadata](absl::string_view url, const absl::Cord& payload) {
        if (absl::ConsumePrefix(&url, kMetadataUrl)) {
          metadata.emplace(std::string(url), std::string(payload));
        }
      });
  return metadata;
}

bool IsOutcomeUnknown(const absl::Status& status) {
  return ReasonOf(status) == kConfirmLost;
}

absl::Status MakeError(absl::StatusCode code, absl::string_view reason,
                       absl::string_view message, int amqp_code,
                       const std::map<std::string, std::string>& metadata) {
  // A failure is one, whatever code came with it.
  if (code == absl::StatusCode::kOk) code = absl::StatusCode::kUnknown;
  absl::Status status(code, message);
  if (!reason.empty()) status.SetPayload(kReasonUrl, absl::Cord(reason));
  if (amqp_code != 0) {
    status.SetPayload(kAmqpCodeUrl, absl::Cord(absl::StrCat(amqp_code)));
  }
  for (const auto& [key, value] : metadata) {
    status.SetPayload(absl::StrCat(kMetadataUrl, key), absl::Cord(value));
  }
  return status;
}

}  // namespace kelpmq
