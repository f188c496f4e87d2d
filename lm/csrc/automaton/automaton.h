// A back-off n-gram model as a deterministic automaton: (state, word) -> (log_prob, state).
//
// A state is a history: an n-gram that longer ones begin with or that has a back-off weight. State
// 0 is the empty history and state 1 is that of <s>, where sentences start; a history backs off to
// a state of a smaller number. An explicit n-gram is an arc from its history to the longest suffix
// of history and word that is a state. The other states follow in the order of the arcs that spell
// them, which are in the order of their sources and words: breadth first. <s> and </s> are no words:
// nothing leads to them; the end of a sentence is a final log probability of a state.
//
// All log probabilities are natural.
#ifndef LM_CSRC_AUTOMATON_AUTOMATON_H_
#define LM_CSRC_AUTOMATON_AUTOMATON_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

#include "lm/csrc/automaton/arc_index.h"
#include "lm/csrc/automaton/prefetch.h"
#include "lm/csrc/automaton/word_search.h"

namespace lm {

// The layout that is quick to search: every arc holds its destination. A view: owns nothing.
class Automaton {
 public:
  using State = uint32_t;

  static constexpr uint32_t kEmpty = 0;
  static constexpr uint32_t kStart = 1;

  // `states` has one record more than there are states, `finals` (NaN: not explicit) just as many.
  // The table is needed where an ArcIndexer has marked the states. Only what costs nothing is
  // checked here; Validate reads everything.
  Automaton(const HistoryRecord* states, size_t num_records, const Arc* arcs, size_t num_arcs,
            const float* finals, size_t num_finals, const ArcTable& table = {})
      : states_(states), arcs_(arcs), finals_(finals), table_(table), num_arcs_(num_arcs) {
    Require(num_records >= 3 && num_records <= UINT32_MAX, "states: expected 3 to 2^32 - 1 records");
    num_states_ = static_cast<uint32_t>(num_records - 1);
    Require(num_finals == num_states_, "finals: expected one for each state");
    Require(FirstArc(0) == 0 && FirstArc(num_states_) == num_arcs,
            "states: expected arcs from the first to the last");
    Require(FirstArc(1) <= num_arcs && FirstArc(1) <= INT32_MAX, "states: too many words");
    Require(table.num_slots() <= UINT32_MAX, "slots: expected less than 2^32");
    num_words_ = static_cast<uint32_t>(FirstArc(1));
    Require(num_words_ > 0, "states: no words");
    word_spread_ = WordSpread(num_words_);
  }

  uint32_t num_states() const { return num_states_; }
  // Words are 0 .. num_words() - 1; each has a unigram.
  uint32_t num_words() const { return num_words_; }
  uint64_t num_arcs() const { return num_arcs_; }
  uint32_t start() const { return kStart; }

  const Arc* begin(uint32_t state) const { return arcs_ + FirstArc(state); }
  const Arc* end(uint32_t state) const { return arcs_ + FirstArc(state + 1); }
  float backoff(uint32_t state) const { return states_[state].backoff; }
  uint32_t backoff_state(uint32_t state) const { return states_[state].backoff_state; }
  // log P(</s> | history) where that n-gram is explicit; NaN elsewhere.
  float explicit_final(uint32_t state) const { return finals_[state]; }

  // The explicit arc of a word, or nullptr.
  const Arc* Find(uint32_t state, uint32_t word) const {
    if (word >= num_words_) return nullptr;
    if (state == kEmpty) return arcs_ + word;
    const uint64_t first_arc = states_[state].first_arc;
    if (first_arc & AbsenceMark(word)) return nullptr;
    return first_arc & kInTable ? table_.Find(state, word) : Search(state, word);
  }

  // The same with the arc copied out, and all arcs by ascending word: what CompactAutomaton has too.
  bool Find(uint32_t state, uint32_t word, Arc* arc) const {
    const Arc* found = Find(state, word);
    if (found != nullptr) *arc = *found;
    return found != nullptr;
  }
  template <typename Visit>
  void ForEachArc(uint32_t state, Visit&& visit) const {
    for (const Arc* arc = begin(state); arc != end(state); ++arc) visit(*arc);
  }

  // Find in steps, for who has many to make: each reads what the one before has asked the memory
  // for, so that they wait at the same time.
  struct Query {
    uint32_t state;
    uint32_t word;
  };
  static constexpr bool kArcsTakeTwoSteps = false;

  void PrefetchUnigram(uint32_t word) const {
    if (word < num_words_) Prefetch(arcs_ + word);
  }
  Arc Unigram(uint32_t word) const { return arcs_[word]; }
  void PrefetchHistory(uint32_t state) const { Prefetch(states_ + state); }
  // False where the arc is not there. No branch depends on the history.
  bool PrefetchArcs(Query* query) const {
    const uint64_t first_arc = states_[query->state].first_arc;
    const Arc* const first = begin(query->state);
    const uint64_t size = static_cast<uint64_t>(end(query->state) - first);
    if (table_.num_slots() == 0) {
      Prefetch(first + GuessWord(size, query->word, word_spread_));
      return size != 0;
    }
    const bool in_table = first_arc & kInTable;
    const void* const home = table_.home(query->state, query->word);
    Prefetch(in_table ? home : first);
    Prefetch(in_table ? home : first + size);
    return !(first_arc & AbsenceMark(query->word));
  }
  // Where an arc leads that spells no state stands in it.
  bool Find(const Query& query, uint32_t /*shorter*/, Arc* arc) const {
    const bool in_table = states_[query.state].first_arc & kInTable;
    const Arc* const found = in_table ? table_.Find(query.state, query.word)
                                      : Search(query.state, query.word);
    if (found != nullptr) *arc = *found;
    return found != nullptr;
  }
  // A hint that Final(state) comes.
  void PrefetchFinal(uint32_t state) const {
    Prefetch(finals_ + state);
    Prefetch(states_ + state);
  }

  // log P(word | history) by the longest n-gram that is explicit, and the state after the word.
  // Minus infinity, and the empty history, for what is no word.
  float Advance(uint32_t state, uint32_t word, uint32_t* next) const {
    float log_prob = 0.0f;
    for (;;) {
      if (const Arc* arc = Find(state, word)) {
        *next = arc->next;
        return log_prob + arc->log_prob;
      }
      if (state == kEmpty) {
        *next = kEmpty;
        return -std::numeric_limits<float>::infinity();
      }
      log_prob += states_[state].backoff;
      state = states_[state].backoff_state;
    }
  }

  // log P(</s> | history).
  float Final(uint32_t state) const {
    float log_prob = 0.0f;
    while (std::isnan(finals_[state])) {
      log_prob += states_[state].backoff;
      state = states_[state].backoff_state;
    }
    return log_prob + finals_[state];
  }

  // Reads everything once and makes sure that following arcs and back-offs neither leaves the arrays nor goes on for ever.
  // Throws std::invalid_argument.
  void Validate() const {
    Require(states_[0].backoff == 0.0f && states_[0].backoff_state == 0,
            "states: expected no back-off from the empty history");
    Require(std::isfinite(finals_[0]), "finals: expected </s> in the empty history");
    ValidateTable();
    for (uint32_t state = 0; state < num_states_; ++state) {
      const HistoryRecord& record = states_[state];
      const uint64_t last = FirstArc(state + 1);
      if (FirstArc(state) > last || last > num_arcs_) Fault("states", state, "arcs out of order");
      if (!std::isfinite(record.backoff)) Fault("states", state, "a back-off that is no number");
      if (state > 0 && record.backoff_state >= state) {
        Fault("states", state, "a back-off to a state that is not before it");
      }
      if (std::isinf(finals_[state]) || finals_[state] > 0.0f) {
        Fault("finals", state, "a log_prob that is none");
      }
      if ((record.first_arc & kInTable) && table_.num_slots() == 0) {
        Fault("states", state, "arcs in a table that is not there");
      }
      for (uint64_t a = FirstArc(state); a < last; ++a) {
        if (arcs_[a].word >= num_words_) Fault("arcs", a, "a word out of range");
        if (a > FirstArc(state) && arcs_[a].word <= arcs_[a - 1].word) {
          Fault("arcs", a, "words out of order");
        }
        if (record.first_arc & AbsenceMark(arcs_[a].word)) {
          Fault("arcs", a, "a word that its state says is absent");
        }
        if (arcs_[a].next >= num_states_) Fault("arcs", a, "a destination out of range");
        if (!(std::isfinite(arcs_[a].log_prob) && arcs_[a].log_prob <= 0.0f)) {
          Fault("arcs", a, "a log_prob that is none");
        }
      }
    }
  }

 private:
  uint64_t FirstArc(uint32_t state) const { return states_[state].first_arc & kArcNumberMask; }

  const Arc* Search(uint32_t state, uint32_t word) const {
    const Arc* const arcs = begin(state);
    const uint64_t index = FindWord([arcs](uint64_t i) { return arcs[i].word; },
                                    static_cast<uint64_t>(end(state) - arcs), word, word_spread_);
    return index == kNotFound ? nullptr : arcs + index;
  }

  void ValidateTable() const {
    uint64_t empty = 0;
    for (uint64_t i = 0; i < table_.num_slots(); ++i) {
      const ArcSlot& slot = table_.slots()[i];
      empty += slot.state == kEmpty;
      if (slot.arc.next >= num_states_) Fault("slots", i, "a destination out of range");
    }
    Require(table_.num_slots() == 0 || empty > 0, "slots: expected an empty one");
  }

  static void Require(bool condition, const char* message) {
    if (!condition) throw std::invalid_argument(message);
  }
  [[noreturn]] static void Fault(const char* array, uint64_t index, const char* found) {
    throw std::invalid_argument(std::string(array) + "[" + std::to_string(index) + "]: found " +
                                found);
  }

  const HistoryRecord* states_;
  const Arc* arcs_;
  const float* finals_;
  ArcTable table_;
  uint64_t num_arcs_;
  uint32_t num_states_;
  uint32_t num_words_;
  uint32_t word_spread_;
};

}  // namespace lm

#endif  // LM_CSRC_AUTOMATON_AUTOMATON_H_
