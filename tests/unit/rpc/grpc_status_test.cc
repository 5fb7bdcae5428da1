#include "service/rpc/grpc_status.h"

#include <gmock/gmock.h>
#include <google/protobuf/any.pb.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "kelpmq/internal/v1/rpc_status.pb.h"
#include "kelpmq/v1/messaging.pb.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

namespace wire = ::kelpmq::internal::v1;
using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kRetryInfoUrl[] = "type.googleapis.com/google.rpc.RetryInfo";

wire::Status DetailsOf(const RpcStatus& status) {
  wire::Status details;
  EXPECT_TRUE(details.ParseFromString(status.status.error_details()));
  return details;
}

template <typename Message>
bool FindDetail(const RpcStatus& status, const std::string& url,
                Message* message) {
  const wire::Status details = DetailsOf(status);
  for (const auto& any : details.details()) {
    if (any.type_url() == url) return message->ParseFromString(any.value());
  }
  return false;
}

TEST(GrpcStatus, OkHasNothingElse) {
  const RpcStatus status = ToRpcStatus(absl::OkStatus());
  EXPECT_TRUE(status.status.ok());
  EXPECT_TRUE(status.trailers.empty());
}

TEST(GrpcStatus, ErrorCarriesReasonCodeAndMetadata) {
  const RpcStatus status =
      ToRpcStatus(MakeError(Reason::kQueueNotFound, "no queue 'q' in vhost '/'",
                            {{"queue", "q"}, {"vhost", "/"}}));
  EXPECT_EQ(status.status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.status.error_message(),
            "NOT_FOUND - no queue 'q' in vhost '/'");
  EXPECT_THAT(status.trailers,
              Contains(Pair("kelpmq-reason", "QUEUE_NOT_FOUND")));
  EXPECT_THAT(status.trailers, Contains(Pair("kelpmq-amqp-code", "404")));

  EXPECT_EQ(DetailsOf(status).code(), 5);
  EXPECT_EQ(DetailsOf(status).message(), status.status.error_message());
  wire::ErrorInfo info;
  ASSERT_TRUE(FindDetail(status, kErrorInfoUrl, &info));
  EXPECT_EQ(info.domain(), "kelpmq");
  EXPECT_EQ(info.reason(), "QUEUE_NOT_FOUND");
  const std::map<std::string, std::string> metadata(info.metadata().begin(),
                                                    info.metadata().end());
  EXPECT_EQ(metadata,
            (std::map<std::string, std::string>{{"amqp_code", "404"},
                                                {"amqp_name", "NOT_FOUND"},
                                                {"queue", "q"},
                                                {"vhost", "/"}}));
  wire::RetryInfo retry;
  EXPECT_FALSE(FindDetail(status, kRetryInfoUrl, &retry));
}

TEST(GrpcStatus, RetryInfoOnlyWhereARetryHelps) {
  for (Reason reason :
       {Reason::kServerDraining, Reason::kSessionEnded, Reason::kMemoryAlarm,
        Reason::kDiskAlarm, Reason::kUpstreamBlocked,
        Reason::kUpstreamUnavailable}) {
    wire::RetryInfo retry;
    EXPECT_TRUE(FindDetail(ToRpcStatus(MakeError(reason, "later")),
                           kRetryInfoUrl, &retry))
        << EntryOf(reason).name;
    EXPECT_GT(retry.retry_delay().seconds() * 1000000000 +
                  retry.retry_delay().nanos(),
              0);
  }
  for (Reason reason : {Reason::kQueueFull, Reason::kLimitExceeded,
                        Reason::kConsumerExclusive}) {
    wire::RetryInfo retry;
    EXPECT_FALSE(
        FindDetail(ToRpcStatus(MakeError(reason, "no")), kRetryInfoUrl, &retry))
        << EntryOf(reason).name;
  }
}

TEST(GrpcStatus, PayloadBecomesAFurtherDetail) {
  absl::Status error = MakeError(Reason::kUnknownDeliveryTag, "unknown tag");
  v1::SettleFailures failures;
  failures.add_failures()->mutable_tags()->set_first(7);
  const std::string url = "type.googleapis.com/kelpmq.v1.SettleFailures";
  error.SetPayload(absl::StrCat(kDetailPayloadPrefix, url),
                   absl::Cord(failures.SerializeAsString()));
  v1::SettleFailures read;
  ASSERT_TRUE(FindDetail(ToRpcStatus(error), url, &read));
  EXPECT_EQ(read.failures(0).tags().first(), 7u);
}

TEST(GrpcStatus, LongTextIsCutBetweenCharacters) {
  std::string text = "x";
  for (int i = 0; i < 1000; ++i) text += "\u00e9";  // two bytes each
  const RpcStatus status = ToRpcStatus(MakeError(Reason::kNoRoute, text));
  const std::string cut = status.status.error_message();
  EXPECT_LE(cut.size(), 1024u);
  EXPECT_GE(cut.size(), 1020u);
  EXPECT_THAT(cut, StartsWith("NO_ROUTE - x\u00e9"));
  EXPECT_THAT(cut, EndsWith("\u00e9..."));
}

TEST(GrpcStatus, TrailersStayUnderEightKilobytes) {
  // The worst there is: each byte of the text goes as %XX.
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "\u00e9";
  const std::string name(10'000, 'n');
  absl::Status error = MakeError(
      Reason::kServerDraining, text,
      {{"vhost", name}, {"queue", name}, {"exchange", name}, {"limit", name}});
  error.SetPayload(absl::StrCat(kDetailPayloadPrefix, "big"),
                   absl::Cord(std::string(4096, 'b')));
  const RpcStatus status = ToRpcStatus(error);
  const size_t message_bytes = 3 * status.status.error_message().size();
  const size_t details_bytes = status.status.error_details().size() * 4 / 3;
  EXPECT_LE(message_bytes + details_bytes, 7500u);
  // What names the error goes before what only adds to it.
  wire::ErrorInfo info;
  ASSERT_TRUE(FindDetail(status, kErrorInfoUrl, &info));
  EXPECT_EQ(info.metadata().at("vhost").size(), 256u);
  EXPECT_THAT(DetailsOf(status).details(), SizeIs(2));
}

TEST(GrpcStatus, StatusFromElsewhere) {
  const RpcStatus internal = ToRpcStatus(absl::InternalError("oops"));
  EXPECT_EQ(internal.status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(internal.trailers,
              Contains(Pair("kelpmq-reason", "INTERNAL_ERROR")));
  EXPECT_THAT(internal.trailers, Contains(Pair("kelpmq-amqp-code", "541")));

  const RpcStatus plain = ToRpcStatus(absl::NotFoundError("no such service"));
  EXPECT_EQ(plain.status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(plain.status.error_details(), "");
  EXPECT_TRUE(plain.trailers.empty());
}

}  // namespace
}  // namespace kelpmq::service
