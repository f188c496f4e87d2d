// An index of the compact layout for automata that are read into memory: where in the list of a
// history's arcs a word stands. It is made from the arrays of a file and never stands in one.
#ifndef LM_CSRC_AUTOMATON_POSITION_TABLE_H_
#define LM_CSRC_AUTOMATON_POSITION_TABLE_H_

#include <cstddef>
#include <cstdint>

#include "lm/csrc/automaton/arc_index.h"
#include "lm/csrc/automaton/bit_array.h"
#include "lm/csrc/automaton/prefetch.h"

namespace lm {

// (state, word) -> position by open addressing with linear probing. A slot of four bytes has one
// more than the position (0: empty) in the bits that the longest list needs, and above as many bits
// of the key's hash as fit. What it gives may belong to another key: ask the arc. A view.
class PositionTable {
 public:
  PositionTable() = default;
  // At least one slot is empty, or there are none.
  PositionTable(const uint32_t* slots, size_t num_slots, uint64_t longest_list)
      : slots_(slots), num_slots_(num_slots), position_bits_(BitsFor(longest_list)) {}

  size_t num_slots() const { return num_slots_; }

  static uint64_t SlotsFor(uint64_t arcs) { return arcs + arcs / 3 + 1; }

  void PrefetchHome(uint32_t state, uint32_t word) const {
    Prefetch(slots_ + FirstSlot(SlotHash(state, word), num_slots_));
  }

  // The position for which `is_word(position)` among those that the slots propose, or kNone.
  template <typename IsWord>
  uint64_t Find(uint32_t state, uint32_t word, const IsWord& is_word) const {
    const uint64_t hash = SlotHash(state, word);
    const uint32_t mark = Mark(hash);
    for (uint64_t slot = FirstSlot(hash, num_slots_); slots_[slot] != 0;) {
      if ((slots_[slot] & ~PositionMask()) == mark) {
        const uint64_t position = (slots_[slot] & PositionMask()) - 1;
        if (is_word(position)) return position;
      }
      if (++slot == num_slots_) slot = 0;
    }
    return kNone;
  }

  // To the slots that the table is a view of.
  void Add(uint32_t* slots, uint32_t state, uint32_t word, uint64_t position) const {
    const uint64_t hash = SlotHash(state, word);
    uint64_t slot = FirstSlot(hash, num_slots_);
    while (slots[slot] != 0) slot = slot + 1 < num_slots_ ? slot + 1 : 0;
    slots[slot] = Mark(hash) | static_cast<uint32_t>(position + 1);
  }

  static constexpr uint64_t kNone = UINT64_MAX;

 private:
  uint32_t PositionMask() const { return static_cast<uint32_t>(LowBits(position_bits_)); }
  uint32_t Mark(uint64_t hash) const { return static_cast<uint32_t>(hash) & ~PositionMask(); }

  const uint32_t* slots_ = nullptr;
  size_t num_slots_ = 0;
  unsigned position_bits_ = 0;
};

}  // namespace lm

#endif  // LM_CSRC_AUTOMATON_POSITION_TABLE_H_
