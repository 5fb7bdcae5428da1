#include "service/auth/login_throttle.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace kelpmq::service {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'000'000'000);

void FailOften(LoginThrottle* throttle, int times, absl::Time now = kStart) {
  for (int i = 0; i < times; ++i) throttle->Failed("k", now);
}

TEST(LoginThrottle, SomeFailuresAreFree) {
  LoginThrottle throttle;
  FailOften(&throttle, LoginThrottle::kFreeFailures - 1);
  EXPECT_EQ(throttle.Wait("k", kStart), absl::ZeroDuration());
  FailOften(&throttle, 1);
  EXPECT_EQ(throttle.Wait("k", kStart), LoginThrottle::kFirstWait);
  EXPECT_EQ(throttle.Wait("k", kStart + LoginThrottle::kFirstWait),
            absl::ZeroDuration());
}

TEST(LoginThrottle, WaitsDoubleUpToTheLongest) {
  LoginThrottle throttle;
  FailOften(&throttle, LoginThrottle::kFreeFailures + 1);
  EXPECT_EQ(throttle.Wait("k", kStart), 2 * LoginThrottle::kFirstWait);
  FailOften(&throttle, 1000);
  EXPECT_EQ(throttle.Wait("k", kStart), LoginThrottle::kLongestWait);
}

TEST(LoginThrottle, KeysDoNotHinderEachOther) {
  LoginThrottle throttle;
  FailOften(&throttle, 100);
  EXPECT_EQ(throttle.Wait("other", kStart), absl::ZeroDuration());
}

TEST(LoginThrottle, SuccessAndTimeForgive) {
  LoginThrottle throttle;
  FailOften(&throttle, 100);
  throttle.Succeeded("k");
  EXPECT_EQ(throttle.Wait("k", kStart), absl::ZeroDuration());
  FailOften(&throttle, 100);
  const absl::Time later = kStart + LoginThrottle::kForgetAfter;
  EXPECT_EQ(throttle.Wait("k", later), absl::ZeroDuration());
  throttle.Failed("k", later);
  EXPECT_EQ(throttle.Wait("k", later), absl::ZeroDuration());
}

TEST(LoginThrottle, ForgetsTheOldestWhenThereAreTooMany) {
  LoginThrottle throttle;
  FailOften(&throttle, 100);
  for (size_t i = 0; i < LoginThrottle::kMaxKeys; ++i) {
    throttle.Failed(absl::StrCat("k", i), kStart);
  }
  EXPECT_EQ(throttle.Wait("k", kStart), absl::ZeroDuration());
}

}  // namespace
}  // namespace kelpmq::service
