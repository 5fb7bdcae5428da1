#ifndef KELPMQ_SERVICE_EXCHANGE_TOPIC_TRIE_H_
#define KELPMQ_SERVICE_EXCHANGE_TOPIC_TRIE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "service/exchange/destination_set.h"
#include "service/exchange/exchange.h"

namespace kelpmq::service {

// Topic patterns by their words: `*` stands for one word, `#` for any number
// of them (TOPIC-01 to TOPIC-08).
//
// A match costs the steps through the trie that fit the key, however many
// patterns there are, and no step is taken twice for the same place in the key.
//
// All nodes lie in one hash table, found by a hash of the path that leads to
// them. A path's hash needs the hash before it but nothing of the node it
// leads to, so the processor fetches the nodes of a whole key at once rather
// than one after the other: with many patterns, waiting for memory is what
// matching costs.
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
  using LeafId = uint32_t;

  static constexpr WordId kStar = 0;
  static constexpr WordId kHash = 1;
  static constexpr WordId kUnknownWord = 2;  // in no pattern
  static constexpr WordId kFirstWord = 3;
  static constexpr NodeId kRoot = 0;
  static constexpr LeafId kNoLeaf = UINT32_MAX;

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
  struct PathHash {
    size_t operator()(const Step& step) const { return step.path; }
  };
  struct Node {
    NodeId id = kRoot;
    LeafId leaf = kNoLeaf;  // where patterns end here
    uint32_t words = 0;     // children that are literal words
    bool has_star = false;
    bool has_hash = false;

    bool IsUnused() const {
      return leaf == kNoLeaf && words == 0 && !has_star && !has_hash;
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
  Node* NodeAt(const Step& step, size_t depth);
  // Adds or removes what `parent` knows of a child by this word.
  static void AddChild(Node* parent, WordId word);
  static void RemoveChild(Node* parent, WordId word);

  // Words of no live pattern have no id. Ids are used again.
  absl::flat_hash_map<std::string, Word> words_;
  std::vector<WordId> free_words_;
  WordId next_word_ = kFirstWord;

  const uint64_t root_path_;
  Node root_;
  absl::flat_hash_map<Step, Node, PathHash> nodes_;
  std::vector<NodeId> free_nodes_;
  NodeId next_node_ = kRoot + 1;

  std::vector<DestinationSet> leaves_;
  std::vector<LeafId> free_leaves_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_TOPIC_TRIE_H_
