// The automaton of automaton.h in the fewest bytes: packed bits, destinations implicit.
//
// An arc is a word and a log probability; </s> is an arc here, the last of its state. Since states
// are numbered in the order of the arcs that spell them, one bit per arc (whether it spells a
// state) gives the destination: the state's number is the number of such bits before it. An arc
// that spells no state leads where the longest shorter history leads, which takes another look-up
// from the back-off state. Values are raw, or codes of a table that holds all of them or the
// nearest of them (quantised); unigrams, which are few but weigh much, are always raw. Numbers of
// states are those of the layout with explicit destinations.
#ifndef LM_CSRC_AUTOMATON_COMPACT_AUTOMATON_H_
#define LM_CSRC_AUTOMATON_COMPACT_AUTOMATON_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "lm/csrc/automaton/automaton.h"
#include "lm/csrc/automaton/bit_array.h"
#include "lm/csrc/automaton/position_table.h"
#include "lm/csrc/automaton/prefetch.h"
#include "lm/csrc/automaton/word_search.h"

namespace lm {

// The arrays as they stand in a file. Sizes in elements.
struct CompactParts {
  // What the packed arrays cannot say themselves.
  struct Sizes {
    uint64_t num_states;
    uint64_t num_words;
    uint64_t num_arcs;  // with </s>
    uint64_t word_bits;
    uint64_t log_prob_bits;  // 31: raw, without the sign, which is minus
    uint64_t backoff_bits;   // 32: raw
    uint64_t state_bits;
  };

  Sizes sizes;
  const float* unigrams;  // log_prob of each word, then of </s>: the arcs of the empty history
  uint64_t unigrams_size;
  const uint8_t* arcs;  // word, log_prob of the other arcs
  uint64_t arcs_size;
  const uint64_t* spells_state;  // RankedBits
  uint64_t spells_state_size;
  // Two for each 64 states: the first arc of the first; bit and width of the block's `offsets`.
  const uint64_t* first_arcs;
  uint64_t first_arcs_size;
  const uint8_t* offsets;  // of each state's end, in arcs from the block's first
  uint64_t offsets_size;
  const uint8_t* states;  // backoff, backoff_state
  uint64_t states_size;
  const float* log_prob_table;
  uint64_t log_prob_table_size;  // 0 or 2^log_prob_bits
  const float* backoff_table;
  uint64_t backoff_table_size;  // 0 or 2^backoff_bits
  const uint32_t* slots;        // of a PositionTable of the long lists; not in files
  uint64_t slots_size;          // 0: there is none
};

class CompactAutomaton {
 public:
  using State = uint32_t;

  static constexpr uint64_t kStatesPerBlock = 64;
  static constexpr unsigned kRawLogProbBits = 31;
  static constexpr unsigned kRawBackoffBits = 32;

  // Checks that the arrays' sizes go together; Validate reads everything.
  explicit CompactAutomaton(const CompactParts& parts)
      : parts_(parts),
        spells_state_(parts.spells_state),
        // A history has at most all words and </s>.
        table_(parts.slots, parts.slots_size, parts.sizes.num_words + 1) {
    const CompactParts::Sizes& sizes = parts.sizes;
    Require(sizes.num_states >= 2 && sizes.num_states < UINT32_MAX, "sizes: bad number of states");
    Require(sizes.num_words >= 1 && sizes.num_words < INT32_MAX, "sizes: bad number of words");
    Require(parts.slots_size <= UINT32_MAX, "slots: expected less than 2^32");
    Require(sizes.num_arcs > sizes.num_words && sizes.num_arcs < (uint64_t{1} << 56),
            "sizes: bad number of arcs");
    Require(sizes.word_bits == BitsFor(sizes.num_words), "sizes: bad width of words");
    Require(sizes.state_bits == BitsFor(sizes.num_states - 1), "sizes: bad width of states");
    RequireTable(parts.log_prob_table_size, sizes.log_prob_bits, kRawLogProbBits,
                 "log_prob_table: its size does not fit the width of its codes");
    RequireTable(parts.backoff_table_size, sizes.backoff_bits, kRawBackoffBits,
                 "backoff_table: its size does not fit the width of its codes");
    arc_bits_ = static_cast<unsigned>(sizes.word_bits + sizes.log_prob_bits);
    state_bits_ = static_cast<unsigned>(sizes.backoff_bits + sizes.state_bits);
    const uint64_t blocks = (sizes.num_states + kStatesPerBlock - 1) / kStatesPerBlock;
    num_words_ = static_cast<uint32_t>(sizes.num_words);
    word_spread_ = WordSpread(num_words_);
    first_packed_ = sizes.num_words + 1;
    Require(parts.unigrams_size == first_packed_, "unigrams: wrong size");
    Require(parts.arcs_size == BytesForBits((sizes.num_arcs - first_packed_) * arc_bits_),
            "arcs: wrong size");
    Require(parts.spells_state_size ==
                RankedBits::BlocksFor(sizes.num_arcs) * RankedBits::kWords,
            "spells_state: wrong size");
    Require(parts.first_arcs_size == 2 * blocks, "first_arcs: wrong size");
    Require(parts.offsets_size >= kBitPadding, "offsets: wrong size");
    Require(parts.states_size == BytesForBits(sizes.num_states * state_bits_),
            "states: wrong size");
    word_mask_ = LowBits(static_cast<unsigned>(sizes.word_bits));
    log_prob_mask_ = LowBits(static_cast<unsigned>(sizes.log_prob_bits));
    backoff_mask_ = LowBits(static_cast<unsigned>(sizes.backoff_bits));
    state_mask_ = LowBits(static_cast<unsigned>(sizes.state_bits));
  }

  uint32_t num_states() const { return static_cast<uint32_t>(parts_.sizes.num_states); }
  uint32_t num_words() const { return num_words_; }
  uint32_t start() const { return Automaton::kStart; }

  float backoff(uint32_t state) const {
    const uint64_t code = ReadBits(parts_.states, uint64_t{state} * state_bits_, backoff_mask_);
    return parts_.backoff_table_size != 0 ? parts_.backoff_table[code]
                                          : FromBits(static_cast<uint32_t>(code));
  }

  uint32_t backoff_state(uint32_t state) const {
    return static_cast<uint32_t>(ReadBits(
        parts_.states, uint64_t{state} * state_bits_ + parts_.sizes.backoff_bits, state_mask_));
  }

  // log P(</s> | history) where that n-gram is explicit; NaN elsewhere.
  float explicit_final(uint32_t state) const {
    if (state == Automaton::kEmpty) return parts_.unigrams[num_words_];
    const Range range = ArcsOf(state);
    if (range.first == range.last || Word(range.last - 1) != num_words_) {
      return std::numeric_limits<float>::quiet_NaN();
    }
    return LogProb(range.last - 1);
  }

  // The explicit arc of a word: false where there is none.
  bool Find(uint32_t state, uint32_t word, Arc* arc) const {
    uint64_t index;
    if (word >= num_words_ || !FindIndex(state, word, &index)) return false;
    *arc = {word, LogProb(index), Destination(state, word, index)};
    return true;
  }

  // Calls visit(const Arc&) for every explicit arc, by ascending word.
  template <typename Visit>
  void ForEachArc(uint32_t state, Visit&& visit) const {
    const Range range = ArcsOf(state);
    for (uint64_t a = range.first; a < range.last; ++a) {
      const uint32_t word = state == Automaton::kEmpty ? static_cast<uint32_t>(a) : Word(a);
      if (word == num_words_) break;
      visit(Arc{word, LogProb(a), Destination(state, word, a)});
    }
  }

  // Find in steps, for who has many to make: each reads what the one before has asked the memory
  // for, so that they wait at the same time.
  struct Query {
    uint32_t state;
    uint32_t word;
    uint64_t first = 0, last = 0;  // the arcs of the state, or kProposed: the first may be it
  };
  static constexpr bool kArcsTakeTwoSteps = true;

  void PrefetchUnigram(uint32_t word) const {
    if (word < num_words_) Prefetch(parts_.unigrams + word);
  }
  Arc Unigram(uint32_t word) const {
    return {word, LogProb(word), Destination(Automaton::kEmpty, word, word)};
  }
  void PrefetchHistory(uint32_t state) const { PrefetchState(state); }
  // False where the arc is not there.
  bool PrefetchArcs(Query* query) const {
    const Range range = ArcsOf(query->state);
    query->first = range.first;
    query->last = range.last;
    if (InTable(range)) {
      table_.PrefetchHome(query->state, query->word);
    } else if (range.first != range.last) {
      const uint64_t guess = GuessWord(Size(range), query->word, word_spread_);
      Prefetch(parts_.arcs + (range.first + guess - first_packed_) * arc_bits_ / 8);
    }
    return range.first != range.last;
  }
  // The second step, from the slot to the arc; false as above.
  bool PrefetchArc(Query* query) const {
    const Range range{query->first, query->last};
    if (InTable(range)) {
      const uint64_t position =
          table_.Find(query->state, query->word, [&range](uint64_t i) { return i < Size(range); });
      if (position == PositionTable::kNone) return false;
      query->first += position;
      query->last = kProposed;
      Prefetch(parts_.arcs + (query->first - first_packed_) * arc_bits_ / 8);
    }
    spells_state_.Prefetch(query->first);
    return true;
  }
  // `shorter`: where an arc leads that spells no state.
  bool Find(const Query& query, uint32_t shorter, Arc* arc) const {
    uint64_t index = query.first;
    if (query.last != kProposed) {
      if (!Search({query.first, query.last}, query.word, &index)) return false;
    } else if (Word(index) != query.word) {  // a slot of another word with the same mark
      if (!FindIndex(query.state, query.word, &index)) return false;
    }
    *arc = {query.word, LogProb(index), spells_state_.Get(index) ? Spelled(index) : shorter};
    return true;
  }
  // A hint that Final(state) comes.
  void PrefetchFinal(uint32_t state) const { PrefetchState(state); }

  // log P(word | history) by the longest n-gram that is explicit, and the state after the word.
  // Minus infinity, and the empty history, for what is no word.
  float Advance(uint32_t state, uint32_t word, uint32_t* next) const {
    if (word >= num_words_) {
      *next = Automaton::kEmpty;
      return -std::numeric_limits<float>::infinity();
    }
    float log_prob = 0.0f;
    uint64_t index;
    while (!FindIndex(state, word, &index)) {  // the empty history has all words
      log_prob += backoff(state);
      state = backoff_state(state);
    }
    *next = Destination(state, word, index);
    return log_prob + LogProb(index);
  }

  // log P(</s> | history).
  float Final(uint32_t state) const {
    float log_prob = 0.0f;
    float end = explicit_final(state);
    while (std::isnan(end)) {
      log_prob += backoff(state);
      state = backoff_state(state);
      end = explicit_final(state);
    }
    return log_prob + end;
  }

  // How many slots an index takes, and to fill as many that are zeros.
  uint64_t NumSlots() const {
    uint64_t in_table = 0;
    for (uint32_t state = 1; state < num_states(); ++state) {
      const Range range = ArcsOf(state);
      if (Size(range) > kShortList) in_table += Size(range);
    }
    return in_table == 0 ? 0 : PositionTable::SlotsFor(in_table);
  }
  void FillSlots(uint32_t* slots, uint64_t num_slots) const {
    const PositionTable table(slots, num_slots, parts_.sizes.num_words + 1);
    for (uint32_t state = 1; state < num_states(); ++state) {
      const Range range = ArcsOf(state);
      if (Size(range) <= kShortList) continue;
      for (uint64_t a = range.first; a < range.last; ++a) {
        table.Add(slots, state, Word(a), a - range.first);
      }
    }
  }

  // Reads everything once and makes sure that following arcs and back-offs neither leaves the arrays nor goes on for ever.
  // Throws std::invalid_argument.
  void Validate() const {
    ValidateTable(parts_.log_prob_table, parts_.log_prob_table_size, "log_prob_table");
    ValidateTable(parts_.backoff_table, parts_.backoff_table_size, "backoff_table");
    ValidateMarks();
    Require(parts_.slots_size == 0 ||
                std::find(parts_.slots, parts_.slots + parts_.slots_size, 0u) !=
                    parts_.slots + parts_.slots_size,
            "slots: expected an empty one");
    const uint64_t offset_bits = (parts_.offsets_size - kBitPadding) * 8;
    for (uint64_t b = 0; b < parts_.first_arcs_size / 2; ++b) {
      const uint64_t range = parts_.first_arcs[2 * b + 1];
      const uint64_t width = range & 63;
      if (width == 0 || width > kMaxFieldBits || (range >> 6) > offset_bits ||
          offset_bits - (range >> 6) < width * kStatesPerBlock) {
        Fault("first_arcs", b, "offsets out of range");
      }
    }
    uint64_t next = 0;
    for (uint32_t state = 0; state < num_states(); ++state) {
      const Range range = ArcsOf(state);
      if (range.first != next || range.last < range.first || range.last > parts_.sizes.num_arcs) {
        Fault("first_arcs", state, "arcs out of order");
      }
      next = range.last;
      if (state == 0 && next != first_packed_) Fault("first_arcs", 0, "other unigrams");
      if (!std::isfinite(backoff(state))) Fault("states", state, "a back-off that is no number");
      if (state > 0 ? backoff_state(state) >= state : backoff_state(0) != 0) {
        Fault("states", state, "a back-off to a state that is not before it");
      }
      for (uint64_t a = range.first; a < range.last; ++a) {
        if (state > 0) {
          if (Word(a) > num_words_) Fault("arcs", a, "a word out of range");
          if (a > range.first && Word(a) <= Word(a - 1)) Fault("arcs", a, "words out of order");
        }
        if (!(std::isfinite(LogProb(a)) && LogProb(a) <= 0.0f)) {
          Fault("arcs", a, "a log_prob that is none");
        }
        if ((state > 0 ? Word(a) : a) == num_words_ && spells_state_.Get(a)) {
          Fault("spells_state", a, "a state after </s>");
        }
      }
    }
    if (next != parts_.sizes.num_arcs) Fault("first_arcs", num_states(), "arcs of no state");
  }

 private:
  struct Range {
    uint64_t first;
    uint64_t last;
  };

  static uint64_t Size(const Range& range) { return range.last - range.first; }

  static constexpr uint64_t kProposed = UINT64_MAX;

  // Shorter lists are about two cache lines.
  static constexpr uint64_t kShortList = 16;

  bool InTable(const Range& range) const {
    return table_.num_slots() != 0 && Size(range) > kShortList;
  }

  void PrefetchState(uint32_t state) const {
    const uint64_t* block = parts_.first_arcs + state / kStatesPerBlock * 2;
    const unsigned width = block[1] & 63;
    Prefetch(parts_.offsets + ((block[1] >> 6) + state % kStatesPerBlock * width) / 8);
    Prefetch(parts_.states + uint64_t{state} * state_bits_ / 8);
  }
  static void Require(bool condition, const char* message) {
    if (!condition) throw std::invalid_argument(message);
  }
  static void RequireTable(uint64_t size, uint64_t bits, unsigned raw, const char* message) {
    Require(size == 0 ? bits == raw : bits >= 1 && bits <= 24 && size == uint64_t{1} << bits,
            message);
  }
  [[noreturn]] static void Fault(const char* array, uint64_t index, const char* found) {
    throw std::invalid_argument(std::string(array) + "[" + std::to_string(index) + "]: found " +
                                found);
  }
  static float FromBits(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }

  static void ValidateTable(const float* table, uint64_t size, const char* name) {
    for (uint64_t i = 0; i < size; ++i) {
      if (!std::isfinite(table[i])) Fault(name, i, "a value that is no number");
    }
  }

  void ValidateMarks() const {
    const uint64_t* blocks = parts_.spells_state;
    std::vector<uint64_t> counted(blocks, blocks + parts_.spells_state_size);
    const uint64_t num_blocks = parts_.spells_state_size / RankedBits::kWords;
    RankedBits::Count(counted.data(), num_blocks);
    for (uint64_t b = 0; b < num_blocks; ++b) {
      if (counted[b * RankedBits::kWords] != blocks[b * RankedBits::kWords]) {
        Fault("spells_state", b, "a wrong count");
      }
    }
    if (spells_state_.Rank(parts_.sizes.num_arcs) + 2 != num_states()) {
      Fault("spells_state", num_blocks - 1, "another number of states");
    }
  }

  // Of an arc that is no unigram.
  uint32_t Word(uint64_t arc) const {
    return static_cast<uint32_t>(
        ReadBits(parts_.arcs, (arc - first_packed_) * arc_bits_, word_mask_));
  }

  float LogProb(uint64_t arc) const {
    if (arc < first_packed_) return parts_.unigrams[arc];
    const uint64_t bit = (arc - first_packed_) * arc_bits_ + parts_.sizes.word_bits;
    const uint64_t code = ReadBits(parts_.arcs, bit, log_prob_mask_);
    return parts_.log_prob_table_size != 0
               ? parts_.log_prob_table[code]
               : FromBits(static_cast<uint32_t>(code) | uint32_t{1} << 31);
  }

  Range ArcsOf(uint32_t state) const {
    const uint64_t* block = parts_.first_arcs + state / kStatesPerBlock * 2;
    const unsigned width = block[1] & 63;
    const uint64_t inside = state % kStatesPerBlock;
    const uint64_t bit = (block[1] >> 6) + inside * width;
    const uint64_t mask = LowBits(width);
    const uint64_t last = block[0] + ReadBits(parts_.offsets, bit, mask);
    const uint64_t first =
        inside == 0 ? block[0] : block[0] + ReadBits(parts_.offsets, bit - width, mask);
    return {first, last};
  }

  bool FindIndex(uint32_t state, uint32_t word, uint64_t* index) const {
    if (state == Automaton::kEmpty) {
      *index = word;
      return true;
    }
    return FindIndex(state, ArcsOf(state), word, index);
  }

  bool FindIndex(uint32_t state, const Range& range, uint32_t word, uint64_t* index) const {
    if (!InTable(range)) return Search(range, word, index);
    const uint64_t position = table_.Find(state, word, [&](uint64_t i) {
      return i < Size(range) && Word(range.first + i) == word;
    });
    *index = range.first + position;
    return position != PositionTable::kNone;
  }

  bool Search(const Range& range, uint32_t word, uint64_t* index) const {
    const uint64_t found = FindWord([this, &range](uint64_t i) { return Word(range.first + i); },
                                    Size(range), word, word_spread_);
    *index = range.first + found;
    return found != kNotFound;
  }

  // The state that an arc spells which spells one.
  uint32_t Spelled(uint64_t index) const {
    return static_cast<uint32_t>(spells_state_.Rank(index)) + 2;
  }

  // Where the arc `index`, of a word from a state, leads to.
  uint32_t Destination(uint32_t state, uint32_t word, uint64_t index) const {
    while (!spells_state_.Get(index)) {
      do {
        if (state == Automaton::kEmpty) return Automaton::kEmpty;
        state = backoff_state(state);
      } while (!FindIndex(state, word, &index));
    }
    return Spelled(index);
  }

  CompactParts parts_;
  RankedBits spells_state_;
  PositionTable table_;
  unsigned arc_bits_;
  unsigned state_bits_;
  uint64_t first_packed_;
  uint64_t word_mask_;
  uint64_t log_prob_mask_;
  uint64_t backoff_mask_;
  uint64_t state_mask_;
  uint32_t num_words_;
  uint32_t word_spread_;
};

}  // namespace lm

#endif  // LM_CSRC_AUTOMATON_COMPACT_AUTOMATON_H_
