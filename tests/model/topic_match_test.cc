// The topic trie against the rules as they are stated.

#include <array>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "service/exchange/topic_trie.h"
#include "tests/testing/naive_topic.h"

namespace kelpmq::service {
namespace {

class RandomTopics {
 public:
  explicit RandomTopics(uint32_t seed) : random_(seed) {}

  size_t Below(size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(random_);
  }
  std::string Pattern() {
    static constexpr std::array<const char*, 9> kWords = {
        "*", "*", "#", "#", "a", "b", "c", "", "a*"};
    return Join(kWords, 6);
  }
  std::string Key() {
    static constexpr std::array<const char*, 8> kWords = {
        "a", "b", "c", "", "a*", "*", "#", "unknown"};
    return Join(kWords, 7);
  }

 private:
  template <size_t kCount>
  std::string Join(const std::array<const char*, kCount>& words,
                   size_t max_words) {
    std::string text;
    const size_t count = Below(max_words + 1);
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) text += '.';
      text += words[Below(kCount)];
    }
    return text;
  }

  std::mt19937 random_;
};

TEST(TopicModel, TOPIC_05_PatternsAndKeysFitAsTheRulesSay) {
  RandomTopics random(1);
  constexpr int kPairs = 100'000;
  int fitting = 0;
  for (int i = 0; i < kPairs; ++i) {
    const std::string pattern = random.Pattern();
    const std::string key = random.Key();
    TopicTrie trie;
    Destination destination;
    trie.Insert(pattern, &destination);
    RouteList routes;
    trie.Match(key, &routes);
    const bool expected = testing::NaiveFits(pattern, key);
    ASSERT_EQ(routes.exchanges().size(), expected ? 1u : 0u)
        << "'" << pattern << "' and '" << key << "'";
    fitting += expected;
  }
  EXPECT_GT(fitting, kPairs / 20);
}

TEST(TopicModel, TOPIC_09_TriesStayRightUnderInsertsAndRemoves) {
  constexpr int kSequences = 10'000;
  constexpr int kSteps = 30;
  constexpr size_t kDestinations = 4;
  for (uint32_t seed = 0; seed < kSequences; ++seed) {
    RandomTopics random(seed);
    TopicTrie trie;
    std::array<Destination, kDestinations> destinations;
    std::vector<std::pair<std::string, size_t>> bindings;
    for (int step = 0; step < kSteps; ++step) {
      const size_t dice = random.Below(10);
      if (dice < 5) {
        bindings.emplace_back(random.Pattern(), random.Below(kDestinations));
        trie.Insert(bindings.back().first,
                    &destinations[bindings.back().second]);
      } else if (dice < 7 && !bindings.empty()) {
        std::swap(bindings[random.Below(bindings.size())], bindings.back());
        trie.Remove(bindings.back().first,
                    &destinations[bindings.back().second]);
        bindings.pop_back();
      } else {
        const std::string key = random.Key();
        RouteList routes;
        trie.Match(key, &routes);
        const std::set<const Destination*> actual(routes.exchanges().begin(),
                                                  routes.exchanges().end());
        std::set<const Destination*> expected;
        for (const auto& [pattern, i] : bindings) {
          if (testing::NaiveFits(pattern, key)) {
            expected.insert(&destinations[i]);
          }
        }
        ASSERT_EQ(actual, expected)
            << "seed " << seed << " key '" << key << "'";
        ASSERT_EQ(actual.size(), routes.exchanges().size());
      }
    }
    for (const auto& [pattern, i] : bindings) {
      trie.Remove(pattern, &destinations[i]);
    }
    ASSERT_EQ(trie.node_count(), 0u) << "seed " << seed;
    ASSERT_EQ(trie.word_count(), 0u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace kelpmq::service
