// Vectors of 16 bytes that GCC and Clang map to whatever the platform has (SSE2, NEON, nothing).
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace inference {
namespace {

typedef float Floats __attribute__((vector_size(16)));
typedef int32_t Ints __attribute__((vector_size(16)));

constexpr size_t kLanes = 4;
constexpr size_t kRows = 2;
constexpr size_t kGroup = 2;  // A unit is two int16.
constexpr int kOffset = 0;

// memcpy and not a dereference: addresses need not be multiples of 16.
inline Floats Load(const float* p) {
  Floats v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
inline void Store(float* p, Floats v) { __builtin_memcpy(p, &v, sizeof(v)); }
inline Floats Set(float x) { return Floats{x, x, x, x}; }
inline Floats Add(Floats a, Floats b) { return a + b; }
inline Floats Sub(Floats a, Floats b) { return a - b; }
inline Floats Mul(Floats a, Floats b) { return a * b; }
inline Floats Div(Floats a, Floats b) { return a / b; }
inline Floats Fma(Floats a, Floats b, Floats c) { return a * b + c; }
inline Floats Max(Floats a, Floats b) { return a > b ? a : b; }
inline Floats Min(Floats a, Floats b) { return a < b ? a : b; }
inline Floats Abs(Floats a) {
  return reinterpret_cast<Floats>(reinterpret_cast<Ints>(a) & 0x7fffffff);
}
inline Floats CopySign(Floats magnitude, Floats sign) {
  return reinterpret_cast<Floats>(reinterpret_cast<Ints>(magnitude) |
                                  (reinterpret_cast<Ints>(sign) & INT32_MIN));
}
// To the nearest, ties to even, for numbers below 2^22: the sum has no room for a fraction.
constexpr float kNoFraction = 12582912.0f;  // 1.5 * 2^23
inline Floats Round(Floats a) { return (a + kNoFraction) - kNoFraction; }
// The same sum's low bits are the integer: a cast would be undefined where the number is none.
inline Ints RoundToInts(Floats a) {
  return reinterpret_cast<Ints>(a + kNoFraction) - reinterpret_cast<Ints>(Set(kNoFraction));
}
inline Floats PowerOfTwo(Floats n) {
  return reinterpret_cast<Floats>((RoundToInts(n) + 127) << 23);
}

inline Ints LoadInts(const int32_t* p) {
  Ints v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
inline Floats ToFloats(Ints a) { return __builtin_convertvector(a, Floats); }
inline void StoreUnits(Floats a, uint32_t* units) {
  const Ints q = RoundToInts(a);
  int16_t values[kLanes];
  for (size_t i = 0; i < kLanes; ++i) values[i] = static_cast<int16_t>(q[i]);
  __builtin_memcpy(units, values, sizeof(values));
}
// A lane holds two int16: the weights of one output, or the two activations that they meet.
inline Ints LoadWeights(const int8_t* p) {
  typedef int8_t Bytes __attribute__((vector_size(8)));
  typedef int16_t Shorts __attribute__((vector_size(16)));
  Bytes bytes;
  __builtin_memcpy(&bytes, p, sizeof(bytes));
  return reinterpret_cast<Ints>(__builtin_convertvector(bytes, Shorts));
}
inline Ints SetUnit(uint32_t unit) {
  const int32_t x = static_cast<int32_t>(unit);
  return Ints{x, x, x, x};
}
inline Ints Dot(Ints sum, Ints x, Ints w) {
  // Halves of a lane by shifts, sign kept; which half comes first in memory does not matter.
  return sum + ((x << 16) >> 16) * ((w << 16) >> 16) + (x >> 16) * (w >> 16);
}

}  // namespace
}  // namespace inference
