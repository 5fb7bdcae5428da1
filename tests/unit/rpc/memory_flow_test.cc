// What a memory alarm does to those who publish, with memory that the test
// makes up.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "tests/testing/broker_fixture.h"

namespace kelpmq::service::testing {
namespace {

constexpr uint64_t kMark = 1024 * 1024;
// Enough for the alarm to take another look.
constexpr size_t kMuch = 128 * 1024;

class FakeMemory : public MemorySource {
 public:
  uint64_t UsedBytes() override { return used; }
  void GiveBackFreed() override {}
  std::atomic<uint64_t> used{0};
};

class MemoryFlowTest : public BrokerFixture {
 protected:
  MemoryFlowTest() {
    options_.memory_high_watermark = MemoryMark::Bytes(kMark);
    options_.memory_source = &memory_;
  }

  void SetUp() override {
    BrokerFixture::SetUp();
    v1::DeclareQueueRequest request;
    request.set_name("q");
    ASSERT_EQ(Call(&Topology::DeclareQueue, request).reason, "OK");
  }

  std::string Publish(size_t bytes) {
    v1::PublishRequest request;
    request.set_routing_key("q");
    request.mutable_message()->set_body(std::string(bytes, 'x'));
    return Call(&Messaging::Publish, request).reason;
  }

  uint64_t Ready() {
    v1::GetQueueRequest request;
    request.set_name("q");
    return Call(&Topology::GetQueue, request)->queue().messages_ready();
  }

  FakeMemory memory_;
};

// A PublishStream, driven step by step.
class Publisher {
 public:
  explicit Publisher(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(channel), context_(NewContext()) {
    stream_ = stub_.PublishStream(context_.get());
  }
  void Send() {
    v1::PublishStreamRequest request;
    request.set_routing_key("q");
    request.add_items();
    ASSERT_TRUE(stream_->Write(request));
  }
  v1::PublishStreamResponse Next() {
    v1::PublishStreamResponse response;
    EXPECT_TRUE(stream_->Read(&response));
    return response;
  }
  grpc::Status Finish() {
    stream_->WritesDone();
    v1::PublishStreamResponse response;
    while (stream_->Read(&response)) {
    }
    return stream_->Finish();
  }

 private:
  Messaging stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::PublishStreamRequest,
                                           v1::PublishStreamResponse>>
      stream_;
};

TEST_F(MemoryFlowTest, LIMIT_04_WhatComesDuringAnAlarmIsRoutedOnceItIsOver) {
  Publisher publisher(channel_);
  publisher.Send();
  EXPECT_EQ(publisher.Next().confirmed(0).last(), 1u);
  // The stream is being read when another publish makes the alarm go on.
  memory_.used = kMark;
  EXPECT_EQ(Publish(kMuch), "OK");
  EXPECT_TRUE(publisher.Next().flow().blocked());
  publisher.Send();
  publisher.Send();
  EXPECT_EQ(Publish(1), "MEMORY_ALARM");
  EXPECT_EQ(Ready(), 2u);

  memory_.used = 0;
  const v1::PublishStreamResponse over = publisher.Next();
  EXPECT_TRUE(over.has_flow());
  EXPECT_FALSE(over.flow().blocked());
  EXPECT_EQ(over.flow().reason(), "");
  EXPECT_EQ(over.confirmed_size(), 0) << "confirmed while it was held";
  EXPECT_TRUE(publisher.Finish().ok());
  EXPECT_EQ(Ready(), 4u);
  EXPECT_EQ(Publish(1), "OK");
}

TEST_F(MemoryFlowTest, AStreamThatIsOpenedDuringAnAlarmIsReadAfterIt) {
  memory_.used = kMark;
  EXPECT_EQ(Publish(kMuch), "OK");
  Publisher publisher(channel_);
  publisher.Send();
  EXPECT_TRUE(publisher.Next().flow().blocked());
  memory_.used = 0;
  EXPECT_FALSE(publisher.Next().flow().blocked());
  EXPECT_EQ(publisher.Next().confirmed(0).last(), 1u);
  EXPECT_TRUE(publisher.Finish().ok());
}

TEST_F(MemoryFlowTest, AHeldRequestThatTheDrainOvertakesIsNotPublished) {
  Publisher publisher(channel_);
  publisher.Send();
  EXPECT_EQ(publisher.Next().confirmed(0).last(), 1u);
  memory_.used = kMark;
  EXPECT_EQ(Publish(kMuch), "OK");
  EXPECT_TRUE(publisher.Next().flow().blocked());
  publisher.Send();
  broker_->Stop();
  const grpc::Status status = publisher.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace kelpmq::service::testing
