// Where a word stands among the arcs of a history, which are in ascending order of their words.
#ifndef LM_CSRC_AUTOMATON_WORD_SEARCH_H_
#define LM_CSRC_AUTOMATON_WORD_SEARCH_H_

#include <algorithm>
#include <cstdint>

namespace lm {

inline constexpr uint64_t kNotFound = UINT64_MAX;

// What FindWord wants to know of a vocabulary: ids as shares of 2^32.
inline uint32_t WordSpread(uint64_t num_words) {
  return static_cast<uint32_t>(std::min<uint64_t>((uint64_t{1} << 32) / num_words, UINT32_MAX));
}

// Where a word of the vocabulary would be among `size` that are evenly spread.
inline uint64_t GuessWord(uint64_t size, uint32_t word, uint32_t spread) {
  return uint64_t{word} * spread * size >> 32;
}

// The index of a word among `size` words that `word_at(index)` gives, or kNotFound.
//
// Looks first where the word would be if the words were evenly spread, then in steps of growing
// length from there: most look-ups in long lists touch two or three cache lines. Never more than
// twice the steps of a binary search, however the words are spread.
template <typename WordAt>
uint64_t FindWord(const WordAt& word_at, uint64_t size, uint32_t word, uint32_t spread) {
  constexpr uint64_t kShort = 8;
  uint64_t low = 0;  // word_at(low) <= word, or low is 0
  if (size > kShort) {
    uint64_t high;  // word_at(high) > word, or high is the size
    uint64_t step = kShort / 2;
    const uint64_t guess = GuessWord(size, word, spread);
    if (word_at(guess) <= word) {
      low = guess;
      while (low + step < size && word_at(low + step) <= word) {
        low += step;
        step *= 2;
      }
      high = std::min(low + step, size);
    } else {
      high = guess;
      while (high > step && word_at(high - step) > word) {
        high -= step;
        step *= 2;
      }
      low = high > step ? high - step : 0;
    }
    size = high - low;
  }
  if (size == 0) return kNotFound;
  while (size > 1) {  // no branch depends on the words: the compiler makes it a conditional move
    const uint64_t half = size / 2;
    low += word_at(low + half) <= word ? half : 0;
    size -= half;
  }
  return word_at(low) == word ? low : kNotFound;
}

}  // namespace lm

#endif  // LM_CSRC_AUTOMATON_WORD_SEARCH_H_
