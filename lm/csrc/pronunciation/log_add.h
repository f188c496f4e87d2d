#ifndef LM_CSRC_PRONUNCIATION_LOG_ADD_H_
#define LM_CSRC_PRONUNCIATION_LOG_ADD_H_

#include <cmath>
#include <limits>

namespace lm {

// log(exp(a) + exp(b)); either may be minus infinity.
inline double LogAdd(double a, double b) {
  const double high = a > b ? a : b;
  if (high == -std::numeric_limits<double>::infinity()) return high;
  return high + std::log1p(std::exp((a > b ? b : a) - high));
}

}  // namespace lm

#endif  // LM_CSRC_PRONUNCIATION_LOG_ADD_H_
