#include "service/rpc/testing_service.h"

#include <utility>

#include "absl/status/statusor.h"
#include "kelpmq/v1/testing.pb.h"
#include "service/base/error.h"
#include "service/rpc/codec.h"
#include "service/rpc/convert.h"
#include "service/rpc/unsupported.h"

namespace kelpmq::service {
namespace {

// By how much one call moves the clock; far from where times end.
constexpr DurationBounds kBounds = {absl::ZeroDuration(), absl::Nanoseconds(1),
                                    absl::Hours(24 * 366 * 1000)};

constexpr char kAdvanceClock[] = "/kelpmq.v1.TestingService/AdvanceClock";

}  // namespace

void TestingService::Register(MethodTable* table) {
  if (time_ == nullptr) return AddUnsupported(table, kAdvanceClock);
  AddUnary<v1::AdvanceClockRequest, v1::AdvanceClockResponse>(
      table, kAdvanceClock, MethodTable::WhileDraining::kAllow,
      [time = time_](CallContext, v1::AdvanceClockRequest request,
                     Reply<v1::AdvanceClockResponse> reply) {
        absl::StatusOr<absl::Duration> by =
            ToDuration("by", request.by(), kBounds);
        if (!by.ok()) return reply(std::move(by).status());
        time->Advance(*by, [reply = std::move(reply)](absl::Time now) mutable {
          v1::AdvanceClockResponse response;
          *response.mutable_current_time() = FromTime(now);
          reply(std::move(response));
        });
      },
      MethodTable::OpenTo::kAdministrators);
}

}  // namespace kelpmq::service
