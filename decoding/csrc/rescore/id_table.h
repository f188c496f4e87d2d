// Numbers for objects that are told apart by their content.
#ifndef DECODING_CSRC_RESCORE_ID_TABLE_H_
#define DECODING_CSRC_RESCORE_ID_TABLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace decoding {

inline uint64_t MixHash(uint64_t value) {  // the finaliser of splitmix64
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

// Finds the number of an object by its content; the objects themselves are stored elsewhere, by number.
class IdTable {
 public:
  IdTable() : slots_(kSmallest) {}

  // The number of the object with this hash for which same(number) holds. If there is none, calls
  // make(), which stores the object and returns its number.
  template <typename Same, typename Make>
  uint32_t FindOrAdd(uint64_t hash, const Same& same, const Make& make) {
    const uint32_t mark = static_cast<uint32_t>(hash >> 32);
    size_t index = mark & (slots_.size() - 1);
    while (slots_[index].id != kFree) {
      if (slots_[index].mark == mark && same(slots_[index].id)) return slots_[index].id;
      index = (index + 1) & (slots_.size() - 1);
    }
    const uint32_t id = make();
    slots_[index] = {mark, id};
    if (++size_ * 2 > slots_.size()) Grow();
    return id;
  }

  void Clear() {
    std::fill(slots_.begin(), slots_.end(), Slot{});
    size_ = 0;
  }

 private:
  static constexpr size_t kSmallest = 256;
  static constexpr uint32_t kFree = UINT32_MAX;
  struct Slot {
    uint32_t mark = 0;  // of the hash: most of what is not the same differs here already
    uint32_t id = kFree;
  };

  void Grow() {
    std::vector<Slot> slots(slots_.size() * 2);
    for (const Slot& slot : slots_) {
      if (slot.id == kFree) continue;
      size_t index = slot.mark & (slots.size() - 1);
      while (slots[index].id != kFree) index = (index + 1) & (slots.size() - 1);
      slots[index] = slot;
    }
    slots_.swap(slots);
  }

  std::vector<Slot> slots_;
  size_t size_ = 0;
};

}  // namespace decoding

#endif  // DECODING_CSRC_RESCORE_ID_TABLE_H_
