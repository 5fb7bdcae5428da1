#include "service/queue/ready_list.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/testing/message_encoder.h"
#include "tests/testing/plain_message.h"

namespace kelpmq::service {
namespace {

using ::kelpmq::service::testing::BodyOf;
using ::kelpmq::service::testing::MessageOf;
using ::kelpmq::service::testing::MessageParts;
using ::kelpmq::service::testing::PlainMessage;

MessageRef AnyMessage() { return PlainMessage("", "q", "m"); }

TEST(ReadyList, ORDER_01_NewMessagesLeaveInOrder) {
  ReadyList ready;
  for (int i = 0; i < 3; ++i) ready.Append(AnyMessage());
  EXPECT_EQ(ready.size(), 3u);
  EXPECT_EQ(ready.PopHead().position, 0u);
  EXPECT_EQ(ready.PopHead().position, 1u);
  EXPECT_EQ(ready.PopHead().position, 2u);
  EXPECT_TRUE(ready.empty());
}

TEST(ReadyList, NACK_01_ReturnedMessagesStandAtTheirOldPlace) {
  ReadyList ready;
  for (int i = 0; i < 4; ++i) ready.Append(AnyMessage());
  QueuedMessage first = ready.PopHead();
  QueuedMessage second = ready.PopHead();
  QueuedMessage third = ready.PopHead();
  ready.Return(std::move(third));
  ready.Return(std::move(first));
  EXPECT_EQ(ready.PopHead().position, 0u);
  EXPECT_EQ(ready.PopHead().position, 2u);
  ready.Return(std::move(second));
  EXPECT_EQ(ready.PopHead().position, 1u);
  EXPECT_EQ(ready.PopHead().position, 3u);
}

TEST(ReadyList, PositionsGoOnAfterClear) {
  ReadyList ready;
  ready.Append(AnyMessage());
  ready.Append(AnyMessage());
  QueuedMessage out = ready.PopHead();
  ready.Clear();
  EXPECT_TRUE(ready.empty());
  ready.Append(AnyMessage());
  ready.Return(std::move(out));
  EXPECT_EQ(ready.PopHead().position, 0u);
  EXPECT_EQ(ready.PopHead().position, 2u);
}

MessageRef OfPriority(uint8_t priority, std::string body = "m") {
  MessageParts parts;
  parts.body = std::move(body);
  parts.priority = priority;
  return MessageOf(parts);
}

TEST(ReadyList, PRIO_01_HigherPrioritiesGoFirst) {
  ReadyList ready(PriorityLevels{5, 0});
  for (uint8_t priority : {1, 5, 0, 3, 9, 3}) {
    ready.Append(OfPriority(priority, absl::StrCat(priority)));
  }
  std::string order;
  while (!ready.empty()) {
    order += BodyOf(*ready.Head());
    ready.PopHead();
  }
  EXPECT_EQ(order, "593310");  // PRIO-02: 9 counts as 5
}

TEST(ReadyList, PRIO_04_ReturnedMessagesStandAtTheirPlaceWithinTheirPriority) {
  ReadyList ready(PriorityLevels{5, 0});
  ready.Append(OfPriority(2, "a"));
  ready.Append(OfPriority(2, "b"));
  QueuedMessage a = ready.PopHead();
  ready.Append(OfPriority(4, "high"));
  ready.Return(std::move(a));
  EXPECT_EQ(BodyOf(*ready.PopHead().message), "high");
  EXPECT_EQ(BodyOf(*ready.PopHead().message), "a");
  EXPECT_EQ(BodyOf(*ready.PopHead().message), "b");
}

TEST(ReadyList, QUORUM_04_ReturnedMessagesGoFirstInOrderOfReturn) {
  ReadyList ready(PriorityLevels(), ReturnPlace::kInTurn);
  for (const char* body : {"1", "2", "3", "4"})
    ready.Append(OfPriority(0, body));
  QueuedMessage one = ready.PopHead();
  QueuedMessage two = ready.PopHead();
  QueuedMessage three = ready.PopHead();
  ready.Return(std::move(two));
  ready.Return(std::move(one));
  ready.Return(std::move(three));
  std::string order;
  while (!ready.empty()) order += BodyOf(*ready.PopHead().message);
  EXPECT_EQ(order, "2134");
}

TEST(ReadyList, DeadlinesStayWithTheirMessages) {
  const auto at = [](int seconds) {
    return Deadline(absl::FromUnixSeconds(seconds));
  };
  ReadyList ready;
  EXPECT_TRUE(ready.HeadExpires().is_never());
  ready.Append(AnyMessage());
  ready.Append(AnyMessage());
  ready.Append(AnyMessage(), at(30));
  ready.Append(AnyMessage());
  ready.Append(AnyMessage(), at(50));
  ready.Append(AnyMessage());
  std::vector<QueuedMessage> out;
  for (const Deadline expires :
       {Deadline(), Deadline(), at(30), Deadline(), at(50), Deadline()}) {
    EXPECT_EQ(ready.HeadExpires(), expires);
    out.push_back(ready.PopHead());
    EXPECT_EQ(out.back().expires, expires);
  }
  ready.Append(AnyMessage(), at(70));
  EXPECT_EQ(ready.HeadExpires(), at(70));
  ready.Return(std::move(out[2]));
  EXPECT_EQ(ready.HeadExpires(), at(30));
  ready.Clear();
  ready.Append(AnyMessage());
  EXPECT_TRUE(ready.HeadExpires().is_never());
}

TEST(ReadyList, CountsTheBodiesOfWhatIsReady) {
  ReadyList ready;
  ready.Append(PlainMessage("", "q", "12345"));
  ready.Append(PlainMessage("", "q", "678"));
  EXPECT_EQ(ready.bytes(), 8u);
  QueuedMessage out = ready.PopHead();
  EXPECT_EQ(ready.bytes(), 3u);
  ready.Return(std::move(out));
  EXPECT_EQ(ready.bytes(), 8u);
  ready.Clear();
  EXPECT_EQ(ready.bytes(), 0u);
}

TEST(ReadyList, AgreesWithASetUnderRandomUse) {
  std::mt19937 random(20240611);
  ReadyList ready;
  std::set<uint64_t> naive;
  std::vector<QueuedMessage> out;
  uint64_t next = 0;
  for (int step = 0; step < 50'000; ++step) {
    switch (random() % 3) {
      case 0:
        ready.Append(AnyMessage());
        naive.insert(next++);
        break;
      case 1:
        if (naive.empty()) break;
        out.push_back(ready.PopHead());
        ASSERT_EQ(out.back().position, *naive.begin());
        naive.erase(naive.begin());
        break;
      case 2:
        if (out.empty()) break;
        std::swap(out[random() % out.size()], out.back());
        if (random() % 2 == 0) {
          naive.insert(out.back().position);
          ready.Return(std::move(out.back()));
        }
        out.pop_back();
        break;
    }
    ASSERT_EQ(ready.size(), naive.size());
  }
}

}  // namespace
}  // namespace kelpmq::service
