// N-grams packed into integers whose order is that of their words.
#ifndef LM_CSRC_FILES_NGRAM_KEY_H_
#define LM_CSRC_FILES_NGRAM_KEY_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <type_traits>

namespace lm {

constexpr int kMaxNgramOrder = 8;
constexpr int kMaxKeyParts = 9;  // 8 words, and a number (ngram_sorter.cc)
constexpr uint32_t kUnknownWord = 0;
constexpr uint32_t kBeginWord = 1;
constexpr uint32_t kEndWord = 2;
constexpr int kNumSpecialWords = 3;

// A sequence of words, each of the same number of bits, from the most significant bit on; the bits
// behind them are 0. Two orders of an n-gram's words w1 .. wn are used:
//   suffix order   wn, ..., w1: n-grams that end alike stand together;
//   context order  w(n-1), ..., w1, wn: those of one history stand together, histories in suffix
//                  order.
template <int K>
struct NgramKey {
  uint32_t part[K];

  bool operator<(const NgramKey& other) const {
    for (int i = 0; i + 1 < K; ++i) {
      if (part[i] != other.part[i]) return part[i] < other.part[i];
    }
    return part[K - 1] < other.part[K - 1];
  }
  bool operator==(const NgramKey& other) const {
    for (int i = 0; i < K; ++i) {
      if (part[i] != other.part[i]) return false;
    }
    return true;
  }
};

class KeyFormat {
 public:
  // For ids below num_words.
  explicit KeyFormat(uint64_t num_words) : bits_(1) {
    while (bits_ < 32 && (num_words - 1) >> bits_ != 0) ++bits_;
  }

  // The integers that a key of so many words needs.
  int Parts(int order) const { return (order * bits_ + kPartBits - 1) / kPartBits; }

  // The word at a place; 0 is the most significant.
  template <int K>
  uint32_t Word(const NgramKey<K>& key, int place) const {
    const int offset = place * bits_;
    const int part = offset / kPartBits;
    const int shift = offset % kPartBits;
    uint64_t two = uint64_t{key.part[part]} << kPartBits;
    if (shift + bits_ > kPartBits) two |= key.part[part + 1];
    return static_cast<uint32_t>(two << shift >> (64 - bits_));
  }

  template <int K>
  NgramKey<K> Pack(const uint32_t* words, int count) const {
    NgramKey<K> key{};
    uint64_t pending = 0;  // bits on their way into a part, the first the most significant
    int num_pending = 0;
    int part = 0;
    for (int i = 0; i < count; ++i) {
      pending |= uint64_t{words[i]} << (64 - bits_ - num_pending);
      num_pending += bits_;
      if (num_pending >= kPartBits) {
        key.part[part++] = static_cast<uint32_t>(pending >> kPartBits);
        pending <<= kPartBits;
        num_pending -= kPartBits;
      }
    }
    if (num_pending > 0) key.part[part] = static_cast<uint32_t>(pending >> kPartBits);
    return key;
  }

  // The first words alone.
  template <int K>
  NgramKey<K> Top(NgramKey<K> key, int count) const {
    int left = count * bits_;
    for (int i = 0; i < K; ++i, left -= kPartBits) {
      if (left <= 0) {
        key.part[i] = 0;
      } else if (left < kPartBits) {
        key.part[i] &= ~uint32_t{0} << (kPartBits - left);
      }
    }
    return key;
  }

  // How many of the first words two different keys share.
  template <int K>
  int CommonWords(const NgramKey<K>& a, const NgramKey<K>& b) const {
    int i = 0;
    while (i + 1 < K && a.part[i] == b.part[i]) ++i;
    const uint32_t difference = a.part[i] ^ b.part[i];
    return (kPartBits * i + (difference == 0 ? kPartBits : __builtin_clz(difference))) / bits_;
  }

 private:
  static constexpr int kPartBits = 32;

  int bits_;
};

// Calls function(std::integral_constant<int, K>()) for the K that keys of this order need.
template <typename Function>
auto WithKeyParts(int parts, Function function) {
  switch (parts) {
    case 1:
      return function(std::integral_constant<int, 1>());
    case 2:
      return function(std::integral_constant<int, 2>());
    case 3:
      return function(std::integral_constant<int, 3>());
    case 4:
      return function(std::integral_constant<int, 4>());
    case 5:
      return function(std::integral_constant<int, 5>());
    case 6:
      return function(std::integral_constant<int, 6>());
    case 7:
      return function(std::integral_constant<int, 7>());
    case 8:
      return function(std::integral_constant<int, 8>());
    default:
      throw std::invalid_argument("n-grams: expected an order of 1 to 8");
  }
}

// What is sorted: a key, and a count or the bits of a number. In counts of the estimate the value
// is the count; in adjusted counts it is AdjustedCount; of back-off weights it is a float's bits.
template <int K>
struct NgramRecord {
  NgramKey<K> key;
  uint32_t value;
};

// Counts fit 31 bits, so that records stay small; more is an error. (The most frequent word of
// English would need a text of 30 billion words.)
constexpr uint32_t kMaxCount = ~uint32_t{0} >> 1;

// The sum of two counts; more than kMaxCount stands for too often.
inline uint32_t AddCounts(uint32_t a, uint32_t b) {
  constexpr uint64_t kTooOften = uint64_t{kMaxCount} + 1;
  return static_cast<uint32_t>(std::min(uint64_t{a} + b, kTooOften));
}

inline float FloatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

}  // namespace lm

#endif  // LM_CSRC_FILES_NGRAM_KEY_H_
