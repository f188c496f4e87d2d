// The logarithms of ARPA files, to the base 10, and those of everything else, natural.
#ifndef LM_CSRC_FILES_LOG10_H_
#define LM_CSRC_FILES_LOG10_H_

namespace lm {

inline constexpr double kLogOf10 = 2.302585092994045684;

// What ARPA files have for log10 of 0.
inline constexpr double kLog10OfZero = -99.0;

inline float NaturalLog(double log10) { return static_cast<float>(log10 * kLogOf10); }

inline double Log10OfNatural(float natural) { return natural / kLogOf10; }

}  // namespace lm

#endif  // LM_CSRC_FILES_LOG10_H_
