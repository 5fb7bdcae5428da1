#ifndef KELPMQ_SERVICE_EXCHANGE_TOPIC_TRIE_H_
#define KELPMQ_SERVICE_EXCHANGE_TOPIC_TRIE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "service/exchange/destination_set.h"
#include "service/exchange/exchange.h"

namespace kelpmq::service {

// Topic patterns by their words: `*` stands for one word, `#` for any number
// of them (TOPIC-01 to TOPIC-08).
//
// A match costs the steps through the trie that fit the key, however many
// patterns there are, and no step is taken twice for the same place in the key.
//
// With many patterns, waiting for memory is what matching costs. So:
// - All nodes lie in one hash table, found by a hash of the path that leads to
//   them. A path's hash needs the hash before it but nothing of the node it
//   leads to, so the processor can fetch the nodes of a key all at once.
// - Where a pattern leaves the steps it shares with others, its last words stay
//   together in one node, its tail, with its destinations: one cache line.
//
// Thread-safety: thread-compatible.
class TopicTrie {
 public:
  TopicTrie();

  // A pair that is inserted n times must be removed n times.
  void Insert(absl::string_view pattern, const Destination* destination);
  // The pair must be there.
  void Remove(absl::string_view pattern, const Destination* destination);

  // Adds the destinations of all patterns that `key` fits.
  void Match(absl::string_view key, RouteList* routes) const;

  // For tests: nothing is left behind once all patterns are removed.
  size_t node_count() const { return nodes_.size(); }
  size_t word_count() const { return words_.size(); }

 private:
  class Matcher;

  using WordId = uint32_t;
  using NodeId = uint32_t;

  static constexpr WordId kStar = 0;
  static constexpr WordId kHash = 1;
  static constexpr WordId kUnknownWord = 2;  // in no pattern
  static constexpr WordId kFirstWord = 3;
  static constexpr NodeId kRoot = 0;
  static constexpr size_t kMaxTailWords = 4;
  static constexpr uint8_t kNoHash = 0xff;

  // The step to a node. `path` hashes all steps up to this one; parent and
  // word make the key exact.
  struct Step {
    uint64_t path = 0;
    NodeId parent = kRoot;
    WordId word = kStar;
    bool operator==(const Step& o) const {
      return path == o.path && parent == o.parent && word == o.word;
    }
  };
  // One cache line.
  struct alignas(64) Node {
    Node() = default;
    explicit Node(const Step& s) : step(s) {}

    Step step;
    NodeId id = kRoot;
    uint32_t words = 0;  // children that are literal words
    bool has_star = false;
    bool has_hash = false;
    // A tail is the rest of one pattern: these words and, behind the first
    // `tail_hash` of them, a `#` (kNoHash: none). A node gets it when it is
    // made or never, so a pattern is in one place only.
    uint8_t tail_size = 0;
    uint8_t tail_hash = kNoHash;
    std::array<WordId, kMaxTailWords> tail_words{};
    DestinationSet tail;  // empty: there is no tail
    DestinationSet leaf;  // of the pattern that ends here

    bool IsUnused() const {
      return leaf.empty() && tail.empty() && words == 0 && !has_star &&
             !has_hash;
    }
  };
  static_assert(sizeof(Node) == 64);
  struct NodeHash {
    using is_transparent = void;
    size_t operator()(const Step& step) const { return step.path; }
    size_t operator()(const Node& node) const { return node.step.path; }
  };
  struct NodeEq {
    using is_transparent = void;
    bool operator()(const Node& a, const Step& b) const { return a.step == b; }
    bool operator()(const Node& a, const Node& b) const {
      return a.step == b.step;
    }
  };
  struct Word {
    WordId id;
    uint32_t uses;
  };

  static uint64_t NextPath(uint64_t path, WordId word);
  WordId AcquireWord(absl::string_view word);
  void ReleaseWord(absl::string_view word);
  // The id of a word in a pattern that is in the trie.
  WordId KnownWord(absl::string_view word) const;
  // A set's members are const for the sake of their keys; all but the step of
  // a node may change.
  static Node* Mutable(const Node& node) { return const_cast<Node*>(&node); }
  Node* NodeAt(const Step& step, size_t depth);
  // Makes what is left of a pattern the tail of a new node behind a step by
  // `word`; false if it has no words left or is no tail (see Node).
  static bool SetTail(absl::Span<const WordId> rest, WordId word, Node* node);
  static bool TailIs(const Node& node, absl::Span<const WordId> rest);
  // Adds or removes what `parent` knows of a child by this word.
  static void AddChild(Node* parent, WordId word);
  static void RemoveChild(Node* parent, WordId word);

  // Words of no live pattern have no id. Ids are used again.
  absl::flat_hash_map<std::string, Word> words_;
  std::vector<WordId> free_words_;
  WordId next_word_ = kFirstWord;

  const uint64_t root_path_;
  Node root_;
  absl::flat_hash_set<Node, NodeHash, NodeEq> nodes_;
  std::vector<NodeId> free_nodes_;
  NodeId next_node_ = kRoot + 1;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_TOPIC_TRIE_H_
