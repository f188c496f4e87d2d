// Phrases with a bonus: an Aho-Corasick automaton over words.
#ifndef DECODING_CSRC_ON_THE_FLY_PHRASES_H_
#define DECODING_CSRC_ON_THE_FLY_PHRASES_H_

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace decoding {

// A node is the longest end of the words so far that begins a phrase. Each occurrence of a phrase
// is worth its bonus. Of the phrases that may still be completed, the best one's share is given in
// advance, in proportion to the words that have been said, and taken back where none of them is.
class Phrases {
 public:
  static constexpr uint32_t kRoot = 0;

  struct Step {
    uint32_t node;
    float bonus;  // natural log; negative where more is taken back than given
  };

  // words: of all phrases, offsets[i]:offsets[i + 1] those of the i-th, at least one, not 0.
  Phrases(const uint32_t* words, const size_t* offsets, const float* bonuses, size_t count);

  Step Next(uint32_t node, uint32_t word) const {
    uint32_t at = node;
    for (;; at = failures_[at]) {
      const auto child = children_.find(Key(at, word));
      if (child != children_.end()) {
        at = child->second;
        break;
      }
      if (at == kRoot) break;
    }
    return {at, worth_[at] + advance_[at] - advance_[node]};
  }
  // What has been given in advance at a node.
  float advance(uint32_t node) const { return advance_[node]; }
  size_t num_nodes() const { return failures_.size(); }

 private:
  static uint64_t Key(uint32_t node, uint32_t word) {
    return static_cast<uint64_t>(node) << 32 | word;
  }

  std::unordered_map<uint64_t, uint32_t> children_;
  std::vector<uint32_t> failures_;  // the node of the next shorter end of the words
  std::vector<float> worth_;        // bonuses of all phrases that end with the words of the node
  std::vector<float> advance_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_ON_THE_FLY_PHRASES_H_
