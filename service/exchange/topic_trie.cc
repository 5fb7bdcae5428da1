#include "service/exchange/topic_trie.h"

#include <algorithm>

#include "absl/container/inlined_vector.h"
#include "absl/hash/hash.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kStarWord = "*";
constexpr absl::string_view kHashWord = "#";

// Most keys have fewer words.
constexpr size_t kTypicalWords = 8;

// Calls visit(word) for each. The empty key has none; in any other one empty
// words count (TOPIC-02, TOPIC-03).
template <typename F>
void ForEachWord(absl::string_view text, F&& visit) {
  if (text.empty()) return;
  while (true) {
    const size_t dot = text.find('.');
    if (dot == absl::string_view::npos) break;
    visit(text.substr(0, dot));
    text.remove_prefix(dot + 1);
  }
  visit(text);
}

// The words of the shortest pattern that fits the same keys: in a run of
// wildcards, n `*` and any number of `#` mean "at least n words". Written with
// one `#`, behind the `*`, two `#` never meet without a literal between them.
std::vector<absl::string_view> PatternWords(absl::string_view pattern) {
  std::vector<absl::string_view> words;
  bool hash = false;  // in the current run of wildcards
  ForEachWord(pattern, [&](absl::string_view word) {
    if (word == kHashWord) {
      hash = true;
      return;
    }
    if (hash && word != kStarWord) {
      words.push_back(kHashWord);
      hash = false;
    }
    words.push_back(word);
  });
  if (hash) words.push_back(kHashWord);
  return words;
}

template <typename Id>
Id TakeId(std::vector<Id>* free, Id* next) {
  if (free->empty()) return (*next)++;
  const Id id = free->back();
  free->pop_back();
  return id;
}

}  // namespace

// The seed keeps clients from choosing words whose paths collide.
TopicTrie::TopicTrie() : root_path_(absl::Hash<int>()(0)) {}

uint64_t TopicTrie::NextPath(uint64_t path, WordId word) {
  // The finaliser of MurmurHash3.
  uint64_t h = path + word + 1;
  h = (h ^ (h >> 33)) * uint64_t{0xff51afd7ed558ccd};
  h = (h ^ (h >> 33)) * uint64_t{0xc4ceb9fe1a85ec53};
  return h ^ (h >> 33);
}

TopicTrie::WordId TopicTrie::AcquireWord(absl::string_view word) {
  if (word == kStarWord) return kStar;
  if (word == kHashWord) return kHash;
  const auto [it, is_new] = words_.try_emplace(word, Word{0, 0});
  if (is_new) it->second.id = TakeId(&free_words_, &next_word_);
  ++it->second.uses;
  return it->second.id;
}

void TopicTrie::ReleaseWord(absl::string_view word) {
  if (word == kStarWord || word == kHashWord) return;
  const auto it = words_.find(word);
  if (--it->second.uses > 0) return;
  free_words_.push_back(it->second.id);
  words_.erase(it);
}

TopicTrie::WordId TopicTrie::KnownWord(absl::string_view word) const {
  if (word == kStarWord) return kStar;
  if (word == kHashWord) return kHash;
  return words_.find(word)->second.id;
}

TopicTrie::Node* TopicTrie::NodeAt(const Step& step, size_t depth) {
  return depth == 0 ? &root_ : Mutable(*nodes_.find(step));
}

void TopicTrie::AddChild(Node* parent, WordId word) {
  if (word == kStar) {
    parent->has_star = true;
  } else if (word == kHash) {
    parent->has_hash = true;
  } else {
    ++parent->words;
  }
}

void TopicTrie::RemoveChild(Node* parent, WordId word) {
  if (word == kStar) {
    parent->has_star = false;
  } else if (word == kHash) {
    parent->has_hash = false;
  } else {
    --parent->words;
  }
}

bool TopicTrie::SetTail(absl::Span<const WordId> rest, WordId word,
                        Node* node) {
  const auto hashes = std::count(rest.begin(), rest.end(), kHash);
  const size_t words = rest.size() - hashes;
  // Behind a `#`, another one would leave more than one way to fit.
  if (rest.empty() || words > kMaxTailWords ||
      hashes > (word == kHash ? 0 : 1)) {
    return false;
  }
  for (const WordId id : rest) {
    if (id == kHash) {
      node->tail_hash = node->tail_size;
    } else {
      node->tail_words[node->tail_size++] = id;
    }
  }
  return true;
}

bool TopicTrie::TailIs(const Node& node, absl::Span<const WordId> rest) {
  const size_t hashes = node.tail_hash == kNoHash ? 0 : 1;
  if (node.tail.empty() || node.tail_size + hashes != rest.size()) return false;
  size_t i = 0;
  for (const WordId id : rest) {
    if (id == kHash) {
      if (i != node.tail_hash) return false;
    } else if (i == node.tail_size || node.tail_words[i++] != id) {
      return false;
    }
  }
  return true;
}

void TopicTrie::Insert(absl::string_view pattern,
                       const Destination* destination) {
  std::vector<WordId> words;
  for (const absl::string_view word : PatternWords(pattern)) {
    words.push_back(AcquireWord(word));
  }
  Step step{root_path_, kRoot, kStar};
  Node* node = &root_;
  for (size_t depth = 0;; ++depth) {
    const auto rest = absl::MakeConstSpan(words).subspan(depth);
    if (TailIs(*node, rest)) {
      node->tail.Add(destination);
      return;
    }
    if (rest.empty()) {
      node->leaf.Add(destination);
      return;
    }
    const WordId word = rest.front();
    const Step child{NextPath(step.path, word), node->id, word};
    const auto [it, is_new] = nodes_.emplace(child);
    node = Mutable(*it);
    if (is_new) {
      node->id = TakeId(&free_nodes_, &next_node_);
      // Inserting may have moved the parent.
      AddChild(NodeAt(step, depth), word);
      if (SetTail(rest.subspan(1), word, node)) {
        node->tail.Add(destination);
        return;
      }
    }
    step = child;
  }
}

void TopicTrie::Remove(absl::string_view pattern,
                       const Destination* destination) {
  const std::vector<absl::string_view> texts = PatternWords(pattern);
  std::vector<WordId> words;
  for (const absl::string_view text : texts) words.push_back(KnownWord(text));
  std::vector<Step> path = {{root_path_, kRoot, kStar}};
  Node* node = &root_;
  while (true) {
    const auto rest = absl::MakeConstSpan(words).subspan(path.size() - 1);
    if (TailIs(*node, rest)) {
      node->tail.Remove(destination);
      break;
    }
    if (rest.empty()) {
      node->leaf.Remove(destination);
      break;
    }
    const WordId word = rest.front();
    path.push_back({NextPath(path.back().path, word), node->id, word});
    node = NodeAt(path.back(), path.size() - 1);
  }
  for (size_t depth = path.size() - 1; depth > 0; --depth) {
    const auto it = nodes_.find(path[depth]);
    if (!it->IsUnused()) break;
    free_nodes_.push_back(it->id);
    nodes_.erase(it);
    RemoveChild(NodeAt(path[depth - 1], depth - 1), path[depth].word);
  }
  for (const absl::string_view text : texts) ReleaseWord(text);
}

// One key on its way through the trie.
class TopicTrie::Matcher {
 public:
  Matcher(const TopicTrie& trie, absl::string_view key, RouteList* routes)
      : trie_(trie), routes_(routes) {
    ForEachWord(key, [&](absl::string_view word) {
      const auto it = trie.words_.find(word);
      words_.push_back(it == trie.words_.end() ? kUnknownWord : it->second.id);
    });
  }

  void Run() { Walk(trie_.root_, trie_.root_path_, 0, /*below_hash=*/false); }

 private:
  // `node` has been reached with the words from `i` on left to match. Each
  // node is reached at most once with the same `i`: only behind a `#` are
  // there several ways to it, and WalkHash takes each of them once.
  void Walk(const Node& start, uint64_t path, size_t i, bool below_hash) {
    const Node* node = &start;
    while (true) {
      if (node->has_hash) {
        const uint64_t next = NextPath(path, kHash);
        WalkHash(*Child(*node, next, kHash), next, i, below_hash);
      }
      if (!node->tail.empty() && TailFits(*node, i)) {
        routes_->AddAll(node->tail);
      }
      if (i == words_.size()) {
        if (!node->leaf.empty()) routes_->AddAll(node->leaf);
        return;
      }
      if (node->has_star) {
        const uint64_t next = NextPath(path, kStar);
        Walk(*Child(*node, next, kStar), next, i + 1, below_hash);
      }
      const WordId word = words_[i++];
      if (node->words == 0 || word == kUnknownWord) return;
      path = NextPath(path, word);
      node = Child(*node, path, word);
      if (node == nullptr) return;
    }
  }

  // `node` is a `#`, reached with the words from `i` on left: it may take any
  // number of them. Its children are literal words (PatternWords).
  //
  // Only below another `#` is it reached more than once. That one hands out
  // its places in rising order, so the first time leaves the most words, and
  // has tried already what any later time could.
  void WalkHash(const Node& node, uint64_t path, size_t i, bool below_hash) {
    if (below_hash && !tried_.insert(node.id).second) return;
    const size_t count = words_.size();
    if (!node.leaf.empty()) routes_->AddAll(node.leaf);
    // The tail has no `#`: it takes the last words, if that many are left.
    if (!node.tail.empty() && i + node.tail_size <= count &&
        WordsFit(node, 0, count - node.tail_size, node.tail_size)) {
      routes_->AddAll(node.tail);
    }
    if (node.words == 0) return;
    for (; i < count; ++i) {
      const WordId word = words_[i];
      if (word == kUnknownWord) continue;
      const uint64_t next = NextPath(path, word);
      const Node* const child = Child(node, next, word);
      if (child != nullptr) Walk(*child, next, i + 1, /*below_hash=*/true);
    }
  }

  // Whether the tail of a node takes all words from `i` on: those before its
  // `#` the first ones, those behind it the last.
  bool TailFits(const Node& node, size_t i) const {
    const size_t left = words_.size() - i;
    if (node.tail_hash == kNoHash) {
      return left == node.tail_size && WordsFit(node, 0, i, left);
    }
    const size_t behind = node.tail_size - node.tail_hash;
    return left >= node.tail_size && WordsFit(node, 0, i, node.tail_hash) &&
           WordsFit(node, node.tail_hash, words_.size() - behind, behind);
  }

  // Whether `count` words of the tail, from `t` on, fit those from `i` on.
  bool WordsFit(const Node& node, size_t t, size_t i, size_t count) const {
    for (; count > 0; --count, ++t, ++i) {
      const WordId word = node.tail_words[t];
      if (word != kStar && word != words_[i]) return false;
    }
    return true;
  }

  const Node* Child(const Node& parent, uint64_t path, WordId word) const {
    const auto it = trie_.nodes_.find(Step{path, parent.id, word});
    return it == trie_.nodes_.end() ? nullptr : &*it;
  }

  const TopicTrie& trie_;
  RouteList* const routes_;
  absl::InlinedVector<WordId, kTypicalWords> words_;
  absl::flat_hash_set<NodeId> tried_;  // `#` below another `#`
};

void TopicTrie::Match(absl::string_view key, RouteList* routes) const {
  Matcher(*this, key, routes).Run();
}

}  // namespace kelpmq::service
