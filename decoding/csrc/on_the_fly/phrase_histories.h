// Histories of a language model together with nodes of phrases, as one number.
#ifndef DECODING_CSRC_ON_THE_FLY_PHRASE_HISTORIES_H_
#define DECODING_CSRC_ON_THE_FLY_PHRASE_HISTORIES_H_

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "decoding/csrc/on_the_fly/phrases.h"

namespace decoding {

// Where no phrase has begun, the number is the language model's; pairs get the numbers that follow,
// and keep them. There are hardly more pairs than the language model has histories that end in the
// phrases' words. For several threads at once: a search may go on with another composition than it began with.
class PhraseHistories {
 public:
  PhraseHistories(const Phrases& phrases, size_t num_lm_histories)
      : phrases_(phrases), first_(static_cast<uint32_t>(num_lm_histories)) {}

  uint32_t lm_history(uint32_t history) const {
    return history < first_ ? history : pair(history).lm_history;
  }
  uint32_t node(uint32_t history) const {
    return history < first_ ? Phrases::kRoot : pair(history).node;
  }
  uint32_t Find(uint32_t lm_history, uint32_t node) {
    if (node == Phrases::kRoot) return lm_history;
    const uint64_t key = static_cast<uint64_t>(node) << 32 | lm_history;
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    const auto number = static_cast<uint32_t>(first_ + pairs_.size());
    const auto [found, is_new] = numbers_.try_emplace(key, number);
    if (is_new) pairs_.push_back({lm_history, node});
    return found->second;
  }
  Phrases::Step Next(uint32_t history, uint32_t word) const {
    return phrases_.Next(node(history), word);
  }
  // Whether the word has a bonus where no phrase has begun.
  bool Begins(uint32_t word) const {
    const Phrases::Step step = phrases_.Next(Phrases::kRoot, word);
    return step.node != Phrases::kRoot || step.bonus != 0.0f;
  }
  float advance(uint32_t history) const { return phrases_.advance(node(history)); }

 private:
  struct Pair {
    uint32_t lm_history;
    uint32_t node;
  };

  Pair pair(uint32_t history) const {
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    return pairs_[history - first_];
  }

  const Phrases& phrases_;
  const uint32_t first_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<uint64_t, uint32_t> numbers_;
  std::vector<Pair> pairs_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_ON_THE_FLY_PHRASE_HISTORIES_H_
