#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "google/protobuf/util/message_differencer.h"
#include "tests/e2e/cpp/client_fixture.h"

namespace kelpmq::testing {
namespace {

using ::testing::ElementsAre;

class ClientPublish : public ClientTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(client_->topology().DeclareQueue("q").ok());
  }
  // Ready messages of the queue.
  uint64_t Ready() {
    return client_->topology().GetQueue("q")->messages_ready();
  }

  std::unique_ptr<Client> client_ = Connect();
};

// One of each kind, with values at the edge.
v1::Message MessageWithEveryKind() {
  v1::Message message;
  auto& headers = *message.mutable_headers();
  headers["string"].set_string_value("grüße");
  headers["int64"].set_int64_value(-9'007'199'254'740'993);  // no double has it
  headers["bool"].set_bool_value(true);
  headers["double"].set_double_value(-0.1);
  (*headers["table"].mutable_table_value()->mutable_fields())["inner"]
      .set_int32_value(1);
  headers["array"].mutable_array_value()->add_values()->set_string_value("a");
  headers["array"].mutable_array_value()->add_values()->set_null_value(
      google::protobuf::NULL_VALUE);
  headers["bytes"].set_bytes_value(std::string("\0\xff", 2));
  headers["timestamp"].set_timestamp_value(1'800'000'000);
  headers["null"].set_null_value(google::protobuf::NULL_VALUE);
  headers["int32"].set_int32_value(-2'147'483'648);
  headers["int16"].set_int16_value(-32'768);
  headers["int8"].set_int8_value(-128);
  headers["uint8"].set_uint8_value(255);
  headers["uint16"].set_uint16_value(65'535);
  headers["uint32"].set_uint32_value(4'294'967'295);
  headers["float"].set_float_value(1.5F);
  headers["decimal"].mutable_decimal_value()->set_scale(2);
  headers["decimal"].mutable_decimal_value()->set_unscaled(314);
  headers["raw"].set_raw_string_value("\xff");
  message.set_body(std::string("\0body\xff", 6));
  message.set_content_type("text/plain");
  message.set_content_encoding("gzip");
  message.set_delivery_mode(v1::DELIVERY_MODE_PERSISTENT);
  message.set_priority(3);
  message.set_correlation_id("c");
  message.set_reply_to("r");
  message.set_expiration("60000");
  message.set_message_id("m");
  message.set_timestamp(1'700'000'000);
  message.set_type("t");
  message.set_app_id("a");
  message.set_cluster_id("u");
  return message;
}

TEST_F(ClientPublish, EveryKindOfValueAndPropertyComesBackAsItWas) {
  const v1::Message sent = MessageWithEveryKind();
  ASSERT_EQ(sent.headers_size(), 18);
  Publication publication("q", "");
  publication.message = sent;
  const auto publisher = client_->NewPublisher();
  const absl::Status confirmed = publisher->Publish(publication).get();
  ASSERT_TRUE(confirmed.ok()) << confirmed;

  auto got = client_->Get("q");
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->size(), 1u);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(
      got->front().message(), sent))
      << got->front().message().DebugString();
  EXPECT_TRUE(std::move(got->front()).Ack().ok());
}

TEST_F(ClientPublish, ConfirmsComeInOrderAndOnlyOnceTheBrokerHasTheMessage) {
  const auto publisher = client_->NewPublisher();
  constexpr int kMessages = 3000;
  Collected<int> confirmed;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(publisher
                    ->Publish(Publication("q", std::to_string(i)),
                              [&confirmed, i](const absl::Status& status) {
                                EXPECT_TRUE(status.ok()) << status;
                                confirmed.Add(i);
                              })
                    .ok());
  }
  const std::vector<int> order = confirmed.AwaitCount(kMessages);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(Ready(), static_cast<uint64_t>(kMessages));
}

TEST_F(ClientPublish, AFailureIsTheOneMessages) {
  const auto publisher = client_->NewPublisher();
  auto before = publisher->Publish({"q", "before"});
  auto failed = publisher->Publish({"nowhere", "key", "failed"});
  auto after = publisher->Publish({"q", "after"});
  EXPECT_TRUE(before.get().ok());
  const absl::Status status = failed.get();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(status), "EXCHANGE_NOT_FOUND");
  EXPECT_EQ(AmqpCodeOf(status), 404);
  EXPECT_TRUE(after.get().ok());
}

TEST_F(ClientPublish, AMandatoryMessageThatNoQueueTakesComesBack) {
  Collected<std::string> returned;
  PublisherOptions options;
  options.on_return = [&returned](Publication publication,
                                  const absl::Status& status) {
    EXPECT_EQ(ReasonOf(status), "NO_ROUTE");
    returned.Add(publication.message.body());
  };
  const auto publisher = client_->NewPublisher(options);
  Publication publication("no-such-queue", "precious");
  publication.mandatory = true;
  EXPECT_EQ(ReasonOf(publisher->Publish(publication).get()), "NO_ROUTE");
  EXPECT_THAT(returned.AwaitCount(1), ElementsAre("precious"));
  // Without `mandatory` it is gone, which is no failure.
  publication.mandatory = false;
  EXPECT_TRUE(publisher->Publish(publication).get().ok());
}

TEST_F(ClientPublish, AFullWindowHoldsThePublisherBack) {
  PublisherOptions options;
  options.max_unconfirmed_messages = 2;
  options.max_wait = absl::Milliseconds(1);
  const auto publisher = client_->NewPublisher(options);
  // The polling thread stands still, so no confirm is read.
  std::promise<void> stand;
  std::promise<void> go_on;
  ASSERT_TRUE(publisher
                  ->Publish({"q", "0"},
                            [&](const absl::Status&) {
                              stand.set_value();
                              go_on.get_future().wait();
                            })
                  .ok());
  stand.get_future().wait();
  const auto ignore = [](const absl::Status&) {};
  ASSERT_TRUE(publisher->Publish({"q", "1"}, ignore).ok());
  ASSERT_TRUE(publisher->Publish({"q", "2"}, ignore).ok());
  EXPECT_EQ(ReasonOf(publisher->Publish({"q", "3"}, ignore)), kWindowFull);
  Publication kept("q", "3");
  ConfirmCallback done = ignore;
  EXPECT_EQ(ReasonOf(publisher->TryPublish(kept, done)), kWindowFull);
  EXPECT_EQ(kept.message.body(), "3");
  go_on.set_value();
  EXPECT_TRUE(publisher->Flush(kPatience).ok());
  EXPECT_TRUE(publisher->TryPublish(kept, done).ok());
  EXPECT_TRUE(publisher->Flush(kPatience).ok());
  EXPECT_EQ(Ready(), 4u);
}

TEST_F(ClientPublish, ABlockedPublisherGoesOnWhenConfirmsCome) {
  PublisherOptions options;
  options.max_unconfirmed_messages = 3;
  const auto publisher = client_->NewPublisher(options);
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(
        publisher->Publish({"q", "m"}, [](const absl::Status&) {}).ok());
  }
  ASSERT_TRUE(publisher->Flush(kPatience).ok());
  EXPECT_EQ(Ready(), 500u);
}

TEST_F(ClientPublish, ACallbackMayPublishAndIsNeverHeldUp) {
  PublisherOptions options;
  options.max_unconfirmed_messages = 1;
  const auto publisher = client_->NewPublisher(options);
  Collected<absl::Status> results;
  ASSERT_TRUE(publisher
                  ->Publish({"q", "first"},
                            [&](const absl::Status&) {
                              const auto add = [&](const absl::Status& status) {
                                results.Add(status);
                              };
                              results.Add(publisher->Publish({"q", "2"}, add));
                              results.Add(publisher->Publish({"q", "3"}, add));
                            })
                  .ok());
  const auto got = results.AwaitCount(3);
  EXPECT_TRUE(got[0].ok());
  EXPECT_EQ(ReasonOf(got[1]), kWindowFull);
  EXPECT_TRUE(got[2].ok());  // the confirm of the second message
}

TEST_F(ClientPublish, TooLargeAMessageIsRefusedAtOnce) {
  const auto publisher = client_->NewPublisher();
  const absl::Status status =
      publisher->Publish({"q", std::string(5'000'000, 'x')}).get();
  EXPECT_EQ(ReasonOf(status), "MESSAGE_TOO_LARGE");
  EXPECT_TRUE(
      publisher->Publish({"q", std::string(4'000'000, 'x')}).get().ok());
}

TEST_F(ClientPublish, ClosingSendsWhatWasPublished) {
  {
    const auto publisher = client_->NewPublisher();
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(
          publisher->Publish({"q", "m"}, [](const absl::Status&) {}).ok());
    }
  }
  EXPECT_EQ(Ready(), 100u);
}

TEST_F(ClientPublish, FlushReturnsAfterTheLastCallback) {
  const auto publisher = client_->NewPublisher();
  std::atomic<bool> told{false};
  ASSERT_TRUE(publisher
                  ->Publish({"q", "m"},
                            [&told](const absl::Status&) {
                              // Time for a Flush that does not wait for it.
                              for (int i = 0; i < 100'000; ++i) {
                                std::this_thread::yield();
                              }
                              told = true;
                            })
                  .ok());
  ASSERT_TRUE(publisher->Flush(kPatience).ok());
  EXPECT_TRUE(told);
}

TEST_F(ClientPublish, AClosedPublisherTakesNothing) {
  const auto publisher = client_->NewPublisher();
  publisher->Close();
  EXPECT_EQ(ReasonOf(publisher->Publish({"q", "m"}).get()), kClosed);
}

TEST_F(ClientPublish, APublisherMayOutliveItsClient) {
  const auto publisher = client_->NewPublisher();
  ASSERT_TRUE(publisher->Publish({"q", "m"}).get().ok());
  client_.reset();
  EXPECT_EQ(ReasonOf(publisher->Publish({"q", "m"}).get()), kClosed);
}

TEST_F(ClientPublish, AnUnknownVirtualHostEndsThePublisher) {
  ClientOptions options = Options();
  options.vhost = "nowhere";
  const auto stranger = Connect(options);
  const auto publisher = stranger->NewPublisher();
  EXPECT_EQ(ReasonOf(publisher->Publish({"q", "m"}).get()), kConfirmLost);
  EXPECT_EQ(ReasonOf(publisher->Publish({"q", "m"}).get()), "VHOST_NOT_FOUND");
}

}  // namespace
}  // namespace kelpmq::testing
