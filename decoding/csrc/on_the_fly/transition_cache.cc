#include "decoding/csrc/on_the_fly/transition_cache.h"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

namespace decoding {

namespace {

constexpr unsigned kFirstBits = 12;

}  // namespace

TransitionCache::TransitionCache(size_t max_bytes) : max_units_(max_bytes / kUnit) {
  static_assert(sizeof(TransitionList) == kUnit && sizeof(ComposedTransition) % kUnit == 0);
  Resize(kFirstBits);
}

bool TransitionCache::Trim() {
  if (num_units_ <= max_units_) return false;
  num_units_ = 0;
  num_lists_ = 0;
  std::fill(table_.begin(), table_.end(), Slot{0, 0, kUnknown});
  return true;
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
                              const std::vector<ComposedTransition>& emitting) {
  const size_t num_bytes =
      sizeof(TransitionList) + (epsilons.size() + emitting.size()) * sizeof(ComposedTransition);
  const size_t num_units = num_bytes / kUnit;
  // A list is in one chunk; one that is larger than a chunk has one of its own.
  const size_t left = kChunkUnits - (num_units_ & (kChunkUnits - 1));
  if (num_units > left) num_units_ += left;
  const size_t chunk = num_units_ >> kChunkBits;
  if (chunk >= chunks_.size()) chunks_.emplace_back();
  if (chunks_[chunk].empty() || num_units > kChunkUnits) {
    chunks_[chunk].resize(std::max(num_units, kChunkUnits) * kUnit);
  }
  const auto number = static_cast<uint32_t>(num_units_);
  unsigned char* const memory = chunks_[chunk].data() + (number & (kChunkUnits - 1)) * kUnit;
  new (memory) TransitionList{static_cast<uint32_t>(epsilons.size()),
                              static_cast<uint32_t>(emitting.size())};
  auto* const transitions = reinterpret_cast<ComposedTransition*>(memory + sizeof(TransitionList));
  std::uninitialized_copy(emitting.begin(), emitting.end(),
                          std::uninitialized_copy(epsilons.begin(), epsilons.end(), transitions));
  num_units_ += std::min(num_units, kChunkUnits);

  if (2 * ++num_lists_ > table_.size()) Resize(65 - shift_);
  table_[FindSlot(graph_state, history)] = {graph_state, history, number};
  return number;
}

}  // namespace decoding
