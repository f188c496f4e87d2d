// Words as a tree of phones.
#ifndef DECODING_CSRC_VOCABULARY_WORD_TREE_H_
#define DECODING_CSRC_VOCABULARY_WORD_TREE_H_

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace decoding {

// Node 0 is the root. Phones tell their positions in words, so that a word ends in a leaf.
class WordTree {
 public:
  static constexpr uint32_t kRoot = 0;

  struct Word {
    int32_t label;
    float cost;
  };
  struct Node {
    int32_t phone;
    int32_t depth;  // of the root: 0
    std::vector<uint32_t> children;
    std::vector<Word> words;  // that end here
  };

  void Add(const int32_t* phones, size_t count, const Word& word) {
    uint32_t node = kRoot;
    for (size_t i = 0; i < count; ++i) {
      const uint64_t key = static_cast<uint64_t>(node) << 32 | static_cast<uint32_t>(phones[i]);
      const auto [found, is_new] =
          child_of_.try_emplace(key, static_cast<uint32_t>(nodes_.size()));
      if (is_new) {
        nodes_[node].children.push_back(found->second);
        nodes_.push_back({phones[i], static_cast<int32_t>(i) + 1, {}, {}});
      }
      node = found->second;
    }
    nodes_[node].words.push_back(word);
  }

  const Node& node(uint32_t number) const { return nodes_[number]; }
  const std::vector<uint32_t>& first_nodes() const { return nodes_[kRoot].children; }

 private:
  std::vector<Node> nodes_{{0, 0, {}, {}}};
  std::unordered_map<uint64_t, uint32_t> child_of_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_VOCABULARY_WORD_TREE_H_
