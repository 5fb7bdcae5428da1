#include "service/rpc/messaging_service.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/caller.h"
#include "service/rpc/confirms.h"
#include "service/rpc/consume_stream.h"
#include "service/rpc/convert.h"
#include "service/rpc/delivery_tags.h"
#include "service/rpc/get_call.h"
#include "service/rpc/publish_access.h"
#include "service/rpc/publish_request.h"
#include "service/rpc/publish_stream.h"
#include "service/rpc/stream_errors.h"
#include "service/rpc/stream_requests.h"

namespace kelpmq::service {
namespace {

using WhileDraining = MethodTable::WhileDraining;

constexpr absl::string_view kService = "/kelpmq.v1.MessagingService/";

// Grows with each addition to v1.
constexpr uint32_t kApiRevision = 2;

// Failures that a status tells of: more would not fit its trailers.
constexpr size_t kMaxFailuresInStatus = 100;
constexpr absl::string_view kSettleFailuresDetail =
    "kelpmq/detail/type.googleapis.com/kelpmq.v1.SettleFailures";

PublishLimits LimitsOf(const MessagingContext& context) {
  return {context.limits.message, context.limits.max_batch_items};
}

absl::Status CheckProducer(const PublishRequestData& request) {
  if (!request.producer_id.empty()) {
    return MakeError(Reason::kFeatureUnsupported,
                     "producer_id: deduplication is not available");
  }
  if (request.sequence != 0) {
    return MakeError(Reason::kInvalidValue,
                     "sequence has a meaning only with producer_id");
  }
  return absl::OkStatus();
}

// Names the vhost, and takes out what the login may not publish.
absl::Status CheckAccess(const MessagingContext& context, const LoginRef& login,
                         PublishRequestData* request) {
  request->vhost = context.VhostOrDefault(request->vhost);
  VhostAccess access(login, request->vhost);
  absl::Status allowed =
      CheckVhostAccess(*context.engine, request->vhost, &access);
  if (allowed.ok()) allowed = CheckPublish(*context.engine, &access, request);
  return allowed;
}

// What a settle that could not be honoured in full answers; the worst of its
// failures gives the reason. The rest of it has been done.
absl::Status ToStatus(const std::vector<TagFailure>& failures) {
  const auto is = [&failures](TagFailureReason reason) {
    return std::find_if(failures.begin(), failures.end(),
                        [reason](const TagFailure& failure) {
                          return failure.reason == reason;
                        });
  };
  absl::Status status;
  if (auto it = is(TagFailureReason::kInvalid); it != failures.end()) {
    status = MakeError(
        Reason::kInvalidValue,
        absl::StrCat("invalid tags ", it->tags.first, " to ", it->tags.last,
                     ": tags start at 1, and first <= last"));
  } else if (auto it = is(TagFailureReason::kUnknownTag);
             it != failures.end()) {
    status = MakeError(Reason::kUnknownDeliveryTag,
                       absl::StrCat("unknown delivery tag ", it->tags.first));
  } else {
    status = MakeError(Reason::kDeliveryLost,
                       absl::StrCat("delivery tag ", failures[0].tags.first,
                                    " is lost: its queue was deleted, or its "
                                    "delivery timed out"));
  }
  v1::SettleFailures detail;
  for (const TagFailure& failure : failures) {
    if (detail.failures_size() == kMaxFailuresInStatus) break;
    *detail.add_failures() = ToProto(failure);
  }
  status.SetPayload(kSettleFailuresDetail,
                    absl::Cord(detail.SerializeAsString()));
  return status;
}

}  // namespace

void MessagingService::Register(MethodTable* methods) {
  const auto path = [](absl::string_view name) {
    return absl::StrCat(kService, name);
  };
  AddRawUnary(
      methods, path("Publish"), WhileDraining::kAllow,
      [this](CallContext context, grpc::ByteBuffer request, RawReply reply) {
        Publish(context.login, std::move(request), std::move(reply));
      });
  AddRawUnary(
      methods, path("PublishBatch"), WhileDraining::kAllow,
      [this](CallContext context, grpc::ByteBuffer request, RawReply reply) {
        PublishBatch(context.login, std::move(request), std::move(reply));
      });
  methods->Add(
      path("PublishStream"), WhileDraining::kRefuse,
      [this] { return std::make_shared<PublishStream>(context_); },
      MethodTable::Kind::kStream);
  methods->Add(path("Get"), WhileDraining::kRefuse,
               [this] { return std::make_shared<GetCall>(context_); });
  AddUnary<v1::AckRequest, v1::AckResponse>(
      methods, path("Ack"), WhileDraining::kAllow,
      [this](CallContext context, v1::AckRequest request,
             Reply<v1::AckResponse> reply) {
        Settle(context.login, request, SettleAction::kAck, std::move(reply));
      });
  AddUnary<v1::NackRequest, v1::NackResponse>(
      methods, path("Nack"), WhileDraining::kAllow,
      [this](CallContext context, v1::NackRequest request,
             Reply<v1::NackResponse> reply) {
        Settle(
            context.login, request,
            request.discard() ? SettleAction::kDiscard : SettleAction::kRequeue,
            std::move(reply));
      });
  AddUnary<v1::ExtendLeaseRequest, v1::ExtendLeaseResponse>(
      methods, path("ExtendLease"), WhileDraining::kAllow,
      [this](CallContext context, v1::ExtendLeaseRequest request,
             Reply<v1::ExtendLeaseResponse> reply) {
        ExtendLease(context.login, request, std::move(reply));
      });
  methods->Add(
      path("Subscribe"), WhileDraining::kRefuse,
      [this] { return std::make_shared<SubscribeStream>(context_); },
      MethodTable::Kind::kStream);
  methods->Add(
      path("Consume"), WhileDraining::kRefuse,
      [this] { return std::make_shared<ConsumeStream>(context_); },
      MethodTable::Kind::kStream);
  AddUnary<v1::GetServerInfoRequest, v1::GetServerInfoResponse>(
      methods, path("GetServerInfo"), WhileDraining::kAllow,
      [this](CallContext, v1::GetServerInfoRequest,
             Reply<v1::GetServerInfoResponse> reply) {
        std::move(reply)(ServerInfo());
      });
}

void MessagingService::Publish(const LoginRef& login, grpc::ByteBuffer bytes,
                               RawReply reply) {
  if (context_->memory->on()) return std::move(reply)(MemoryAlarmError());
  absl::StatusOr<PublishRequestData> request =
      DecodePublishRequest(bytes, LimitsOf(*context_));
  absl::Status status = request.status();
  if (status.ok()) status = CheckProducer(*request);
  if (status.ok()) status = CheckAccess(*context_, login, &*request);
  if (status.ok() && !request->failures.empty()) {
    status = request->failures[0].error;
  }
  if (!status.ok()) {
    std::move(reply)(std::move(status));
    return;
  }
  context_->memory->TookIn(bytes.Length() + kMessageOverheadBytes);
  PublishParams params;
  params.vhost = std::move(request->vhost);
  params.items = std::move(request->items);
  context_->engine->Publish(
      std::move(params),
      [reply = std::move(reply), traffic = context_->traffic](
          absl::StatusOr<PublishResult> result) mutable {
        CountPublished(1, /*wants_confirm=*/true, result, traffic);
        if (!result.ok()) {
          std::move(reply)(result.status());
        } else if (!result->failures.empty()) {
          std::move(reply)(std::move(result->failures[0].error));
        } else {
          v1::PublishResponse response;
          response.set_queue_count(result->queue_count);
          std::move(reply)(Serialize(response));
        }
      });
}

void MessagingService::PublishBatch(const LoginRef& login,
                                    grpc::ByteBuffer bytes, RawReply reply) {
  if (context_->memory->on()) return std::move(reply)(MemoryAlarmError());
  absl::StatusOr<PublishRequestData> request =
      DecodePublishBatch(bytes, LimitsOf(*context_));
  absl::Status status = request.status();
  if (status.ok()) status = CheckProducer(*request);
  if (status.ok()) status = CheckAccess(*context_, login, &*request);
  if (!status.ok()) {
    std::move(reply)(std::move(status));
    return;
  }
  context_->memory->TookIn(bytes.Length() +
                           request->item_count * kMessageOverheadBytes);
  PublishParams params;
  params.vhost = std::move(request->vhost);
  params.items = std::move(request->items);
  context_->engine->Publish(
      std::move(params),
      [reply = std::move(reply), failures = std::move(request->failures),
       item_count = request->item_count, traffic = context_->traffic,
       item_index = std::move(request->item_index)](
          absl::StatusOr<PublishResult> result) mutable {
        CountPublished(item_count, /*wants_confirm=*/true, result, traffic);
        if (!result.ok()) {
          std::move(reply)(result.status());
          return;
        }
        v1::PublishBatchResponse response;
        response.set_accepted_count(result->accepted_count);
        response.set_unrouted_count(result->unrouted_count);
        for (const PublishFailure& failure :
             MergeFailures(std::move(failures), item_index,
                           std::move(result->failures))) {
          *response.add_failures() = ToProto(/*sequence=*/0, failure);
        }
        std::move(reply)(Serialize(response));
      });
}

template <typename Request, typename Response>
void MessagingService::Settle(const LoginRef& login, const Request& request,
                              SettleAction action, Reply<Response> reply) {
  const TagSelection selection = ReadTagSelection(request);
  if (selection.empty()) {
    std::move(reply)(
        MakeError(Reason::kNoTags,
                  "no tag is named: set delivery_tags, ranges, up_to or all"));
    return;
  }
  absl::StatusOr<Leases::Found> found = FindLease(login, request.lease_id());
  if (!found.ok()) {
    std::move(reply)(found.status());
    return;
  }
  auto answer = [reply = std::move(reply), action,
                 traffic = context_->traffic](SettleOutcome outcome) mutable {
    if (action == SettleAction::kAck) {
      traffic->acknowledged.Add(outcome.settled_count);
    }
    if (!outcome.failures.empty()) {
      std::move(reply)(ToStatus(outcome.failures));
      return;
    }
    Response response;
    response.set_settled_count(outcome.settled_count);
    response.set_already_settled_count(outcome.already_settled_count);
    std::move(reply)(std::move(response));
  };
  if (found->lease == nullptr) {
    DeliveryTags::Taken taken =
        DeliveryTags(found->highest_tag).Take(selection);
    answer({0, taken.already_settled_count, std::move(taken.failures)});
    return;
  }
  found->lease->Settle(action, selection, std::move(answer));
}

absl::StatusOr<Leases::Found> MessagingService::FindLease(
    const LoginRef& login, const std::string& id) const {
  absl::StatusOr<Leases::Found> found = context_->leases->Find(id);
  if (found.ok() && found->lease != nullptr &&
      found->lease->user() != UserOf(login)) {
    return MakeError(
        Reason::kAccessRefused,
        absl::StrCat("the lease is not one of user '", UserOf(login), "'"));
  }
  return found;
}

void MessagingService::ExtendLease(const LoginRef& login,
                                   const v1::ExtendLeaseRequest& request,
                                   Reply<v1::ExtendLeaseResponse> reply) {
  absl::StatusOr<absl::Duration> duration =
      ReadLeaseDuration(request.lease_duration());
  if (!duration.ok()) {
    std::move(reply)(duration.status());
    return;
  }
  absl::StatusOr<Leases::Found> found = FindLease(login, request.lease_id());
  if (!found.ok()) {
    std::move(reply)(found.status());
    return;
  }
  if (found->lease == nullptr) {
    std::move(reply)(MakeError(Reason::kLeaseExpired,
                               "the lease has ended: all of it was settled"));
    return;
  }
  absl::StatusOr<absl::Time> expire_time = found->lease->Extend(*duration);
  if (!expire_time.ok()) {
    std::move(reply)(expire_time.status());
    return;
  }
  v1::ExtendLeaseResponse response;
  *response.mutable_lease_expire_time() = FromTime(*expire_time);
  std::move(reply)(std::move(response));
}

v1::GetServerInfoResponse MessagingService::ServerInfo() const {
  v1::GetServerInfoResponse info;
  info.set_version(identity_.version);
  info.set_engine(context_->engine->name());
  info.set_node_id(identity_.node_id);
  info.set_api_revision(kApiRevision);
  const Limits& limits = context_->limits;
  v1::Limits* proto = info.mutable_limits();
  proto->set_max_message_bytes(limits.message.max_message_bytes);
  proto->set_max_request_bytes(limits.max_request_bytes());
  proto->set_max_header_bytes(limits.message.max_header_bytes);
  proto->set_max_header_depth(limits.message.max_depth);
  proto->set_max_batch_items(limits.max_batch_items);
  proto->set_max_unacked_per_stream(limits.max_unacked_per_stream);
  proto->set_max_consumers_per_stream(limits.max_consumers_per_stream);
  info.mutable_features()->Assign(identity_.features.begin(),
                                  identity_.features.end());
  *info.mutable_start_time() = FromTime(identity_.start_time);
  const MemoryAlarm& memory = *context_->memory;
  v1::MemoryStatus* status = info.mutable_memory();
  status->set_limit_bytes(memory.marks().limit_bytes);
  status->set_high_watermark_bytes(memory.marks().high_bytes);
  status->set_used_bytes(memory.UsedBytes());
  status->set_alarm(memory.on());
  return info;
}

}  // namespace kelpmq::service
