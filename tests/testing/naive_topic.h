#ifndef KELPMQ_TESTS_TESTING_NAIVE_TOPIC_H_
#define KELPMQ_TESTS_TESTING_NAIVE_TOPIC_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace kelpmq::service::testing {

inline std::vector<std::string> TopicWords(absl::string_view text) {
  if (text.empty()) return {};
  return absl::StrSplit(text, '.');
}

// The rules of topic patterns as they are stated, with no thought for cost:
// exponential in the number of `#`.
inline bool NaiveFits(const std::vector<std::string>& pattern, size_t p,
                      const std::vector<std::string>& key, size_t k) {
  if (p == pattern.size()) return k == key.size();
  if (pattern[p] == "#") {
    for (size_t next = k; next <= key.size(); ++next) {
      if (NaiveFits(pattern, p + 1, key, next)) return true;
    }
    return false;
  }
  if (k == key.size()) return false;
  return (pattern[p] == "*" || pattern[p] == key[k]) &&
         NaiveFits(pattern, p + 1, key, k + 1);
}

inline bool NaiveFits(absl::string_view pattern, absl::string_view key) {
  return NaiveFits(TopicWords(pattern), 0, TopicWords(key), 0);
}

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_TESTING_NAIVE_TOPIC_H_
