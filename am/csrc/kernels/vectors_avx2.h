// Vectors of AVX2 with FMA; with INFERENCE_VNNI also the VEX-coded VNNI instructions.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace inference {
namespace {

using Floats = __m256;
using Ints = __m256i;

constexpr size_t kLanes = 8;
constexpr size_t kRows = 3;  // 12 sums, a weight and 3 inputs fill the 16 registers.

inline Floats Load(const float* p) { return _mm256_loadu_ps(p); }
inline void Store(float* p, Floats v) { _mm256_storeu_ps(p, v); }
inline Floats Set(float x) { return _mm256_set1_ps(x); }
inline Floats Add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
inline Floats Sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
inline Floats Mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
inline Floats Div(Floats a, Floats b) { return _mm256_div_ps(a, b); }
inline Floats Fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
inline Floats Max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
inline Floats Min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
inline Floats Abs(Floats a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
inline Floats CopySign(Floats magnitude, Floats sign) {
  return _mm256_or_ps(magnitude, _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
inline Floats Round(Floats a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Floats PowerOfTwo(Floats n) {
  const Ints exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}

inline Ints LoadInts(const int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline Floats ToFloats(Ints a) { return _mm256_cvtepi32_ps(a); }
inline Ints SetUnit(uint32_t unit) { return _mm256_set1_epi32(static_cast<int32_t>(unit)); }

inline __m128i RoundToShorts(Floats a) {
  const Ints q = _mm256_cvtps_epi32(a);
  return _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
}

#ifdef INFERENCE_VNNI

constexpr size_t kGroup = 4;  // A unit is four bytes, unsigned: hence the offset.
constexpr int kOffset = 128;

inline void StoreUnits(Floats a, uint32_t* units) {
  const __m128i q = _mm_add_epi16(RoundToShorts(a), _mm_set1_epi16(kOffset));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(units), _mm_packus_epi16(q, q));
}
inline Ints LoadWeights(const int8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline Ints Dot(Ints sum, Ints x, Ints w) { return _mm256_dpbusd_avx_epi32(sum, x, w); }

#else

// A unit is two int16. The instruction for bytes, vpmaddubsw, cuts its sums off at 16 bits.
constexpr size_t kGroup = 2;
constexpr int kOffset = 0;

inline void StoreUnits(Floats a, uint32_t* units) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(units), RoundToShorts(a));
}
inline Ints LoadWeights(const int8_t* p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Ints Dot(Ints sum, Ints x, Ints w) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
}

#endif

}  // namespace
}  // namespace inference
