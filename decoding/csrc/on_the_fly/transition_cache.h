// The composed transitions of the states that a search has come to. A token stays in its state for
// some frames, and has the same transitions in each.
#ifndef DECODING_CSRC_ON_THE_FLY_TRANSITION_CACHE_H_
#define DECODING_CSRC_ON_THE_FLY_TRANSITION_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/csrc/aligned_vector.h"

namespace decoding {

// An arc of the graph composed with the language model, from one history.
//
// Its cost is that of arc and language model, and the look-ahead of where it leads to; the look-ahead
// of where it leaves, which the costs of tokens there hold, is to be taken off.
struct ComposedTransition {
  uint32_t next;     // state of the graph, with its flag
  uint32_t history;  // after the arc
  float look_ahead;  // there
  float cost;
  uint32_t pdf;
  uint32_t arc;  // number among its state's arcs of the kind; the upper bits are the level
};

// The transitions of a composed state, which stand behind it in memory: first the non-emitting
// ones, then the emitting ones, then bits that tell which arcs they are of. For its other arcs, the
// transitions are those of the same state of the graph and a shorter history, which many histories
// back off to; they cost what backing off costs more.
struct TransitionList {
  uint32_t num_epsilons;
  uint32_t num_emitting;
  uint32_t shorter;       // list of the shorter history; TransitionCache::kNone: these are all
  float backoff;          // cost of backing off to it
  float lowest_shorter;   // cost of the cheapest emitting transition from there; infinity: none
  uint32_t all_epsilons;  // at most so many non-emitting ones with those of shorter histories
  uint16_t emitting_words;  // of 64 bits: those of emitting arcs, then those of non-emitting ones
  uint16_t all_words;
  uint32_t mark;  // the cache's own

  const ComposedTransition* epsilons() const {
    return reinterpret_cast<const ComposedTransition*>(this + 1);
  }
  const ComposedTransition* emitting() const { return epsilons() + num_epsilons; }
  const ComposedTransition* end() const { return emitting() + num_emitting; }
  const uint64_t* bits() const { return reinterpret_cast<const uint64_t*>(end()); }
  // Whether transitions of the arc, if any, are in this list.
  bool HasArc(bool epsilon, uint32_t arc) const {
    return bits()[(epsilon ? emitting_words : 0) + arc / 64] >> arc % 64 & 1;
  }
};

// Lists by number, and their numbers by composed state. Not for several threads at once.
class TransitionCache {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;         // the number where there are none
  static constexpr uint32_t kUnknown = UINT32_MAX - 1;  // not in the cache

  // max_bytes: what Trim leaves at most, the table of states included.
  explicit TransitionCache(size_t max_bytes);

  // Number of a state's list, or kUnknown.
  uint32_t Find(uint32_t graph_state, uint32_t history) {
    const uint32_t number = table_[FindSlot(graph_state, history)].list;
    if (number != kUnknown) At(number)->mark = kUsed;
    return number;
  }
  void Prefetch(uint32_t graph_state, uint32_t history) const {
    __builtin_prefetch(&table_[FirstSlot(graph_state, history)]);
  }
  // More arcs of a kind than this need more words of bits than a list can count.
  static constexpr uint32_t kMaxArcs = 64 * 32767;

  // Adds the list of a state that has none yet. Numbers are valid until Trim. bits: as in the list,
  // empty if Inherit will not be called.
  uint32_t Add(uint32_t graph_state, uint32_t history,
               const std::vector<ComposedTransition>& epsilons,
               const std::vector<ComposedTransition>& emitting,
               const std::vector<uint64_t>& bits, size_t emitting_words);
  // The transitions of the arcs that a list has none of are those of another list, for this cost.
  void Inherit(uint32_t number, uint32_t shorter, float backoff);
  const TransitionList& list(uint32_t number) const {
    return *reinterpret_cast<const TransitionList*>(Memory(number));
  }
  // If the cache exceeds max_bytes, keeps those lists that were found again since the last time, of
  // those the newest, up to half of max_bytes; returns whether it did.
  bool Trim();

 private:
  // A list's number is its position in units of 8 bytes, in chunks of a few megabytes.
  static constexpr size_t kUnit = 8;
  static constexpr unsigned kChunkBits = 19;
  static constexpr size_t kChunkUnits = size_t{1} << kChunkBits;

  // Marks of lists; others, while the cache is trimmed, are the list's new number.
  static constexpr uint32_t kUsed = UINT32_MAX;
  static constexpr uint32_t kUnused = UINT32_MAX - 1;
  static constexpr uint32_t kKept = UINT32_MAX - 2;

  // Memory of lists. One that is larger than a chunk has one of its own, which is as large as it.
  struct Chunk {
    arrays::AlignedVector<unsigned char> memory;
    size_t num_units;  // that lists take
  };

  // Gives positions to lists, one behind another.
  class Places {
   public:
    uint32_t Next(size_t num_units);

   private:
    size_t end_ = 0;
  };

  struct Slot {
    uint32_t graph_state;
    uint32_t history;
    uint32_t list;  // kUnknown: free
  };

  static size_t ByteInChunk(uint32_t number) { return (number & (kChunkUnits - 1)) * kUnit; }
  const unsigned char* Memory(uint32_t number) const {
    return chunks_[number >> kChunkBits].memory.data() + ByteInChunk(number);
  }
  TransitionList* At(uint32_t number) {
    return reinterpret_cast<TransitionList*>(const_cast<unsigned char*>(Memory(number)));
  }
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
  void AddSlot(const Slot& slot);
  // Memory for a new list with this number.
  unsigned char* Reserve(uint32_t number, size_t num_units);
  // Calls function(list, number, num_units) for all lists in the order of their numbers.
  template <typename Function>
  void ForAll(const Function& function);
  void MarkKept(size_t max_units);
  void KeepSlots();
  void MoveKept();

  const size_t max_bytes_;
  arrays::AlignedVector<Slot> table_;  // open addressing, at most three quarters full
  size_t mask_ = 0;
  unsigned shift_ = 0;
  size_t num_lists_ = 0;
  std::vector<Chunk> chunks_;  // those behind the last list are empty
  Places places_;
  size_t num_units_ = 0;  // that all lists take
};

// A composed state's list, and those of shorter histories that it inherits from.
class TransitionChain {
 public:
  static constexpr unsigned kMaxLists = 32;

  TransitionChain(const TransitionCache& cache, uint32_t number)
      : cache_(cache), list_(&cache.list(number)) {}

  const TransitionList& list() const { return *list_; }
  // What backing off to the list's history costs.
  float backoff() const { return backoff_; }
  // On to the next list; false where there is none.
  bool Next() {
    if (list_->shorter == TransitionCache::kNone) return false;
    backoff_ += list_->backoff;
    before_[num_before_++] = list_;
    list_ = &cache_.list(list_->shorter);
    return true;
  }
  // Whether a list before has the transitions of the arc.
  bool IsReplaced(bool epsilon, uint32_t arc) const {
    for (unsigned i = 0; i < num_before_; ++i) {
      if (before_[i]->HasArc(epsilon, arc)) return true;
    }
    return false;
  }

 private:
  const TransitionCache& cache_;
  const TransitionList* list_;
  float backoff_ = 0.0f;
  unsigned num_before_ = 0;
  const TransitionList* before_[kMaxLists];
};

}  // namespace decoding

#endif  // DECODING_CSRC_ON_THE_FLY_TRANSITION_CACHE_H_
