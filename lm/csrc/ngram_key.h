// N-grams packed into integers whose order is that of their words.
#ifndef LM_CSRC_NGRAM_KEY_H_
#define LM_CSRC_NGRAM_KEY_H_

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <type_traits>

namespace lm {

constexpr int kMaxNgramOrder = 6;
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
  uint64_t part[K];

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
  int Parts(int order) const { return (order * bits_ + 63) / 64; }

  // The word at a place; 0 is the most significant.
  template <int K>
  uint32_t Word(const NgramKey<K>& key, int place) const {
    const int offset = place * bits_;
    const int shift = offset % 64;
    uint64_t value = key.part[offset / 64] << shift;
    if (shift + bits_ > 64) value |= key.part[offset / 64 + 1] >> (64 - shift);
    return static_cast<uint32_t>(value >> (64 - bits_));
  }

  template <int K>
  NgramKey<K> Pack(const uint32_t* words, int count) const {
    NgramKey<K> key{};
    int free = 64;  // bits of the current part
    int part = 0;
    for (int i = 0; i < count; ++i) {
      const uint64_t word = words[i];
      if (free >= bits_) {
        free -= bits_;
        key.part[part] |= word << free;
      } else {
        const int over = bits_ - free;
        key.part[part] |= word >> over;
        key.part[++part] |= word << (64 - over);
        free = 64 - over;
      }
    }
    return key;
  }

  // The first words alone.
  template <int K>
  NgramKey<K> Top(NgramKey<K> key, int count) const {
    int left = count * bits_;
    for (int i = 0; i < K; ++i, left -= 64) {
      if (left <= 0) {
        key.part[i] = 0;
      } else if (left < 64) {
        key.part[i] &= ~uint64_t{0} << (64 - left);
      }
    }
    return key;
  }

  // How many of the first words two different keys share.
  template <int K>
  int CommonWords(const NgramKey<K>& a, const NgramKey<K>& b) const {
    int i = 0;
    while (i + 1 < K && a.part[i] == b.part[i]) ++i;
    const uint64_t difference = a.part[i] ^ b.part[i];
    return (64 * i + (difference == 0 ? 64 : __builtin_clzll(difference))) / bits_;
  }

 private:
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
    default:
      throw std::invalid_argument("n-grams: expected an order of 1 to 6");
  }
}

// A key with how often it was counted.
template <int K>
struct CountedNgram {
  NgramKey<K> key;
  uint64_t count;
};

struct KeyOrder {
  template <typename Record>
  bool operator()(const Record& a, const Record& b) const {
    return a.key < b.key;
  }
};

struct AddCounts {
  template <typename Record>
  void operator()(Record* kept, const Record& equal) const {
    kept->count += equal.count;
  }
};

}  // namespace lm

#endif  // LM_CSRC_NGRAM_KEY_H_
