#include "service/queue/ready_list.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/testing/plain_message.h"

namespace kelpmq::service {
namespace {

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
  EXPECT_EQ(ready.Head().position, 0u);
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
        ASSERT_EQ(ready.Head().position, *naive.begin());
        out.push_back(ready.PopHead());
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
