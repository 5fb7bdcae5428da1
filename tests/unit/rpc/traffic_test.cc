#include "service/rpc/traffic.h"

#include <gtest/gtest.h>

#include "service/base/error.h"

namespace kelpmq::service {
namespace {

PublishResult Result() {
  PublishResult result;
  result.accepted_count = 7;
  result.unrouted_count = 2;
  result.queue_count = 11;
  result.failures = {{0, MakeError(Reason::kNoRoute, "no route")},
                     {1, MakeError(Reason::kQueueFull, "full")}};
  return result;
}

TEST(Traffic, CountsARequestByWhatBecameOfItsItems) {
  Traffic traffic;
  CountPublished(10, /*wants_confirm=*/true, Result(), &traffic);
  EXPECT_EQ(traffic.received.value(), 10u);
  EXPECT_EQ(traffic.received_confirm.value(), 10u);
  EXPECT_EQ(traffic.confirmed.value(), 7u);
  EXPECT_EQ(traffic.routed.value(), 11u);
  EXPECT_EQ(traffic.unroutable_dropped.value(), 2u);
  EXPECT_EQ(traffic.unroutable_returned.value(), 1u);
}

TEST(Traffic, CountsNoConfirmWhereNoneIsWanted) {
  Traffic traffic;
  CountPublished(10, /*wants_confirm=*/false, Result(), &traffic);
  EXPECT_EQ(traffic.received_confirm.value(), 0u);
  EXPECT_EQ(traffic.confirmed.value(), 0u);
  EXPECT_EQ(traffic.routed.value(), 11u);
}

TEST(Traffic, ARequestThatFailsAsAWholeWasReceivedAllTheSame) {
  Traffic traffic;
  CountPublished(10, /*wants_confirm=*/true,
                 MakeError(Reason::kVhostNotFound, "no vhost"), &traffic);
  EXPECT_EQ(traffic.received.value(), 10u);
  EXPECT_EQ(traffic.confirmed.value(), 0u);
}

TEST(Traffic, CountsAGetByHowItIsAcknowledged) {
  Traffic traffic;
  std::vector<Delivery> deliveries(3);
  deliveries[1].delivery_count = 2;
  CountGot(deliveries, /*auto_ack=*/false, &traffic);
  CountGot(deliveries, /*auto_ack=*/true, &traffic);
  CountGot({}, /*auto_ack=*/true, &traffic);
  EXPECT_EQ(traffic.got_manual_ack.value(), 3u);
  EXPECT_EQ(traffic.got_auto_ack.value(), 3u);
  EXPECT_EQ(traffic.redelivered.value(), 2u);
  EXPECT_EQ(traffic.got_nothing.value(), 1u);
}

}  // namespace
}  // namespace kelpmq::service
