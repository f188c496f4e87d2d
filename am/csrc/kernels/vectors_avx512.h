// Vectors of AVX-512 (F, BW, VL, DQ); with INFERENCE_VNNI also its VNNI instructions.
// GCC's own header uses undefined vectors on purpose; versions 11 and 12 warn (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <cstddef>
#include <cstdint>

namespace inference {
namespace {

using Floats = __m512;
using Ints = __m512i;

constexpr size_t kLanes = 16;
constexpr size_t kRows = 6;  // 24 sums, 4 weights and an input of the 32 registers.

inline Floats Load(const float* p) { return _mm512_loadu_ps(p); }
inline void Store(float* p, Floats v) { _mm512_storeu_ps(p, v); }
inline Floats Set(float x) { return _mm512_set1_ps(x); }
inline Floats Add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
inline Floats Sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
inline Floats Mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
inline Floats Div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
inline Floats Fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
inline Floats Max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
inline Floats Min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
inline Floats Abs(Floats a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }
inline Floats CopySign(Floats magnitude, Floats sign) {
  return _mm512_or_ps(magnitude, _mm512_and_ps(_mm512_set1_ps(-0.0f), sign));
}
inline Floats Round(Floats a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Floats PowerOfTwo(Floats n) {
  const Ints exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
}

inline Ints LoadInts(const int32_t* p) { return _mm512_loadu_si512(p); }
inline Floats ToFloats(Ints a) { return _mm512_cvtepi32_ps(a); }
inline Ints SetUnit(uint32_t unit) { return _mm512_set1_epi32(static_cast<int32_t>(unit)); }

#ifdef INFERENCE_VNNI

constexpr size_t kGroup = 4;  // A unit is four bytes, unsigned: hence the offset.
constexpr int kOffset = 128;

inline void StoreUnits(Floats a, uint32_t* units) {
  const Ints q = _mm512_add_epi32(_mm512_cvtps_epi32(a), _mm512_set1_epi32(kOffset));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(units), _mm512_cvtepi32_epi8(q));
}
inline Ints LoadWeights(const int8_t* p) { return _mm512_loadu_si512(p); }
inline Ints Dot(Ints sum, Ints x, Ints w) { return _mm512_dpbusd_epi32(sum, x, w); }

#else

constexpr size_t kGroup = 2;  // A unit is two int16.
constexpr int kOffset = 0;

inline void StoreUnits(Floats a, uint32_t* units) {
  const __m256i q = _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(a));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(units), q);
}
inline Ints LoadWeights(const int8_t* p) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Ints Dot(Ints sum, Ints x, Ints w) {
  return _mm512_add_epi32(sum, _mm512_madd_epi16(x, w));
}

#endif

}  // namespace
}  // namespace inference
