#include "service/base/message.h"

#include <gtest/gtest.h>

#include <deque>
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

TEST(Message, TTL_05_KeepsItsExpirationBesideTheRest) {
  MessageFacts facts;
  facts.has_expiration = true;
  facts.expiration_ms = 0x123456789abc;
  facts.persistent = true;
  const MessageRef message = Message::Create("ex", "key", "\x0a\x01x", facts);
  EXPECT_EQ(message->facts().expiration_ms, 0x123456789abcu);
  EXPECT_TRUE(message->facts().persistent);
  EXPECT_EQ(message->encoded(), "\x0a\x01x");
  EXPECT_EQ(message->routing_key(), "key");
  EXPECT_EQ(message->exchange(), "ex");
}

TEST(MessagePacker, MessagesOfAllSizesAndWaysComeOutAsTheyWentIn) {
  MessagePacker packer;
  std::vector<MessageRef> messages;
  std::vector<std::string> bodies;
  std::deque<std::string> keys;
  for (size_t i = 0; i < 500; ++i) {
    MessageFacts facts;
    facts.payload_bytes = static_cast<uint32_t>(i);
    facts.has_expiration = i % 5 == 0;
    facts.expiration_ms = facts.has_expiration ? i + 1 : 0;
    bodies.push_back(
        std::string(i * i % 3001, static_cast<char>('a' + i % 26)));
    // Runs of a few with the same key.
    keys.push_back(std::to_string(i / 7));
    messages.push_back(
        packer.Add("e", keys.back(), bodies.back(), facts, 500 - i));
  }
  for (size_t i = 0; i < messages.size(); ++i) {
    EXPECT_EQ(messages[i]->encoded(), bodies[i]) << i;
    EXPECT_EQ(messages[i]->routing_key(), std::to_string(i / 7));
    EXPECT_EQ(messages[i]->marks().payload_bytes, i);
    EXPECT_EQ(messages[i]->facts().expiration_ms, i % 5 == 0 ? i + 1 : 0);
  }
}

TEST(MessagePacker, SmallNeighboursLieSideBySide) {
  MessagePacker packer;
  const MessageRef a = packer.Add("e", "k", "0123456789", {}, 9);
  const MessageRef b = packer.Add("e", "k", "0123456789", {}, 8);
  const MessageRef other = packer.Add("e", "l", "0123456789", {}, 7);
  const auto distance = [](const MessageRef& from, const MessageRef& to) {
    return reinterpret_cast<const char*>(&*to) -
           reinterpret_cast<const char*>(&*from);
  };
  EXPECT_EQ(distance(a, b), 40);  // header 20, message 12, key 3, exchange 3
  EXPECT_NE(distance(b, other), 40);
}

TEST(MessagePacker, AMessageOutlivesItsNeighboursAndItsPacker) {
  std::vector<MessageRef> messages;
  {
    MessagePacker packer;
    for (size_t i = 0; i < 100; ++i) {
      messages.push_back(packer.Add("", "k", std::to_string(i), {}, 99 - i));
    }
  }
  // In an order that is nobody's.
  for (size_t i = 0; i < 100; ++i) {
    const size_t at = i * 37 % 100;
    EXPECT_EQ(messages[at]->encoded(), std::to_string(at));
    messages[at] = MessageRef();
  }
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
