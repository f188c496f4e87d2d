// Integers of any width up to 57 bits end to end, and bits that are counted from the front.
#ifndef LM_CSRC_AUTOMATON_BIT_ARRAY_H_
#define LM_CSRC_AUTOMATON_BIT_ARRAY_H_

#include <cstdint>
#include <cstring>

#include "lm/csrc/automaton/prefetch.h"

namespace lm {

// Fields are read as the eight bytes around them, so the array ends with eight bytes of padding.
inline constexpr uint64_t kBitPadding = 8;
inline constexpr unsigned kMaxFieldBits = 57;

inline uint64_t LowBits(unsigned width) { return (uint64_t{1} << width) - 1; }

inline unsigned BitsFor(uint64_t largest) {
  unsigned bits = 1;
  while (bits < 64 && (largest >> bits) != 0) ++bits;
  return bits;
}

inline uint64_t BytesForBits(uint64_t bits) { return (bits + 7) / 8 + kBitPadding; }

// The `mask`-wide field at a bit.
inline uint64_t ReadBits(const uint8_t* bytes, uint64_t bit, uint64_t mask) {
  uint64_t around;
  std::memcpy(&around, bytes + (bit >> 3), sizeof(around));
  return (around >> (bit & 7)) & mask;
}

// Bits are set in an array of zeros; one field at a time.
inline void WriteBits(uint8_t* bytes, uint64_t bit, uint64_t value) {
  uint64_t around;
  std::memcpy(&around, bytes + (bit >> 3), sizeof(around));
  around |= value << (bit & 7);
  std::memcpy(bytes + (bit >> 3), &around, sizeof(around));
}

// A bitmap in blocks of one cache line: the ones before the block, then 448 bits.
class RankedBits {
 public:
  static constexpr uint64_t kBits = 448;
  static constexpr uint64_t kWords = 8;

  static uint64_t BlocksFor(uint64_t bits) { return bits / kBits + 1; }

  explicit RankedBits(const uint64_t* blocks) : blocks_(blocks) {}

  bool Get(uint64_t index) const {
    const uint64_t inside = index % kBits;
    return (blocks_[index / kBits * kWords + 1 + inside / 64] >> (inside % 64)) & 1;
  }

  void Prefetch(uint64_t index) const { lm::Prefetch(blocks_ + index / kBits * kWords); }

  // How many ones stand before a bit. No branch depends on where it stands in its block.
  uint64_t Rank(uint64_t index) const {
    const uint64_t* block = blocks_ + index / kBits * kWords;
    const uint64_t inside = index % kBits;
    const uint64_t last = 1 + inside / 64;
    const uint64_t* before = kAllThenNone + kWords - last;
    uint64_t ones = OnesOfBytes(block[last] & LowBits(inside % 64));
    for (uint64_t w = 1; w < kWords; ++w) ones += OnesOfBytes(block[w] & before[w]);
    return block[0] + SumOfBytes(ones);
  }

  // Counts the ones of blocks whose bits are set.
  static void Count(uint64_t* blocks, uint64_t num_blocks) {
    uint64_t ones = 0;
    for (uint64_t b = 0; b < num_blocks; ++b) {
      blocks[b * kWords] = ones;
      for (uint64_t w = 1; w < kWords; ++w) ones += Ones(blocks[b * kWords + w]);
    }
  }

  static void Set(uint64_t* blocks, uint64_t index) {
    const uint64_t inside = index % kBits;
    blocks[index / kBits * kWords + 1 + inside / 64] |= uint64_t{1} << (inside % 64);
  }

 private:
  static constexpr uint64_t kAll = ~uint64_t{0};
  static constexpr uint64_t kAllThenNone[2 * kWords] = {kAll, kAll, kAll, kAll,
                                                        kAll, kAll, kAll, kAll};

  // Without a compiler flag that not all processors bear, the builtin is a call to a table.
  static uint64_t OnesOfBytes(uint64_t x) {
    x -= (x >> 1) & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
    return (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  }
  static uint64_t SumOfBytes(uint64_t x) {  // which is less than 2^16
    x = (x & 0x00ff00ff00ff00ffu) + ((x >> 8) & 0x00ff00ff00ff00ffu);
    return (x * 0x0001000100010001u) >> 48;
  }
  static uint64_t Ones(uint64_t x) { return SumOfBytes(OnesOfBytes(x)); }

  const uint64_t* blocks_;
};

}  // namespace lm

#endif  // LM_CSRC_AUTOMATON_BIT_ARRAY_H_
