// Language-model look-ahead: what the best word of a class will cost after a history.
#ifndef DECODING_FLY_LOOK_AHEAD_H_
#define DECODING_FLY_LOOK_AHEAD_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoding/csrc/fly_classes.h"
#include "decoding/csrc/huge_pages.h"
#include "lm/csrc/automaton.h"

namespace decoding {

// What a token of a history and a class is worth.
struct Outlook {
  uint32_t state;  // the longest back-off of the history where a word of the class is explicit
  float backoff;   // cost of backing off to there: every word of the class has to pay it
  float best;      // a lower bound of the words' cost from there; infinity: no word can come
};

// The classes of a graph in the words of an automaton. Shared by all searches.
class LookAheadClasses {
 public:
  // words: for each word of the graph the automaton's, -1 where it has none.
  LookAheadClasses(const WordClasses& classes, const lm::Automaton& automaton, const int32_t* words);

  const lm::Automaton& automaton() const { return automaton_; }
  uint32_t num_classes() const { return static_cast<uint32_t>(unigram_costs_.size()); }
  // Lowest cost of a word of the class in the empty history; infinity if it has none, 0 for
  // kAnything.
  float unigram_cost(uint32_t of_class) const { return unigram_costs_[of_class]; }
  // The classes, but for kAnything, that a word of the automaton is in.
  const uint32_t* begin(uint32_t word) const { return classes_.data() + offsets_[word]; }
  const uint32_t* end(uint32_t word) const { return classes_.data() + offsets_[word + 1]; }
  // The outlook of kAnything: nothing is looked up, but histories that say nothing are left.
  Outlook FindAnything(uint32_t state) const {
    float backoff = 0.0f;
    while (automaton_.begin(state) == automaton_.end(state) &&
           std::isnan(automaton_.explicit_final(state))) {
      backoff -= automaton_.backoff(state);
      state = automaton_.backoff_state(state);
    }
    return {state, backoff, 0.0f};
  }

 private:
  const lm::Automaton& automaton_;
  std::vector<float> unigram_costs_;
  std::vector<uint64_t> offsets_;  // [automaton's words + 1]
  LargeVector<uint32_t> classes_;
};

// Outlooks, found once and then remembered. `best` is the cost of the best word if backing off is
// always allowed, as by epsilon arcs. With exact back-off it may be too low where a word is
// explicit but cheaper by backing off.
class LookAhead {
 public:
  // max_bytes bounds the memory between frames.
  LookAhead(const LookAheadClasses& classes, size_t max_bytes);

  Outlook Find(uint32_t state, uint32_t of_class) {
    if (of_class == WordClasses::kAnything) return classes_.FindAnything(state);
    if (state == lm::Automaton::kEmpty) return {state, 0.0f, classes_.unigram_cost(of_class)};
    const Entry& entry = table_[Slot(state, of_class)];
    if (entry.state == state && entry.of_class == of_class && entry.outlook.state != kUnsettled) {
      return entry.outlook;
    }
    return Settle(state, of_class);
  }
  // Forgets everything if it has become too much. To be called between frames.
  void Trim();

  uint64_t num_spread() const { return num_spread_; }
  size_t num_entries() const { return num_entries_; }

 private:
  static constexpr uint32_t kUnsettled = UINT32_MAX;  // only the explicit words are in `best`
  static constexpr uint32_t kNobody = UINT32_MAX;     // state of a free entry
  static constexpr uint32_t kSpread = UINT32_MAX;     // class that tells that a state is spread

  struct Entry {
    uint32_t state;
    uint32_t of_class;
    Outlook outlook;
  };

  size_t Home(uint32_t state, uint32_t of_class) const {
    const uint64_t key = (static_cast<uint64_t>(state) << 32) | of_class;
    return static_cast<size_t>((key * 0x9E3779B97F4A7C15u) >> shift_);
  }
  // The entry's place, or the free one where it would be.
  size_t Slot(uint32_t state, uint32_t of_class) const {
    size_t slot = Home(state, of_class);
    while (table_[slot].state != kNobody &&
           (table_[slot].state != state || table_[slot].of_class != of_class)) {
      slot = (slot + 1) & mask_;
    }
    return slot;
  }
  Outlook Settle(uint32_t state, uint32_t of_class);
  void Spread(uint32_t state);
  void Lower(uint32_t state, uint32_t of_class, float cost);
  Entry* Add(uint32_t state, uint32_t of_class);
  void Resize(unsigned bits);

  const LookAheadClasses& classes_;
  size_t max_entries_;
  LargeVector<Entry> table_;
  size_t mask_ = 0;
  unsigned shift_ = 0;
  size_t num_entries_ = 0;
  uint64_t num_spread_ = 0;
};

}  // namespace decoding

#endif  // DECODING_FLY_LOOK_AHEAD_H_
