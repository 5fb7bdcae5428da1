#include "service/base/executor.h"

#include <gtest/gtest.h>

#include <atomic>

namespace kelpmq::service {
namespace {

TEST(ThreadPoolExecutor, RunsAllThatWasPostedBeforeItEnds) {
  std::atomic<int> ran{0};
  {
    ThreadPoolExecutor executor(3);
    for (int i = 0; i < 1000; ++i) executor.Post([&ran] { ++ran; });
  }
  EXPECT_EQ(ran, 1000);
}

TEST(ThreadPoolExecutor, ClosuresMayPostWhileItEnds) {
  std::atomic<int> ran{0};
  {
    ThreadPoolExecutor executor(1);
    executor.Post([&] {
      executor.Post([&] {
        executor.Post([&ran] { ++ran; });
        ++ran;
      });
      ++ran;
    });
  }
  EXPECT_EQ(ran, 3);
}

TEST(ThreadPoolExecutor, RunsInAnotherThread) {
  std::thread::id ran_in = std::this_thread::get_id();
  {
    ThreadPoolExecutor executor(1);
    executor.Post([&ran_in] { ran_in = std::this_thread::get_id(); });
  }
  EXPECT_NE(ran_in, std::this_thread::get_id());
}

}  // namespace
}  // namespace kelpmq::service
