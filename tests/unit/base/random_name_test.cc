#include "service/base/random_name.h"

#include <gtest/gtest.h>

#include <set>

#include "absl/strings/match.h"

namespace kelpmq::service {
namespace {

TEST(MakeServerName, QNAME_01_Has22UrlSafeCharacters) {
  for (int i = 0; i < 100; ++i) {
    const std::string name = MakeServerName(kServerQueuePrefix);
    ASSERT_TRUE(absl::StartsWith(name, "amq.gen-"));
    ASSERT_EQ(name.size(), kServerQueuePrefix.size() + 22);
    EXPECT_EQ(name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "abcdefghijklmnopqrstuvwxyz"
                                     "0123456789-_",
                                     kServerQueuePrefix.size()),
              std::string::npos);
  }
}

TEST(MakeServerName, CONS_03_NamesDiffer) {
  std::set<std::string> names;
  for (int i = 0; i < 1000; ++i) {
    names.insert(MakeServerName(kServerConsumerTagPrefix));
  }
  EXPECT_EQ(names.size(), 1000u);
}

}  // namespace
}  // namespace kelpmq::service
