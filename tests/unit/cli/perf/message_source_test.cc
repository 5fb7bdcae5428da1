#include "service/cli/perf/message_source.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kelpmq/v1/messaging.pb.h"
#include "service/cli/perf/contiguous.h"
#include "service/cli/perf/stamp.h"

namespace kelpmq::service::cli::perf {
namespace {

template <typename Request>
Request Parsed(const grpc::ByteBuffer& buffer) {
  const Contiguous bytes(buffer);
  Request request;
  EXPECT_TRUE(request.ParseFromArray(bytes.view().data(),
                                     static_cast<int>(bytes.view().size())));
  EXPECT_EQ(request.ByteSizeLong(), bytes.view().size());
  return request;
}

TEST(MessageSource, EncodesBatchesAsProtobufWould) {
  LoadOptions options;
  options.durable = true;
  const LoadTopology topology(options);
  MessageSource source(4, options, "tenants", &topology);
  const auto request =
      Parsed<v1::PublishStreamRequest>(source.NextBatch(3, 1234));
  EXPECT_EQ(request.vhost(), "tenants");
  EXPECT_EQ(request.exchange(), topology.exchange());
  EXPECT_EQ(request.routing_key(), "0.0");
  ASSERT_EQ(request.items_size(), 3);
  for (int i = 0; i < 3; ++i) {
    const v1::Message& message = request.items(i).message();
    EXPECT_EQ(message.delivery_mode(), v1::DELIVERY_MODE_PERSISTENT);
    const auto stamp = ReadStamp(message.body(), topology.meant_for(0));
    ASSERT_TRUE(stamp.has_value());
    EXPECT_EQ(stamp->producer, 4);
    EXPECT_EQ(stamp->sequence, static_cast<uint64_t>(i));
    EXPECT_EQ(stamp->sent_ns, 1234);
  }
}

TEST(MessageSource, EncodesSingleMessagesAsProtobufWould) {
  LoadOptions options;
  options.size = 2000;
  options.exchange_type = "headers";
  const LoadTopology topology(options);
  MessageSource source(0, options, "", &topology);
  const auto request = Parsed<v1::PublishRequest>(source.NextMessage(99));
  EXPECT_EQ(request.message().body().size(), 2000u);
  EXPECT_EQ(request.message().headers().at("queue").int64_value(), 0);
  EXPECT_TRUE(
      ReadStamp(request.message().body(), topology.meant_for(0)).has_value());
}

TEST(MessageSource, TakesTheKeysInTurnAndNumbersEachQueueApart) {
  LoadOptions options;
  options.queues = 2;
  options.bindings = 4;
  const LoadTopology topology(options);
  MessageSource source(0, options, "", &topology);
  std::vector<std::string> keys;
  std::vector<uint64_t> sequences;
  for (uint32_t i = 0; i < 5; ++i) {
    const auto request =
        Parsed<v1::PublishStreamRequest>(source.NextBatch(1, 1));
    keys.push_back(request.routing_key());
    const auto stamp =
        ReadStamp(request.items(0).message().body(), topology.meant_for(i % 2));
    ASSERT_TRUE(stamp.has_value());
    sequences.push_back(stamp->sequence);
  }
  EXPECT_EQ(keys,
            (std::vector<std::string>{"0.0", "1.0", "0.1", "1.1", "0.0"}));
  EXPECT_EQ(sequences, (std::vector<uint64_t>{0, 0, 1, 1, 2}));
  EXPECT_EQ(source.sent(0), 3u);
  EXPECT_EQ(source.sent(1), 2u);
}

}  // namespace
}  // namespace kelpmq::service::cli::perf
