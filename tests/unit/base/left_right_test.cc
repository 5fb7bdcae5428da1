#include "service/base/left_right.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace kelpmq::service {
namespace {

TEST(LeftRight, BothCopiesAreMadeFromTheSameArguments) {
  LeftRight<std::string> text(3, 'x');
  EXPECT_EQ(text.Peek(), "xxx");
  text.Write([](std::string* s) { s->push_back('y'); });
  EXPECT_EQ(text.Peek(), "xxxy");
  text.Write([](std::string* s) { s->push_back('z'); });
  EXPECT_EQ(text.Peek(), "xxxyz");
}

TEST(LeftRight, WriteReturnsTheResultOfTheChange) {
  LeftRight<std::vector<int>> numbers;
  EXPECT_EQ(numbers.Write([](std::vector<int>* v) {
    v->push_back(7);
    return v->size();
  }),
            1u);
  EXPECT_EQ(numbers.Write([](std::vector<int>* v) {
    v->push_back(7);
    return v->size();
  }),
            2u);
}

TEST(LeftRight, WriteMayCarryValuesThatCannotBeCompared) {
  LeftRight<int> number(1);
  auto result = number.Write([](int* n) {
    ++*n;
    return std::vector<std::string>{"done"};
  });
  EXPECT_EQ(result.size(), 1u);
  EXPECT_EQ(number.Read([](const int& n) { return n; }), 2);
}

TEST(LeftRight, ReadsThatBeginAfterAWriteSeeIt) {
  LeftRight<int> number(0);
  for (int i = 1; i <= 100; ++i) {
    number.Write([](int* n) { ++*n; });
    EXPECT_EQ(number.Read([](const int& n) { return n; }), i);
  }
}

// Two halves that a reader must never see apart; allocated, so that a read of
// what is being changed shows under the sanitizers as well.
struct Pair {
  std::vector<int> left{0};
  std::vector<int> right{0};
};

TEST(LeftRight, ReadersNeverSeeAHalfMadeChange) {
  constexpr int kReaders = 3;
  constexpr int kWrites = 2000;
  LeftRight<Pair> pair;
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  std::atomic<int> backwards{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      int last = 0;
      while (!stop.load()) {
        const int now = pair.Read([&](const Pair& p) {
          if (p.left.back() != p.right.back()) torn.fetch_add(1);
          return p.left.back();
        });
        if (now < last) backwards.fetch_add(1);
        last = now;
      }
    });
  }
  for (int i = 1; i <= kWrites; ++i) {
    pair.Write([i](Pair* p) {
      p->left = std::vector<int>(i % 10 + 1, i);
      p->right = std::vector<int>(i % 7 + 1, i);
    });
  }
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn.load(), 0);
  EXPECT_EQ(backwards.load(), 0);
}

}  // namespace
}  // namespace kelpmq::service
