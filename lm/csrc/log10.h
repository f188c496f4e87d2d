// The logarithms of ARPA files, to the base 10, and those of everything else, natural.
#ifndef LM_CSRC_LOG10_H_
#define LM_CSRC_LOG10_H_

namespace lm {

inline constexpr double kLogOf10 = 2.302585092994045684;

inline float NaturalLog(double log10) { return static_cast<float>(log10 * kLogOf10); }

}  // namespace lm

#endif  // LM_CSRC_LOG10_H_
