#include "service/base/aftermath.h"

#include <memory>
#include <thread>
#include <utility>

#include "gtest/gtest.h"
#include "service/base/strand.h"
#include "tests/testing/manual_executor.h"

namespace kelpmq::service {
namespace {

using testing::ManualExecutor;

TEST(Aftermath, IsOverAtOnceWhenNothingFollows) {
  ManualExecutor executor;
  bool over = false;
  Aftermath::Follow(
      &executor, [] {}, [&] { over = true; });
  EXPECT_FALSE(over) << "the end is posted";
  executor.RunAll();
  EXPECT_TRUE(over);
}

TEST(Aftermath, LastsAsLongAsAClosureThatWasCarriedAlong) {
  ManualExecutor executor;
  bool over = false;
  Closure first, second;
  Aftermath::Follow(
      &executor,
      [&] {
        first = [&] {
          second = [] {};
          Aftermath::Carry(&second);
        };
        Aftermath::Carry(&first);
      },
      [&] { over = true; });
  executor.RunAll();
  EXPECT_FALSE(over);
  first();
  first = nullptr;
  executor.RunAll();
  EXPECT_FALSE(over) << "what followed has something to follow it";
  std::thread([&] { std::exchange(second, nullptr)(); }).join();
  executor.RunAll();
  EXPECT_TRUE(over);
}

TEST(Aftermath, LeavesClosuresAloneThatHaveNoPartInIt) {
  ManualExecutor executor;
  bool over = false;
  Closure unrelated = [] {};
  Aftermath::Carry(&unrelated);
  Aftermath::Follow(
      &executor, [] {}, [&] { over = true; });
  executor.RunAll();
  EXPECT_TRUE(over);
  EXPECT_EQ(Aftermath::HoldCurrent(), nullptr);
}

TEST(Aftermath, WaitsForWhatABusyStrandStillHasToRun) {
  ManualExecutor executor;
  auto strand = std::make_shared<Strand>(&executor);
  bool over = false, ran = false;
  strand->Post(strand, [&] {
    Aftermath::Follow(
        &executor, [&] { strand->Post(strand, [&] { ran = true; }); },
        [&] { over = true; });
    executor.RunAll();
    EXPECT_FALSE(ran || over);
  });
  EXPECT_TRUE(ran);
  executor.RunAll();
  EXPECT_TRUE(over);
}

TEST(Aftermath, AHoldKeepsIt) {
  ManualExecutor executor;
  bool over = false;
  Aftermath::Hold hold;
  Aftermath::Follow(
      &executor, [&] { hold = Aftermath::HoldCurrent(); },
      [&] { over = true; });
  executor.RunAll();
  EXPECT_FALSE(over);
  hold.reset();
  executor.RunAll();
  EXPECT_TRUE(over);
}

}  // namespace
}  // namespace kelpmq::service
