// Runs a fuzz target where no fuzzing engine is to hand: every file of a
// corpus, then mutations of them from a fixed seed. With Clang, link the
// target with -fsanitize=fuzzer in place of this file.
//   TARGET CORPUS_DIRECTORY [MUTATIONS]

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr long kDefaultMutations = 200'000;
constexpr size_t kMaxBytes = 4096;

void Run(const std::string& bytes) {
  // A copy of exactly its size, so that the sanitizers see a read past it.
  const std::vector<uint8_t> input(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& corpus) : corpus_(corpus) {}

  std::string Next() {
    std::string bytes = corpus_[Below(corpus_.size())];
    for (size_t n = Below(4) + 1; n > 0; --n) MutateOnce(&bytes);
    if (bytes.size() > kMaxBytes) bytes.resize(kMaxBytes);
    return bytes;
  }

 private:
  size_t Below(size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(random_);
  }
  void MutateOnce(std::string* bytes) {
    static constexpr uint8_t kEdges[] = {0x00, 0x01, 0x7f, 0x80,
                                         0xff, 0x0a, 0x12};
    const size_t at = Below(bytes->size() + 1);
    switch (Below(6)) {
      case 0:
        if (at < bytes->size()) (*bytes)[at] ^= 1 << Below(8);
        break;
      case 1:
        if (at < bytes->size()) (*bytes)[at] = kEdges[Below(sizeof(kEdges))];
        break;
      case 2:
        bytes->insert(at, 1, static_cast<char>(Below(256)));
        break;
      case 3:
        bytes->erase(at, Below(8));
        break;
      case 4:
        bytes->resize(at);
        break;
      default: {
        const std::string& other = corpus_[Below(corpus_.size())];
        const size_t from = Below(other.size() + 1);
        bytes->insert(at, other.substr(from, Below(64)));
        break;
      }
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937 random_{1};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY [MUTATIONS]\n", argv[0]);
    return 2;
  }
  std::vector<std::string> corpus;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream file(entry.path(), std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file),
                        std::istreambuf_iterator<char>());
  }
  // Folders are listed in no fixed order, and the mutations are to be the same
  // everywhere.
  std::sort(corpus.begin(), corpus.end());
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: no corpus\n", argv[1]);
    return 2;
  }
  for (const std::string& bytes : corpus) Run(bytes);
  const long mutations = argc > 2 ? std::atol(argv[2]) : kDefaultMutations;
  Mutator mutator(corpus);
  for (long i = 0; i < mutations; ++i) Run(mutator.Next());
  std::printf("%zu inputs, %ld mutations\n", corpus.size(), mutations);
  return 0;
}
