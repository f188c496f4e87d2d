// Forward-backward over a denominator graph that many streams share, in scaled probabilities.
//
// The leaky HMM (Povey et al. 2016, section 2.7 and Kaldi's chain-denominator.h): before each frame
// a path may jump to any state, with a probability `leak` times that state's occupancy. With
// M(t)[i, j] = the sum over arcs i -> j of their probabilities times exp(logit of their output),
//
//   alpha(t + 1) = (alpha(t) + leak * sum(alpha(t)) * occupancy) M(t),   value = log sum(alpha(T)).
#ifndef AM_CSRC_SEQUENCE_DENOMINATOR_H_
#define AM_CSRC_SEQUENCE_DENOMINATOR_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "am/csrc/sequence/denominator_kernels.h"
#include "data/csrc/aligned_vector.h"

namespace sequence {

// What is computed for N streams. Rows of `logits` and `posteriors` are [T][N][S].
template <typename Real>
struct DenominatorTask {
  const Real* logits;
  size_t frames;
  size_t streams;
  const int64_t* begins;   // [N], first row of each stream
  const int64_t* lengths;  // [N], its rows, 0 for none
  Real* alphas;            // [N][V], probabilities of the states before the rows, then after them
  Real* posteriors;        // of the outputs, all rows written; null where they are not wanted
  double* values;          // [N]: log probability of the rows; not finite where they have none
};

class Denominator {
 public:
  Denominator(std::vector<std::array<uint32_t, 3>> arcs, const float* probs,
              std::vector<float> occupancy, size_t outputs, float leak, const std::string& level);

  size_t states() const { return occupancy_.size(); }
  size_t outputs() const { return outputs_; }

  // Streams go to threads kLanes at a time; results do not depend on the number of threads. One
  // call at a time: others wait, since the memory is kept from call to call.
  template <typename Real>
  void Run(const DenominatorTask<Real>& task, size_t threads);

 private:
  template <typename Real>
  struct Workspace {
    arrays::AlignedVector<Real> leaked, outputs, alpha, beta, before, posteriors, inverse;
  };

  template <typename Real>
  const DenominatorKernels<Real>& kernels() const;
  template <typename Real>
  std::vector<Workspace<Real>>& workspaces();
  template <typename Real>
  void RunLanes(const DenominatorTask<Real>& task, size_t first, Workspace<Real>& work) const;

  std::vector<Arc> incoming_arcs_, outgoing_arcs_;
  std::vector<uint32_t> incoming_begin_, outgoing_begin_;
  std::vector<float> occupancy_;
  size_t outputs_;
  float leak_;
  const DenominatorKernels<float>* float_kernels_;
  const DenominatorKernels<double>* double_kernels_;
  std::mutex mutex_;
  std::vector<Workspace<float>> float_workspaces_;
  std::vector<Workspace<double>> double_workspaces_;
};

// The levels of instructions that run here, the plainest first.
std::vector<std::string> DenominatorLevels();

}  // namespace sequence

#endif  // AM_CSRC_SEQUENCE_DENOMINATOR_H_
