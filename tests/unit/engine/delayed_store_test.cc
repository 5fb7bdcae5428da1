#include "service/engine/memory/delayed_store.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/plain_message.h"

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::PlainMessage;

constexpr absl::Time kStart = absl::UnixEpoch();

absl::Time At(int seconds) { return kStart + absl::Seconds(seconds); }

class DelayedStoreTest : public ::testing::Test {
 protected:
  void Add(int seconds, const std::string& key,
           const std::string& exchange = "") {
    store_.Add(At(seconds), {PlainMessage("x", key, ""), exchange});
  }
  // "key" or "exchange:key" of each.
  std::vector<std::string> Take(int seconds, size_t limit = 100) {
    std::vector<std::string> taken;
    for (const LateMessage& late : store_.TakeDue(At(seconds), limit)) {
      taken.push_back((late.exchange.empty() ? "" : late.exchange + ":") +
                      std::string(late.message->routing_key()));
    }
    return taken;
  }
  DelayedStore store_;
};

TEST_F(DelayedStoreTest, GivesMessagesByTimeAndThenByArrival) {
  Add(3, "late");
  Add(1, "first");
  Add(2, "second");
  Add(1, "first too");
  EXPECT_EQ(store_.next_due(), At(1));
  EXPECT_THAT(Take(0), IsEmpty());
  EXPECT_THAT(Take(2), ElementsAre("first", "first too", "second"));
  EXPECT_EQ(store_.next_due(), At(3));
  EXPECT_THAT(Take(3), ElementsAre("late"));
  EXPECT_EQ(store_.next_due(), absl::InfiniteFuture());
}

TEST_F(DelayedStoreTest, TakesNoMoreThanAskedFor) {
  for (const char* key : {"a", "b", "c"}) Add(1, key);
  EXPECT_THAT(Take(1, 2), ElementsAre("a", "b"));
  EXPECT_THAT(Take(1, 2), ElementsAre("c"));
}

TEST_F(DelayedStoreTest, RemembersWhereEachEnters) {
  Add(1, "k", "one");
  Add(2, "k", "two");
  Add(3, "k", "one");
  EXPECT_THAT(Take(2), ElementsAre("one:k", "two:k"));
  Add(4, "k", "three");
  EXPECT_THAT(Take(9), ElementsAre("one:k", "three:k"));
}

}  // namespace
}  // namespace kelpmq::service
