#include "service/base/strand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/testing/manual_executor.h"

namespace kelpmq::service {
namespace {

using ::kelpmq::service::testing::ManualExecutor;
using ::testing::ElementsAre;

struct Owner {
  explicit Owner(Executor* executor) : strand(executor) {}
  Strand strand;
};

class StrandTest : public ::testing::Test {
 protected:
  std::shared_ptr<Owner> Make() { return std::make_shared<Owner>(&executor_); }
  static void Post(const std::shared_ptr<Owner>& owner, Closure closure) {
    owner->strand.Post(owner, std::move(closure));
  }

  ManualExecutor executor_;
};

TEST_F(StrandTest, IdleStrandRunsInTheCallersThread) {
  auto owner = Make();
  std::thread::id ran_in;
  Post(owner, [&] { ran_in = std::this_thread::get_id(); });
  EXPECT_EQ(ran_in, std::this_thread::get_id());
  EXPECT_EQ(executor_.RunAll(), 0);
}

TEST_F(StrandTest, WhatAClosurePostsRunsAfterItHasReturned) {
  auto owner = Make();
  std::vector<std::string> log;
  Post(owner, [&] {
    Post(owner, [&] { log.push_back("inner"); });
    log.push_back("outer");
  });
  EXPECT_THAT(log, ElementsAre("outer", "inner"));
}

TEST_F(StrandTest, OtherStrandsDoNotNestEither) {
  auto a = Make();
  auto b = Make();
  std::vector<std::string> log;
  Post(a, [&] {
    Post(b, [&] {
      Post(a, [&] { log.push_back("a again"); });
      log.push_back("b");
    });
    log.push_back("a");
  });
  EXPECT_THAT(log, ElementsAre("a", "b", "a again"));
}

TEST_F(StrandTest, WhatIsPostedTogetherRunsBeforeWhatItCauses) {
  auto a = Make();
  auto b = Make();
  std::vector<std::string> log;
  {
    const Strand::Together together;
    Post(a, [&] {
      log.push_back("a");
      Post(b, [&] { log.push_back("caused by a"); });
    });
    EXPECT_TRUE(log.empty());
    {
      const Strand::Together inner;
      Post(b, [&] { log.push_back("b"); });
    }
    EXPECT_TRUE(log.empty());
  }
  EXPECT_THAT(log, ElementsAre("a", "b", "caused by a"));
}

TEST_F(StrandTest, WhatAClosurePostsTogetherRunsAfterItHasReturned) {
  auto a = Make();
  auto b = Make();
  std::vector<std::string> log;
  Post(a, [&] {
    {
      const Strand::Together together;
      Post(b, [&] { log.push_back("b"); });
    }
    log.push_back("a");
  });
  EXPECT_THAT(log, ElementsAre("a", "b"));
}

TEST_F(StrandTest, ALongChainOfStrandsIsNoDeepStack) {
  constexpr int kLength = 100'000;
  std::vector<std::shared_ptr<Owner>> owners;
  for (int i = 0; i < kLength; ++i) owners.push_back(Make());
  int ran = 0;
  std::function<void(int)> step = [&](int i) {
    ++ran;
    if (i + 1 < kLength) Post(owners[i + 1], [&step, i] { step(i + 1); });
  };
  Post(owners[0], [&step] { step(0); });
  EXPECT_EQ(ran, kLength);
}

TEST_F(StrandTest, IsCurrentOnlyInsideItsOwnClosures) {
  auto a = Make();
  auto b = Make();
  EXPECT_FALSE(a->strand.IsCurrent());
  Post(a, [&] {
    EXPECT_TRUE(a->strand.IsCurrent());
    EXPECT_FALSE(b->strand.IsCurrent());
    std::thread([&] { EXPECT_FALSE(a->strand.IsCurrent()); }).join();
  });
  EXPECT_FALSE(a->strand.IsCurrent());
}

TEST_F(StrandTest, ABusyStrandDoesNotHoldItsCallers) {
  auto owner = Make();
  std::vector<std::thread::id> ran_in;
  Post(owner, [&] {
    std::thread([&] {
      Post(owner, [&] { ran_in.push_back(std::this_thread::get_id()); });
    }).join();
    EXPECT_TRUE(ran_in.empty());
  });
  EXPECT_THAT(ran_in, ElementsAre(std::this_thread::get_id()));
}

TEST_F(StrandTest, TheHolderHandsOverAfterItsShare) {
  auto owner = Make();
  int ran = 0;
  std::function<void()> again = [&] {
    if (++ran < Strand::kMaxItemsPerHolder + 10) Post(owner, again);
  };
  Post(owner, again);
  EXPECT_EQ(ran, Strand::kMaxItemsPerHolder);
  EXPECT_EQ(executor_.RunAll(), 1);
  EXPECT_EQ(ran, Strand::kMaxItemsPerHolder + 10);
}

TEST_F(StrandTest, KeepsItsOwnerUntilItIsAtRest) {
  auto owner = Make();
  std::weak_ptr<Owner> watch = owner;
  owner->strand.Post(owner, [&watch, owner = owner.get(), &strong = owner] {
    strong.reset();
    EXPECT_FALSE(watch.expired());
    owner->strand.Post(watch.lock(),
                       [&watch] { EXPECT_FALSE(watch.expired()); });
  });
  EXPECT_TRUE(watch.expired());
}

TEST(StrandThreads, ClosuresNeverOverlapAndKeepEachThreadsOrder) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 20'000;
  ThreadPoolExecutor executor(2);
  auto owner = std::make_shared<Owner>(&executor);
  int total = 0;  // no atomics: the strand is the protection
  std::vector<int> last(kThreads, -1);
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        owner->strand.Post(owner, [&, t, i] {
          EXPECT_EQ(last[t], i - 1);
          last[t] = i;
          ++total;
          ++done;
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (done < kThreads * kPosts) std::this_thread::yield();
  EXPECT_EQ(total, kThreads * kPosts);
}

}  // namespace
}  // namespace kelpmq::service
