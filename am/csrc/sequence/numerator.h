// Forward-backward over a supervision graph of one stream, in log probabilities.
#ifndef AM_CSRC_SEQUENCE_NUMERATOR_H_
#define AM_CSRC_SEQUENCE_NUMERATOR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "am/csrc/sequence/label_values.h"

namespace sequence {

// Arcs that may be taken in frames first_frames[a] to last_frames[a] of the stream's rows.
struct SupervisionView {
  const int32_t* sources;
  const int32_t* destinations;
  const int32_t* labels;
  const float* log_probs;
  const int32_t* first_frames;
  const int32_t* last_frames;
  size_t arcs;
  size_t states;
};

class Numerator {
 public:
  // The log of the summed probability of all paths of `frames` arcs, that of the start states
  // included; -inf where there is none, and then no posteriors.
  //
  // logits: of frame t at t * stride. alphas: log probabilities of the states before the rows, then
  // after them (their sum 1), [V]. finals: log weights of the end states [V]. posteriors: one for
  // each frame and output that a path can have there, in order of time.
  template <typename Real>
  double Run(const SupervisionView& graph, const Real* logits, size_t stride, size_t frames,
             double* alphas, const double* finals, std::vector<LabelValue>& posteriors);

 private:
  std::vector<size_t> order_, active_, begin_;
  std::vector<double> alpha_, beta_, before_;
};

}  // namespace sequence

#endif  // AM_CSRC_SEQUENCE_NUMERATOR_H_
