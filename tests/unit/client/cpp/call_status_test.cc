#include "client/cpp/src/call_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kelpmq/error.h"

namespace kelpmq::client {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(CallStatus, AFailureInAResponseHasReasonCodeAndMetadata) {
  v1::OperationError error;
  error.set_code(5);
  error.set_reason("QUEUE_NOT_FOUND");
  error.set_message("NOT_FOUND - no queue 'q'");
  error.set_amqp_code(404);
  (*error.mutable_metadata())["queue"] = "q";
  const absl::Status status = StatusOf(error);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(status), "QUEUE_NOT_FOUND");
  EXPECT_EQ(AmqpCodeOf(status), 404);
  EXPECT_THAT(MetadataOf(status), ElementsAre(Pair("queue", "q")));
}

TEST(CallStatus, AFailureIsOneWhateverItsCodeSays) {
  v1::PublishFailure failure;
  failure.set_reason("ODD");
  EXPECT_EQ(StatusOf(failure).code(), absl::StatusCode::kUnknown);
}

TEST(CallStatus, WhatTheBrokerRefusedIsNotTriedAgain) {
  const auto loss = [](absl::StatusCode code, absl::string_view reason) {
    return IsConnectionLoss(MakeError(code, reason, ""));
  };
  EXPECT_TRUE(loss(absl::StatusCode::kUnavailable, ""));
  EXPECT_TRUE(loss(absl::StatusCode::kUnavailable, "SERVER_DRAINING"));
  EXPECT_TRUE(loss(absl::StatusCode::kAborted, "SESSION_ENDED"));
  EXPECT_TRUE(loss(absl::StatusCode::kInternal, ""));
  EXPECT_TRUE(loss(absl::StatusCode::kUnauthenticated, "TOKEN_EXPIRED"));
  EXPECT_FALSE(loss(absl::StatusCode::kInternal, "INTERNAL_ERROR"));
  EXPECT_FALSE(loss(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIALS"));
  EXPECT_FALSE(loss(absl::StatusCode::kNotFound, "VHOST_NOT_FOUND"));
  EXPECT_FALSE(loss(absl::StatusCode::kPermissionDenied, ""));
}

}  // namespace
}  // namespace kelpmq::client
