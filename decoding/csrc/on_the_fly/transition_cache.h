// The composed transitions of the states that a search has come to. A token stays in its state for
// some frames, and has the same transitions in each.
#ifndef DECODING_TRANSITION_CACHE_H_
#define DECODING_TRANSITION_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/csrc/aligned_vector.h"

namespace decoding {

// An arc of the graph composed with the language model, from one history.
struct ComposedTransition {
  uint32_t next;     // state of the graph, with its flag
  uint32_t history;  // after the arc
  float look_ahead;  // there
  float cost;        // of arc and language model, and the difference that the look-ahead makes
  uint32_t pdf;
  uint32_t arc;  // number among its state's arcs of the kind; the upper bits are the level
};

// The transitions of a composed state, which stand behind it in memory: first the non-emitting
// ones, then the emitting ones.
struct TransitionList {
  uint32_t num_epsilons;
  uint32_t num_emitting;

  const ComposedTransition* epsilons() const {
    return reinterpret_cast<const ComposedTransition*>(this + 1);
  }
  const ComposedTransition* emitting() const { return epsilons() + num_epsilons; }
  const ComposedTransition* end() const { return emitting() + num_emitting; }
};

// Lists by number, and their numbers by composed state. Not for several threads at once.
class TransitionCache {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;         // the number where there are none
  static constexpr uint32_t kUnknown = UINT32_MAX - 1;  // not in the cache

  // max_bytes: what Trim leaves at most.
  explicit TransitionCache(size_t max_bytes);

  // Number of a state's list, or kUnknown.
  uint32_t Find(uint32_t graph_state, uint32_t history) const {
    return table_[FindSlot(graph_state, history)].list;
  }
  void Prefetch(uint32_t graph_state, uint32_t history) const {
    __builtin_prefetch(&table_[FirstSlot(graph_state, history)]);
  }
  // Adds the list of a state that has none yet. Numbers are valid until Trim.
  uint32_t Add(uint32_t graph_state, uint32_t history,
               const std::vector<ComposedTransition>& epsilons,
               const std::vector<ComposedTransition>& emitting);
  const TransitionList& list(uint32_t number) const {
    return *reinterpret_cast<const TransitionList*>(chunks_[number >> kChunkBits].data() +
                                                    (number & (kChunkUnits - 1)) * kUnit);
  }
  // Empties the cache if it exceeds max_bytes; returns whether it did.
  bool Trim();

 private:
  // A list's number is its position in units of 8 bytes, in chunks of a few megabytes.
  static constexpr size_t kUnit = 8;
  static constexpr unsigned kChunkBits = 19;
  static constexpr size_t kChunkUnits = size_t{1} << kChunkBits;

  struct Slot {
    uint32_t graph_state;
    uint32_t history;
    uint32_t list;  // kUnknown: free
  };

  size_t FirstSlot(uint32_t graph_state, uint32_t history) const {
    const uint64_t key = (static_cast<uint64_t>(graph_state) << 32) | history;
    return static_cast<size_t>((key * 0x9E3779B97F4A7C15u) >> shift_);
  }
  size_t FindSlot(uint32_t graph_state, uint32_t history) const {
    size_t slot = FirstSlot(graph_state, history);
    while (table_[slot].list != kUnknown &&
           (table_[slot].graph_state != graph_state || table_[slot].history != history)) {
      slot = (slot + 1) & mask_;
    }
    return slot;
  }
  void Resize(unsigned bits);

  const size_t max_units_;
  arrays::AlignedVector<Slot> table_;  // open addressing, at most half full
  size_t mask_ = 0;
  unsigned shift_ = 0;
  size_t num_lists_ = 0;
  std::vector<arrays::AlignedVector<unsigned char>> chunks_;
  size_t num_units_ = 0;
};

}  // namespace decoding

#endif  // DECODING_TRANSITION_CACHE_H_
