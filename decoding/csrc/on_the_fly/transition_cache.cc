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

}  // namespace

TransitionCache::TransitionCache(size_t max_bytes) : max_units_(max_bytes / kUnit) {
  static_assert(sizeof(TransitionList) % kUnit == 0 && sizeof(ComposedTransition) % kUnit == 0);
  Resize(kFirstBits);
}

bool TransitionCache::Trim() {
  if (num_units_ <= max_units_) return false;
  Chunks old_chunks;
  arrays::AlignedVector<Slot> old_table;
  old_chunks.swap(chunks_);
  old_table.swap(table_);
  num_units_ = 0;
  num_lists_ = 0;
  for (const Slot& slot : old_table) {
    if (slot.list == kUnknown || num_units_ > max_units_ / 2) continue;
    TransitionList* const list = ListIn(&old_chunks, slot.list);
    if (list->mark == kUsed) Keep(list, &old_chunks);
  }
  // As large as before: in a smaller one, slots that come in this order would cluster.
  Resize(64 - shift_);
  for (const Slot& slot : old_table) {
    if (slot.list == kUnknown) continue;
    const uint32_t mark = ListIn(&old_chunks, slot.list)->mark;
    if (mark != kUsed && mark != kUnused) AddSlot({slot.graph_state, slot.history, mark});
  }
  for (arrays::AlignedVector<unsigned char>& chunk : old_chunks) {
    if (chunk.size() == kChunkUnits * kUnit) spare_.push_back(std::move(chunk));
  }
  return true;
}

uint32_t TransitionCache::Keep(TransitionList* old, Chunks* old_chunks) {
  if (old->mark != kUsed && old->mark != kUnused) return old->mark;
  const uint32_t shorter =
      old->shorter == kNone ? kNone : Keep(ListIn(old_chunks, old->shorter), old_chunks);
  const size_t num_bytes = static_cast<size_t>(
      reinterpret_cast<const unsigned char*>(old->bits() + old->all_words) -
      reinterpret_cast<const unsigned char*>(old));
  uint32_t number = 0;
  unsigned char* const memory = Reserve(num_bytes / kUnit, &number);
  std::memcpy(memory, old, num_bytes);
  auto* const kept = reinterpret_cast<TransitionList*>(memory);
  kept->shorter = shorter;
  kept->mark = kUnused;
  old->mark = number;
  return number;
}

void TransitionCache::AddSlot(const Slot& slot) {
  if (2 * ++num_lists_ > table_.size()) Resize(65 - shift_);
  table_[FindSlot(slot.graph_state, slot.history)] = slot;
}

unsigned char* TransitionCache::Reserve(size_t num_units, uint32_t* number) {
  // A list is in one chunk; one that is larger than a chunk has one of its own.
  const size_t left = kChunkUnits - (num_units_ & (kChunkUnits - 1));
  if (num_units > left) num_units_ += left;
  const size_t chunk = num_units_ >> kChunkBits;
  if (chunk >= chunks_.size()) {
    chunks_.emplace_back();
    if (num_units > kChunkUnits) {
      chunks_.back().resize(num_units * kUnit);
    } else if (spare_.empty()) {
      chunks_.back().resize(kChunkUnits * kUnit);
    } else {
      chunks_.back() = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  *number = static_cast<uint32_t>(num_units_);
  num_units_ += std::min(num_units, kChunkUnits);
  return chunks_[chunk].data() + ByteInChunk(*number);
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
  uint32_t number = 0;
  unsigned char* const memory = Reserve(num_bytes / kUnit, &number);
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
  TransitionList& to = *ListIn(&chunks_, number);
  to.shorter = shorter;
  to.backoff = backoff;
  to.all_epsilons += from.all_epsilons;
  // Emitting transitions are sorted.
  const float first = from.num_emitting > 0 ? from.emitting()->cost : from.lowest_shorter;
  to.lowest_shorter = backoff + std::min(first, from.lowest_shorter);
}

}  // namespace decoding
