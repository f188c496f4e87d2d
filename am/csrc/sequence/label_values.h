// What forward-backward says about outputs in single frames, few of which occur in any frame.
#ifndef AM_CSRC_SEQUENCE_LABEL_VALUES_H_
#define AM_CSRC_SEQUENCE_LABEL_VALUES_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace sequence {

constexpr double kLogZero = -std::numeric_limits<double>::infinity();

inline double LogAdd(double a, double b) {
  if (a < b) std::swap(a, b);
  return b == kLogZero ? a : a + std::log1p(std::exp(b - a));
}

// A number of an output in a frame of a stream's rows.
struct LabelValue {
  size_t frame;
  int32_t label;
  double value;
};

// In order of time and label, with the values of one frame and label added up.
inline void AddUp(std::vector<LabelValue>& values) {
  std::stable_sort(values.begin(), values.end(), [](const LabelValue& a, const LabelValue& b) {
    return a.frame != b.frame ? a.frame < b.frame : a.label < b.label;
  });
  size_t kept = 0;
  for (const LabelValue& one : values) {
    if (kept > 0 && values[kept - 1].frame == one.frame && values[kept - 1].label == one.label) {
      values[kept - 1].value += one.value;
    } else {
      values[kept++] = one;
    }
  }
  values.resize(kept);
}

}  // namespace sequence

#endif  // AM_CSRC_SEQUENCE_LABEL_VALUES_H_
