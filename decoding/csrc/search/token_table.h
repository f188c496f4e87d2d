// Finds a frame's token by its key: a hash table small enough to stay in the processor's cache,
// which an array over all states of a large graph does not.
#ifndef DECODING_CSRC_SEARCH_TOKEN_TABLE_H_
#define DECODING_CSRC_SEARCH_TOKEN_TABLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace decoding {

// Key: uint32_t or uint64_t. Open addressing with linear probing, at most half full.
template <typename Key>
class TokenTable {
  struct Slot;

 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  TokenTable() { Resize(kFirstBits); }

  // size: how many keys there were. Their number changes slowly: a table much too large would be
  // cleared in vain.
  void Clear(size_t size) {
    if (size * 32 < slots_.size() && bits_ > kFirstBits) {
      Resize(bits_ - 1);
    } else {
      std::memset(static_cast<void*>(slots_.data()), 0xff, slots_.size() * sizeof(Slot));
    }
  }

  size_t Bytes() const { return (slots_.capacity() + old_.capacity()) * sizeof(Slot); }

  // For a run of look-ups: copies what they need, so that an inner loop keeps it in registers.
  class Run {
   public:
    // The token of the key; where there is none, `token` becomes it and *is_new is set.
    uint32_t FindOrAdd(Key key, uint32_t token, bool* is_new) {
      size_t i = static_cast<size_t>((static_cast<uint64_t>(key) * kMultiplier) >> shift_);
      while (slots_[i].token != kNone && slots_[i].key != key) i = (i + 1) & mask_;
      // Whether the key is new cannot be predicted: no branch depends on it here.
      const uint32_t found = slots_[i].token;
      *is_new = found == kNone;
      const uint32_t result = *is_new ? token : found;
      slots_[i].key = key;
      slots_[i].token = result;
      return result;
    }

    void Prefetch(Key key) const {
      __builtin_prefetch(slots_ + ((static_cast<uint64_t>(key) * kMultiplier) >> shift_), 1);
    }

   private:
    friend class TokenTable;
    Slot* slots_;
    size_t mask_;
    int shift_;
  };

  // Begins a run of at most `more` look-ups when there are `size` keys.
  Run Begin(size_t size, size_t more) {
    while ((size + more) * 2 > slots_.size()) Grow();
    Run run;
    run.slots_ = slots_.data();
    run.mask_ = mask_;
    run.shift_ = 64 - bits_;
    return run;
  }

 private:
  static constexpr int kFirstBits = 10;
  // Fibonacci hashing: the upper bits of the product depend on all bits of the key.
  static constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15u;

  struct Slot {
    Key key;
    uint32_t token;  // kNone: empty; all bits set, so that clearing is one memset
  };

  void Resize(int bits) {
    bits_ = bits;
    mask_ = (size_t{1} << bits) - 1;
    slots_.resize(mask_ + 1);
    std::memset(static_cast<void*>(slots_.data()), 0xff, slots_.size() * sizeof(Slot));
  }

  // Kept out of Begin, which must be inlined for a run to stay in registers.
  [[gnu::noinline]] void Grow() {
    old_.assign(slots_.begin(), slots_.end());
    Resize(bits_ + 1);
    for (const Slot& slot : old_) {
      if (slot.token == kNone) continue;
      size_t i =
          static_cast<size_t>((static_cast<uint64_t>(slot.key) * kMultiplier) >> (64 - bits_));
      while (slots_[i].token != kNone) i = (i + 1) & mask_;
      slots_[i] = slot;
    }
  }

  int bits_ = 0;
  size_t mask_ = 0;
  std::vector<Slot> slots_;
  std::vector<Slot> old_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_SEARCH_TOKEN_TABLE_H_
