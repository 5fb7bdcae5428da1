#include "service/cli/perf/process_usage.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace kelpmq::service::cli::perf {
namespace {

TEST(ProcessUsage, KnowsThisProcess) {
  // Burns enough CPU to be seen: a tick is 10 ms.
  while (CpuSecondsOf(getpid()).value_or(1) < 0.02) {
  }
  const double cpu = CpuSecondsOf(getpid()).value_or(-1);
  EXPECT_GE(cpu, 0.02);
  EXPECT_GE(BusyCpuSeconds(), cpu);
  EXPECT_GT(ResidentBytesOf(getpid()).value_or(0), 100'000u);
}

TEST(ProcessUsage, HasNothingOfAProcessThatIsNotThere) {
  constexpr pid_t kNobody = 0x7fffffff;
  EXPECT_FALSE(CpuSecondsOf(kNobody).has_value());
  EXPECT_FALSE(ResidentBytesOf(kNobody).has_value());
}

}  // namespace
}  // namespace kelpmq::service::cli::perf
