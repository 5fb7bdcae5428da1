#include "service/base/message.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace kelpmq::service {
namespace {

TEST(Message, KeepsWhatItWasMadeOf) {
  MessageFacts facts;
  facts.priority = 7;
  facts.payload_bytes = 3;
  const MessageRef message = Message::Create("ex", "key", "\x0a\x03one", facts);
  EXPECT_EQ(message->exchange(), "ex");
  EXPECT_EQ(message->routing_key(), "key");
  EXPECT_EQ(message->encoded(), "\x0a\x03one");
  EXPECT_EQ(message->facts().priority, 7);
  EXPECT_EQ(message->facts().payload_bytes, 3u);
}

TEST(Message, WireHasTheFieldsOfADelivery) {
  const MessageRef message = Message::Create("ex", "key", "\x0a\x01x", {});
  EXPECT_EQ(message->wire(),
            "\x12\x03\x0a\x01x"  // 2: message
            "\x1a\x03key"        // 3: routing_key
            "\x22\x02"
            "ex");  // 4: exchange
}

TEST(Message, MSG_02_EmptyFieldsAreLeftOutButForTheMessage) {
  const MessageRef message = Message::Create("", "", "", {});
  EXPECT_EQ(message->wire(), absl::string_view("\x12\x00", 2));
  EXPECT_EQ(message->exchange(), "");
  EXPECT_EQ(message->routing_key(), "");
  EXPECT_EQ(message->encoded(), "");
}

TEST(Message, LIMIT_01_NamesOf255Bytes) {
  const std::string exchange(255, 'e');
  const std::string key(255, 'k');
  const std::string encoded(100'000, 'm');
  const MessageRef message = Message::Create(exchange, key, encoded, {});
  EXPECT_EQ(message->exchange(), exchange);
  EXPECT_EQ(message->routing_key(), key);
  EXPECT_EQ(message->encoded(), encoded);
}

TEST(Message, MSG_01_BytesOfAnyValueComeThrough) {
  std::string encoded;
  for (int i = 0; i < 256; ++i) encoded.push_back(static_cast<char>(i));
  EXPECT_EQ(Message::Create("e", "k", encoded, {})->encoded(), encoded);
}

TEST(MessageRef, CopiesShareOneMessage) {
  MessageRef a = Message::Create("", "k", "", {});
  MessageRef b = a;
  EXPECT_EQ(&*a, &*b);
  a = MessageRef();
  EXPECT_FALSE(a);
  EXPECT_EQ(b->routing_key(), "k");
  MessageRef c = std::move(b);
  EXPECT_TRUE(c);
  c = c;
  EXPECT_EQ(c->routing_key(), "k");
}

TEST(MessageRef, ManyThreadsMayShareAMessage) {
  MessageRef message = Message::Create("", "k", "body", {});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([message] {
      for (int i = 0; i < 10'000; ++i) {
        const MessageRef copy = message;
        EXPECT_EQ(copy->routing_key(), "k");
      }
    });
  }
  message = MessageRef();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace kelpmq::service
