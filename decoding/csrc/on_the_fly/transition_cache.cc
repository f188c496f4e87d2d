#include "decoding/csrc/on_the_fly/transition_cache.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <utility>

namespace decoding {

namespace {

constexpr unsigned kFirstBits = 12;

size_t NumBytes(const TransitionList& list) {
  return static_cast<size_t>(reinterpret_cast<const unsigned char*>(list.bits() + list.all_words) -
                             reinterpret_cast<const unsigned char*>(&list));
}

}  // namespace

TransitionCache::TransitionCache(size_t max_bytes) : max_bytes_(max_bytes) {
  static_assert(sizeof(TransitionList) % kUnit == 0 && sizeof(ComposedTransition) % kUnit == 0);
  Resize(kFirstBits);
}

uint32_t TransitionCache::Places::Next(size_t num_units) {
  const size_t taken = end_ & (kChunkUnits - 1);
  if (taken > 0 && taken + num_units > kChunkUnits) end_ += kChunkUnits - taken;
  const size_t place = end_;
  end_ += std::min(num_units, kChunkUnits);
  return static_cast<uint32_t>(place);
}

// Lists move towards the first chunk, where others were: nothing is copied elsewhere, since a
// second memory as large as what is kept would be the process's highest use of memory.
bool TransitionCache::Trim() {
  const size_t table_bytes = table_.size() * sizeof(Slot);
  if (num_units_ * kUnit + table_bytes <= max_bytes_) return false;
  MarkKept((max_bytes_ > table_bytes ? max_bytes_ - table_bytes : 0) / 2 / kUnit);
  KeepSlots();
  MoveKept();
  return true;
}

template <typename Function>
void TransitionCache::ForAll(const Function& function) {
  for (size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
    // Units are read before the function may change them, and of a list before it may move.
    const size_t end = chunks_[chunk].num_units;
    for (size_t unit = 0; unit < end;) {
      const auto number = static_cast<uint32_t>((chunk << kChunkBits) + unit);
      TransitionList* const list = At(number);
      const size_t num_units = NumBytes(*list) / kUnit;
      function(list, number, num_units);
      unit += num_units;
    }
  }
}

// Marks the lists to keep with their new numbers, all others as unused.
void TransitionCache::MarkKept(size_t max_units) {
  size_t used = 0;
  ForAll([&used](const TransitionList* list, uint32_t, size_t num_units) {
    if (list->mark == kUsed) used += num_units;
  });
  ForAll([&](TransitionList* list, uint32_t, size_t num_units) {
    if (list->mark != kUsed) return;
    if (used > max_units) {
      used -= num_units;
      list->mark = kUnused;
      return;
    }
    // With what it inherits from.
    list->mark = kKept;
    for (uint32_t number = list->shorter; number != kNone; number = At(number)->shorter) {
      At(number)->mark = kKept;
    }
  });
  Places places;
  ForAll([&places](TransitionList* list, uint32_t, size_t num_units) {
    list->mark = list->mark == kKept ? places.Next(num_units) : kUnused;
  });
}

// Leaves in the table the lists that are kept, with their new numbers.
void TransitionCache::KeepSlots() {
  std::vector<Slot> kept;
  for (const Slot& slot : table_) {
    if (slot.list == kUnknown) continue;
    const uint32_t mark = At(slot.list)->mark;
    if (mark != kUnused) kept.push_back({slot.graph_state, slot.history, mark});
  }
  // The table stays as large: in a smaller one, slots that come in this order would cluster.
  std::fill(table_.begin(), table_.end(), Slot{0, 0, kUnknown});
  num_lists_ = 0;
  for (const Slot& slot : kept) AddSlot(slot);
}

void TransitionCache::MoveKept() {
  ForAll([this](TransitionList* list, uint32_t, size_t) {
    if (list->mark != kUnused && list->shorter != kNone) list->shorter = At(list->shorter)->mark;
  });
  std::vector<size_t> num_units_of(chunks_.size());
  num_units_ = 0;
  places_ = Places();
  ForAll([&](TransitionList* list, uint32_t number, size_t num_units) {
    if (list->mark == kUnused) return;
    const uint32_t place = places_.Next(num_units);
    const size_t from = number >> kChunkBits;
    const size_t to = place >> kChunkBits;
    list->mark = kUnused;
    if (num_units > kChunkUnits) {
      // All lists that were in the other chunk have moved, and none is there yet.
      std::swap(chunks_[from].memory, chunks_[to].memory);
    } else {
      std::memmove(At(place), list, num_units * kUnit);
    }
    num_units_of[to] += num_units;
    num_units_ += num_units;
  });
  for (size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
    chunks_[chunk].num_units = num_units_of[chunk];
  }
  // More chunks than the cache will grow to are not wanted.
  while (chunks_.size() > 1 && chunks_.back().num_units == 0 &&
         chunks_.size() * kChunkUnits * kUnit > max_bytes_) {
    chunks_.pop_back();
  }
}

void TransitionCache::AddSlot(const Slot& slot) {
  if (4 * ++num_lists_ > 3 * table_.size()) Resize(65 - shift_);
  table_[FindSlot(slot.graph_state, slot.history)] = slot;
}

unsigned char* TransitionCache::Reserve(uint32_t number, size_t num_units) {
  const size_t index = number >> kChunkBits;
  while (chunks_.size() <= index) chunks_.push_back({{}, 0});
  Chunk& chunk = chunks_[index];
  const size_t num_bytes = std::max(num_units, kChunkUnits) * kUnit;
  if (chunk.memory.size() < num_bytes) {
    chunk.memory = {};  // an empty chunk may be too small, and need not be copied
    chunk.memory.resize(num_bytes);
  }
  chunk.num_units += num_units;
  num_units_ += num_units;
  return chunk.memory.data() + ByteInChunk(number);
}

// `bits`: of the table's size.
void TransitionCache::Resize(unsigned bits) {
  const arrays::AlignedVector<Slot> old = std::move(table_);
  table_ = arrays::AlignedVector<Slot>();
  table_.assign(size_t{1} << bits, Slot{0, 0, kUnknown});
  mask_ = table_.size() - 1;
  shift_ = 64 - bits;
  for (const Slot& slot : old) {
    if (slot.list != kUnknown) table_[FindSlot(slot.graph_state, slot.history)] = slot;
  }
}

uint32_t TransitionCache::Add(uint32_t graph_state, uint32_t history,
                              const std::vector<ComposedTransition>& epsilons,
                              const std::vector<ComposedTransition>& emitting,
                              const std::vector<uint64_t>& bits, size_t emitting_words) {
  const size_t num_bytes = sizeof(TransitionList) +
                           (epsilons.size() + emitting.size()) * sizeof(ComposedTransition) +
                           bits.size() * sizeof(uint64_t);
  const uint32_t number = places_.Next(num_bytes / kUnit);
  unsigned char* const memory = Reserve(number, num_bytes / kUnit);
  const auto num_epsilons = static_cast<uint32_t>(epsilons.size());
  auto* const added = new (memory) TransitionList{num_epsilons,
                                                  static_cast<uint32_t>(emitting.size()),
                                                  kNone,
                                                  0.0f,
                                                  std::numeric_limits<float>::infinity(),
                                                  num_epsilons,
                                                  static_cast<uint16_t>(emitting_words),
                                                  static_cast<uint16_t>(bits.size()),
                                                  kUnused};
  auto* const transitions = reinterpret_cast<ComposedTransition*>(memory + sizeof(TransitionList));
  std::uninitialized_copy(emitting.begin(), emitting.end(),
                          std::uninitialized_copy(epsilons.begin(), epsilons.end(), transitions));
  std::uninitialized_copy(bits.begin(), bits.end(), const_cast<uint64_t*>(added->bits()));
  AddSlot({graph_state, history, number});
  return number;
}

void TransitionCache::Inherit(uint32_t number, uint32_t shorter, float backoff) {
  const TransitionList& from = list(shorter);
  TransitionList& to = *At(number);
  to.shorter = shorter;
  to.backoff = backoff;
  to.all_epsilons += from.all_epsilons;
  // Emitting transitions are sorted.
  const float first = from.num_emitting > 0 ? from.emitting()->cost : from.lowest_shorter;
  to.lowest_shorter = backoff + std::min(first, from.lowest_shorter);
}

}  // namespace decoding
