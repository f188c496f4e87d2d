// Language-model look-ahead: what the best word of a class will cost after a history.
#ifndef DECODING_CSRC_LOOK_AHEAD_LOOK_AHEAD_H_
#define DECODING_CSRC_LOOK_AHEAD_LOOK_AHEAD_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/csrc/aligned_vector.h"
#include "decoding/csrc/look_ahead/word_classes.h"
#include "lm/csrc/automaton/automaton.h"

namespace decoding {

// What the words of a class cost at least after a history.
struct LookAheadScore {
  uint32_t state;  // the longest back-off of the history where a word of the class is explicit
  float backoff;   // cost of backing off to there, which is part of every word's cost
  float best;      // a lower bound of the words' cost from there; infinity: no word can come
};

// The classes of a graph in the words of an automaton. Shared by all searches.
class LookAheadClasses {
 public:
  static constexpr uint32_t kNotInGraph = UINT32_MAX;

  using Interval = WordClasses::Interval;  // of positions

  // words: for each word of the graph the automaton's, -1 where it has none.
  // Throws std::invalid_argument if two of them are the same.
  LookAheadClasses(const WordClasses& classes, const lm::Automaton& automaton,
                   const int32_t* words);

  const lm::Automaton& automaton() const { return automaton_; }
  uint32_t num_classes() const { return static_cast<uint32_t>(unigram_costs_.size()); }
  // Lowest cost of a word of the class in the empty history; infinity if it has none, 0 for
  // kAnything.
  float unigram_cost(uint32_t of_class) const { return unigram_costs_[of_class]; }
  // Position of a word of the automaton in an order in which classes are a few intervals;
  // kNotInGraph if the graph lacks it.
  uint32_t position(uint32_t word) const { return positions_[word]; }
  const Interval* begin(uint32_t of_class) const { return intervals_.data() + offsets_[of_class]; }
  const Interval* end(uint32_t of_class) const {
    return intervals_.data() + offsets_[of_class + 1];
  }
  // The score of kAnything: no word is looked up, but histories without an explicit word are
  // left for the one that they back off to.
  LookAheadScore FindAnything(uint32_t state) const {
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
  std::vector<uint32_t> positions_;
  std::vector<uint32_t> offsets_;
  std::vector<Interval> intervals_;
};

// Finds look-ahead scores. `best` is the cost of the best word if backing off is always allowed, as by
// epsilon arcs. With exact back-off it may be too low where a word is explicit but cheaper by
// backing off. It depends on the score's state and the class alone, to the bit.
class LookAhead {
 public:
  // max_bytes bounds the size of the caches between frames.
  LookAhead(const LookAheadClasses& classes, size_t max_bytes);

  // The scores of `count` classes after one history. All their words must be in class `within`.
  void Find(uint32_t history, uint32_t within, const uint32_t* classes, size_t count,
            LookAheadScore* scores);
  // Empties the caches if they exceed max_bytes. To be called between frames.
  void Trim();

  struct Word {
    uint32_t position;
    float cost;
  };
  struct Range {  // explicit words of a history
    const Word* words;
    size_t begin;
    size_t end;
    const float* minima;
    bool is_sorted;  // by position
  };

  // A range that is not sorted has at most so many words.
  static constexpr size_t kFew = 8;

  // The explicit words of a history, at least those of a class. Valid until the next call of this or
  // of Find.
  Range FindExplicit(uint32_t history, uint32_t within);
  // Whether any of them is in the class.
  bool HasExplicit(uint32_t history, const Range& range, uint32_t of_class);

 private:
  static constexpr uint32_t kNone = UINT32_MAX;  // history of a free slot; no state yet
  static constexpr size_t kBlock = 32;

  struct List {  // the explicit words of a history by position
    uint32_t history;
    uint32_t count;
    size_t begin;   // in words_
    size_t minima;  // in minima_: the lowest cost of each block of kBlock words
  };
  struct Known {  // a lowest cost that took long to find
    uint32_t history;
    uint32_t of_class;
    float cost;
  };

  LookAheadClasses::Interval HullOf(uint32_t of_class) const;
  Range FindExplicit(uint32_t history, LookAheadClasses::Interval hull);
  float FindLowestCost(uint32_t history, const Range& range, uint32_t of_class);
  float LowestCost(const Range& range, uint32_t of_class) const;
  const List& FindList(uint32_t history);
  size_t Slot(uint32_t history) const;
  size_t KnownSlot(uint32_t history, uint32_t of_class) const;
  void Resize(unsigned bits);
  void ResizeKnown(unsigned bits);

  const LookAheadClasses& classes_;
  const lm::Automaton& automaton_;
  size_t max_bytes_;
  arrays::AlignedVector<List> lists_;
  unsigned shift_ = 0;
  size_t num_lists_ = 0;
  arrays::AlignedVector<Known> known_;
  unsigned known_shift_ = 0;
  size_t num_known_ = 0;
  arrays::AlignedVector<Word> words_;
  arrays::AlignedVector<float> minima_;
  std::vector<Word> few_;
  std::vector<float> since_;  // cost of backing off from each score's state so far
};

}  // namespace decoding

#endif  // DECODING_CSRC_LOOK_AHEAD_LOOK_AHEAD_H_
