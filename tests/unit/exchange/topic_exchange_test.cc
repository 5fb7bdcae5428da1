// Rules TOPIC.

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/exchange/topic_trie.h"
#include "tests/testing/routing_fixture.h"

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

bool Fits(const std::string& pattern, const std::string& key) {
  TopicTrie trie;
  Destination destination;
  trie.Insert(pattern, &destination);
  RouteList routes;
  trie.Match(key, &routes);
  trie.Remove(pattern, &destination);
  EXPECT_EQ(trie.node_count(), 0u);
  EXPECT_EQ(trie.word_count(), 0u);
  return routes.exchanges().size() == 1;
}

TEST(Topic, TOPIC_01_StarIsOneWordAndHashAnyNumber) {
  EXPECT_TRUE(Fits("a.*.c", "a.b.c"));
  EXPECT_FALSE(Fits("a.*.c", "a.c"));
  EXPECT_FALSE(Fits("a.*.c", "a.b.b.c"));
  EXPECT_TRUE(Fits("a.#", "a"));
  EXPECT_TRUE(Fits("a.#", "a.b.c"));
  EXPECT_FALSE(Fits("a.#", "b.a"));
  EXPECT_TRUE(Fits("*", "a"));
  EXPECT_FALSE(Fits("*", "a.b"));
}

TEST(Topic, TOPIC_02_EmptyKeyHasZeroWords) {
  for (const char* pattern : {"", "#", "#.#"}) {
    EXPECT_TRUE(Fits(pattern, "")) << pattern;
  }
  for (const char* pattern : {"*", "*.*", "#.*", "*.#"}) {
    EXPECT_FALSE(Fits(pattern, "")) << pattern;
  }
  EXPECT_FALSE(Fits("", "a"));
}

TEST(Topic, TOPIC_03_EmptyWordsCountInAKey) {
  EXPECT_TRUE(Fits("*.*", "."));
  EXPECT_FALSE(Fits("*", "."));
  EXPECT_TRUE(Fits("a.*", "a."));
  EXPECT_TRUE(Fits("*.a", ".a"));
  EXPECT_TRUE(Fits("a.*.b", "a..b"));
  EXPECT_TRUE(Fits("a..b", "a..b"));
  EXPECT_FALSE(Fits("a.b", "a..b"));
  EXPECT_TRUE(Fits("#", "."));
}

TEST(Topic, TOPIC_04_HashStandsAnywhere) {
  EXPECT_TRUE(Fits("#.b", "a.b"));
  EXPECT_TRUE(Fits("#.b", "b"));
  EXPECT_TRUE(Fits("a.#.b", "a.b"));
  EXPECT_TRUE(Fits("a.#.b", "a.x.y.b"));
  EXPECT_FALSE(Fits("a.#.b", "a.b.x"));
  EXPECT_TRUE(Fits("a.#", "a.b"));
}

TEST(Topic, TOPIC_05_WildcardsCombine) {
  EXPECT_TRUE(Fits("#.a.#.b.#", "a.b"));
  EXPECT_TRUE(Fits("#.a.#.b.#", "x.a.y.a.b.z"));
  EXPECT_FALSE(Fits("#.a.#.b.#", "b.a"));
  EXPECT_TRUE(Fits("#.*.a", "b.a"));
  EXPECT_FALSE(Fits("#.*.a", "a"));
  EXPECT_TRUE(Fits("*.#.*", "a.b"));
  EXPECT_FALSE(Fits("*.#.*", "a"));
  EXPECT_TRUE(Fits("#.a.*.#.a", "a.a.a"));
  EXPECT_FALSE(Fits("#.a.*.#.a", "a.a"));
}

TEST(Topic, TOPIC_06_WildcardsAreWholeWordsOfPatterns) {
  for (const char* pattern : {"a*", "**", "##", "*a", "a#", "#*"}) {
    EXPECT_TRUE(Fits(pattern, pattern)) << pattern;
    EXPECT_FALSE(Fits(pattern, "ab")) << pattern;
    EXPECT_FALSE(Fits(pattern, "")) << pattern;
  }
  EXPECT_TRUE(Fits("*", "#"));
  EXPECT_TRUE(Fits("*", "*"));
  EXPECT_FALSE(Fits("a.b", "a.*"));
  EXPECT_FALSE(Fits("a.b", "#"));
}

TEST(Topic, TOPIC_07_TheLongestKeysMatchInBoundedWork) {
  const std::string dots(255, '.');
  EXPECT_TRUE(Fits(dots, dots));
  EXPECT_TRUE(Fits("#", dots));
  std::string hashes = "#";
  while (hashes.size() + 2 <= 255) hashes += ".#";
  EXPECT_TRUE(Fits(hashes, dots));
  // Each `#` could take any number of the words: an exponential number of
  // ways, none of which fits.
  std::string pattern = "#.a";
  while (pattern.size() + 4 < 250) pattern += ".#.a";
  std::string key = "a";
  while (key.size() + 2 <= 250) key += ".a";
  EXPECT_TRUE(Fits(pattern, key));
  EXPECT_FALSE(Fits(pattern + ".b", key));
  EXPECT_FALSE(Fits("b." + pattern, key));
}

TEST(Topic, TOPIC_07_ManyPatternsOfManyHashesStayBounded) {
  TopicTrie trie;
  Destination destination;
  const std::vector<std::string> words = {"a", "b", "*", "#"};
  int patterns = 0;
  // All patterns of seven words out of four.
  for (int n = 0; n < 16384; ++n) {
    std::string pattern;
    for (int rest = n, i = 0; i < 7; ++i, rest /= 4) {
      pattern += (i == 0 ? "" : ".") + words[rest % 4];
    }
    trie.Insert(pattern, &destination);
    ++patterns;
  }
  std::string key = "a";
  while (key.size() + 2 <= 255) key += ".a";
  RouteList routes;
  trie.Match(key, &routes);
  EXPECT_EQ(routes.exchanges().size(), 1u);
  // No terminal node is reached twice.
  EXPECT_LE(routes.matches(), static_cast<size_t>(patterns));
}

TEST(Topic, TOPIC_08_WordsAreBytes) {
  EXPECT_TRUE(Fits("grün.*", "grün.€"));
  EXPECT_FALSE(Fits("A", "a"));
  EXPECT_FALSE(Fits("é", "e\xcc\x81"));  // composed and decomposed
}

class TopicExchangeRouting : public testing::RoutingFixture {};

TEST_F(TopicExchangeRouting, TOPIC_09_UnbindingLeavesOtherQueuesPatterns) {
  Queues({"q", "r"});
  Exchange("t", "topic");
  Bind(ToQueue("t", "q", "a.*"));
  Bind(ToQueue("t", "r", "a.*"));
  Bind(ToQueue("t", "q", "a.#"));
  Unbind(ToQueue("t", "q", "a.*"));
  EXPECT_THAT(Route("t", "a.b"), ElementsAre("q", "r"));
  Unbind(ToQueue("t", "q", "a.#"));
  EXPECT_THAT(Route("t", "a.b"), ElementsAre("r"));
  Unbind(ToQueue("t", "r", "a.*"));
  EXPECT_THAT(Route("t", "a.b"), IsEmpty());
}

TEST_F(TopicExchangeRouting, TOPIC_09_PatternsThatMeanTheSameStayApart) {
  Queue("q");
  Exchange("t", "topic");
  Bind(ToQueue("t", "q", "#.*"));
  Bind(ToQueue("t", "q", "*.#"));
  Bind(ToQueue("t", "q", "#.*.#"));
  Unbind(ToQueue("t", "q", "*.#"));
  EXPECT_FALSE(router_.Unbind(ToQueue("t", "q", "*.#")).value());
  Unbind(ToQueue("t", "q", "#.*.#"));
  EXPECT_THAT(Route("t", "a.b"), ElementsAre("q"));
  Unbind(ToQueue("t", "q", "#.*"));
  EXPECT_THAT(Route("t", "a.b"), IsEmpty());
}

}  // namespace
}  // namespace kelpmq::service
