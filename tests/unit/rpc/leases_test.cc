#include "service/rpc/leases.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "tests/testing/fake_clock.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using ::kelpmq::service::testing::FakeClock;
using ::kelpmq::service::testing::ReasonOf;

class LeasesTest : public ::testing::Test {
 protected:
  std::string Add(Leases::Kind kind = Leases::Kind::kGet) {
    auto lease = std::make_shared<Lease>(Leases::NewId(), nullptr);
    leases_.Add(lease, kind);
    return lease->id();
  }

  FakeClock clock_;
  Leases leases_{&clock_};
};

TEST_F(LeasesTest, IdsAreShortAndNeverTheSame) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = Leases::NewId();
    EXPECT_LE(id.size(), 64u);
    EXPECT_TRUE(ids.insert(id).second);
  }
}

TEST_F(LeasesTest, ALiveLeaseIsFound) {
  const std::string id = Add();
  auto found = leases_.Find(id);
  ASSERT_EQ(ReasonOf(found), "OK");
  ASSERT_NE(found->lease, nullptr);
  EXPECT_EQ(found->lease->id(), id);
  EXPECT_EQ(leases_.live_count(), 1u);
}

TEST_F(LeasesTest, StreamsDoNotCountAsGets) {
  const std::string stream = Add(Leases::Kind::kStream);
  const std::string get = Add(Leases::Kind::kGet);
  EXPECT_EQ(leases_.live_count(), 2u);
  EXPECT_EQ(leases_.live_get_count(), 1u);
  leases_.Remove(get, Leases::End::kAllSettled);
  leases_.Remove(get, Leases::End::kAllSettled);
  leases_.Remove(stream, Leases::End::kAllSettled);
  EXPECT_EQ(leases_.live_get_count(), 0u);
}

TEST_F(LeasesTest, ALeaseThatNeverWasIsNotFound) {
  EXPECT_EQ(ReasonOf(leases_.Find("lease-x")), "LEASE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(leases_.Find("")), "LEASE_NOT_FOUND");
}

TEST_F(LeasesTest, OneThatEndedAllSettledTakesLateAcksForAMinute) {
  const std::string id = Add();
  leases_.Remove(id, Leases::End::kAllSettled);
  EXPECT_EQ(leases_.live_count(), 0u);
  clock_.Advance(absl::Seconds(60));
  auto found = leases_.Find(id);
  ASSERT_EQ(ReasonOf(found), "OK");
  EXPECT_EQ(found->lease, nullptr);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(ReasonOf(leases_.Find(id)), "LEASE_NOT_FOUND");
}

TEST_F(LeasesTest, OneThatEndedWithDeliveriesRequeuedIsExpiredForAMinute) {
  const std::string id = Add();
  leases_.Remove(id, Leases::End::kRequeued);
  clock_.Advance(absl::Seconds(60));
  EXPECT_EQ(ReasonOf(leases_.Find(id)), "LEASE_EXPIRED");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(ReasonOf(leases_.Find(id)), "LEASE_NOT_FOUND");
}

TEST_F(LeasesTest, TheFirstEndCounts) {
  const std::string id = Add();
  leases_.Remove(id, Leases::End::kRequeued);
  leases_.Remove(id, Leases::End::kAllSettled);
  leases_.Remove("lease-x", Leases::End::kAllSettled);
  EXPECT_EQ(ReasonOf(leases_.Find(id)), "LEASE_EXPIRED");
  EXPECT_EQ(ReasonOf(leases_.Find("lease-x")), "LEASE_NOT_FOUND");
}

TEST_F(LeasesTest, TheOldestEndsAreForgottenOverALimit) {
  const std::string oldest = Add();
  leases_.Remove(oldest, Leases::End::kRequeued);
  const std::string second = Add();
  leases_.Remove(second, Leases::End::kRequeued);
  for (size_t i = 2; i < Leases::kMaxEnded; ++i) {
    leases_.Remove(Add(), Leases::End::kRequeued);
  }
  // As many as are remembered: looking does not forget any.
  EXPECT_EQ(ReasonOf(leases_.Find("lease-x")), "LEASE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(leases_.Find(oldest)), "LEASE_EXPIRED");
  leases_.Remove(Add(), Leases::End::kRequeued);
  EXPECT_EQ(ReasonOf(leases_.Find(oldest)), "LEASE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(leases_.Find(second)), "LEASE_EXPIRED");
}

}  // namespace
}  // namespace kelpmq::service
