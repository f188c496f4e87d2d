// Arcs, and an index of them for automata that are read into memory: a look-up of an arc that is not
// there mostly ends at its history, and one in a long list takes one step. It is made from the
// arrays of a file and never stands in one.
#ifndef LM_CSRC_AUTOMATON_ARC_INDEX_H_
#define LM_CSRC_AUTOMATON_ARC_INDEX_H_

#include <cstddef>
#include <cstdint>

namespace lm {

struct Arc {
  uint32_t word;
  float log_prob;
  uint32_t next;
};
static_assert(sizeof(Arc) == 12, "arcs are read from files as they stand");

struct HistoryRecord {
  uint64_t first_arc;  // arcs of a state end where the next state's begin; above: marks of an index
  float backoff;
  uint32_t backoff_state;
};
static_assert(sizeof(HistoryRecord) == 16, "states are read from files as they stand");

// The bits of `first_arc` above the number of the arc are marks. None is set in a file.
inline constexpr unsigned kArcNumberBits = 40;
inline constexpr uint64_t kArcNumberMask = (uint64_t{1} << kArcNumberBits) - 1;
// All arcs of this history stand in the ArcTable.
inline constexpr uint64_t kInTable = uint64_t{1} << 63;

// A mark that is set where no arc of the history has this word, or another of the same mark.
inline uint64_t AbsenceMark(uint32_t word) {
  constexpr uint64_t kMarks = 63 - kArcNumberBits;
  return uint64_t{1} << (kArcNumberBits + (uint64_t{word * 0x9e3779b1u} * kMarks >> 32));
}

// Where look-ups of a word after a history begin in a table of less than 2^32 slots.
inline uint64_t SlotHash(uint32_t state, uint32_t word) {
  return (state * uint64_t{0x9e3779b97f4a7c15} + word) * 0xd6e8feb86659fd93;
}
inline uint64_t FirstSlot(uint64_t hash, uint64_t num_slots) {
  return (hash >> 32) * num_slots >> 32;
}

struct ArcSlot {
  Arc arc;
  uint32_t state;  // 0, whose arcs need no table: an empty slot
};
static_assert(sizeof(ArcSlot) == 16, "slots come as rows of four integers");

// (state, word) -> arc by open addressing with linear probing. A view: owns nothing.
class ArcTable {
 public:
  ArcTable() = default;
  // At least one slot is empty, or there are none.
  ArcTable(const ArcSlot* slots, size_t num_slots) : slots_(slots), num_slots_(num_slots) {}

  size_t num_slots() const { return num_slots_; }
  const ArcSlot* slots() const { return slots_; }

  static uint64_t SlotsFor(uint64_t arcs) { return arcs + arcs / 2 + 1; }

  const ArcSlot* home(uint32_t state, uint32_t word) const {
    return slots_ + FirstSlot(SlotHash(state, word), num_slots_);
  }

  const Arc* Find(uint32_t state, uint32_t word) const {
    for (const ArcSlot* slot = home(state, word); slot->state != 0;) {
      if (slot->state == state && slot->arc.word == word) return &slot->arc;
      if (++slot == slots_ + num_slots_) slot = slots_;
    }
    return nullptr;
  }

 private:
  const ArcSlot* slots_ = nullptr;
  size_t num_slots_ = 0;
};

// What makes the index of valid arrays: ask how many slots it takes, then fill as many empty ones.
class ArcIndexer {
 public:
  ArcIndexer(HistoryRecord* states, uint32_t num_states, const Arc* arcs)
      : states_(states), num_states_(num_states), arcs_(arcs) {}

  uint64_t NumSlots() const {
    uint64_t in_table = 0;
    for (uint32_t s = 1; s < num_states_; ++s) {
      if (Size(s) > kShortList) in_table += Size(s);
    }
    return in_table == 0 ? 0 : ArcTable::SlotsFor(in_table);
  }

  void Fill(ArcSlot* slots, uint64_t num_slots) const {
    for (uint32_t s = 1; s < num_states_; ++s) {
      const Arc* const begin = arcs_ + (states_[s].first_arc & kArcNumberMask);
      const Arc* const end = begin + Size(s);
      if (Size(s) > kShortList) {
        for (const Arc* arc = begin; arc != end; ++arc) Add(slots, num_slots, s, *arc);
        states_[s].first_arc |= kInTable;
        continue;
      }
      uint64_t absent = ~(kArcNumberMask | kInTable);
      for (const Arc* arc = begin; arc != end; ++arc) absent &= ~AbsenceMark(arc->word);
      states_[s].first_arc |= absent;
    }
  }

 private:
  // Shorter lists are about a cache line.
  static constexpr uint64_t kShortList = 8;

  uint64_t Size(uint32_t state) const {
    return (states_[state + 1].first_arc & kArcNumberMask) -
           (states_[state].first_arc & kArcNumberMask);
  }

  static void Add(ArcSlot* slots, uint64_t num_slots, uint32_t state, const Arc& arc) {
    uint64_t slot = FirstSlot(SlotHash(state, arc.word), num_slots);
    while (slots[slot].state != 0) slot = slot + 1 < num_slots ? slot + 1 : 0;
    slots[slot] = {arc, state};
  }

  HistoryRecord* states_;
  uint32_t num_states_;
  const Arc* arcs_;
};

}  // namespace lm

#endif  // LM_CSRC_AUTOMATON_ARC_INDEX_H_
