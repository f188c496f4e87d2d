// The expected accuracy of a lattice's paths, summed over their arcs, and its gradient.
#ifndef AM_CSRC_SEQUENCE_EXPECTED_ACCURACY_H_
#define AM_CSRC_SEQUENCE_EXPECTED_ACCURACY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "am/csrc/sequence/label_values.h"

namespace sequence {

// States in topological order, state 0 is the start; arcs are sorted by source. An arc takes the
// frame state_frames[source], or none if its label is -1.
struct StateLatticeView {
  const int32_t* sources;
  const int32_t* destinations;
  const int32_t* labels;
  const float* log_probs;
  const float* accuracies;  // of taking the arc: 1 if its output is right, 0 if not
  size_t arcs;
  const int32_t* state_frames;
  const float* finals;
  size_t states;
};

// What is wrong with a lattice of so many frames; empty if nothing is.
std::string Fault(const StateLatticeView& lattice, size_t outputs, size_t frames);

class ExpectedAccuracy {
 public:
  // The expectation over all paths, not a number where there is none. `gradient` is that by the
  // scores, of which those of frame t are at t * stride: the posterior of an output times what the
  // paths through it have more than the average (Povey and Kingsbury 2007, section 2).
  template <typename Real>
  double Run(const StateLatticeView& lattice, const Real* scores, size_t stride,
             std::vector<LabelValue>& gradient);

 private:
  std::vector<double> alpha_, beta_, alpha_right_, beta_right_;
};

}  // namespace sequence

#endif  // AM_CSRC_SEQUENCE_EXPECTED_ACCURACY_H_
