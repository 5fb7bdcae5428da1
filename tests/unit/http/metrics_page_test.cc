#include "service/http/metrics_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kelpmq::service {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(BrokerMetrics, WatchingASessionIsNoChannel) {
  BrokerReading reading;
  reading.streams = {{"Consume", 5, 2}, {"WatchSession", 7, 1}};
  const std::string page = BrokerMetrics(reading);
  EXPECT_THAT(page, HasSubstr("\nrabbitmq_channels 3\n"));
  EXPECT_THAT(page, HasSubstr("\nrabbitmq_channels_opened_total 5\n"));
  EXPECT_THAT(page, HasSubstr("\nkelpmq_streams{rpc=\"WatchSession\"} 6\n"));
}

TEST(BrokerMetrics, SumsUpWhatRabbitMQSumsUp) {
  BrokerReading reading;
  reading.traffic.delivered_manual_ack = 1;
  reading.traffic.delivered_auto_ack = 20;
  reading.traffic.got_manual_ack = 300;
  reading.traffic.got_auto_ack = 4000;
  reading.all_queues.messages_ready = 5;
  reading.all_queues.messages_unacked = 60;
  const std::string page = BrokerMetrics(reading);
  EXPECT_THAT(page, HasSubstr("\nrabbitmq_global_messages_delivered_total{"
                              "protocol=\"kelpmq\"} 4321\n"));
  EXPECT_THAT(page, HasSubstr("\nrabbitmq_queue_messages 65\n"));
}

TEST(QueueMetrics, NamesEachQueueInEachFamilyThatIsAskedFor) {
  const std::vector<QueueReading> queues = {{"/", "a", 1, 2, 3, 4},
                                            {"blue", "b", 5, 6, 7, 8}};
  const std::string page = QueueMetrics(
      queues, {/*counts=*/true, /*bytes=*/false, /*consumers=*/true},
      "rabbitmq_detailed_");
  EXPECT_THAT(page, HasSubstr("rabbitmq_detailed_queue_messages{vhost=\"blue\","
                              "queue=\"b\"} 11\n"));
  EXPECT_THAT(page, HasSubstr("rabbitmq_detailed_queue_consumers{vhost=\"/\","
                              "queue=\"a\"} 4\n"));
  EXPECT_THAT(page, Not(HasSubstr("bytes")));
}

TEST(QueueMetrics, OfNoFamilyIsEmpty) {
  EXPECT_EQ(QueueMetrics({{"/", "a", 1, 2, 3, 4}}, {false, false, false}, "x_"),
            "");
}

}  // namespace
}  // namespace kelpmq::service
