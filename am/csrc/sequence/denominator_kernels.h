// The inner loops of the denominator's forward-backward, one table of them for each level of the
// processor's instructions.
//
// Streams are computed kLanes at a time: whatever belongs to a state or to an output is an array of
// one number for each of them, a cache line in float.
#ifndef AM_CSRC_SEQUENCE_DENOMINATOR_KERNELS_H_
#define AM_CSRC_SEQUENCE_DENOMINATOR_KERNELS_H_

#include <cstddef>
#include <cstdint>

namespace sequence {

constexpr size_t kLanes = 16;

// An arc seen from one of its states; `state` is the other one.
struct Arc {
  uint32_t state;
  uint32_t pdf;
  float prob;
};

// Arcs grouped by the state at one of their ends: those of state i are begin[i] to begin[i + 1] - 1.
struct ArcsByState {
  const Arc* arcs;
  const uint32_t* begin;
  size_t states;
};

template <typename Real>
struct DenominatorKernels {
  // outputs [S][kLanes] = exp(logits - the largest of the lane), which is added to log_scale[lane].
  // Lanes without a row (null) get 0.
  void (*exponentiate)(const Real* const rows[kLanes], size_t size, Real* outputs,
                       double log_scale[kLanes]);
  // One frame forward: after[j] = sum over arcs i -> j of before[i] * prob * outputs[pdf], then
  // divided by its sum over states, whose inverse is `inverse`; log(sum) is added to log_scale. A
  // lane without outputs gets 0 throughout.
  void (*forward)(const ArcsByState& incoming, const Real* before, const Real* outputs,
                  Real* after, Real inverse[kLanes], double log_scale[kLanes]);
  // leaked[i] = alpha[i] + leak * occupancy[i], for alphas that sum to one.
  void (*leak)(const Real* alpha, const float* occupancy, size_t states, Real leak, Real* leaked);
  // One frame backward: before[i] = inverse * sum over arcs i -> j of prob * outputs[pdf] *
  // after[j], plus the leak's share; posteriors[pdf] += leaked[i] * the same terms.
  void (*backward)(const ArcsByState& outgoing, const Real* leaked, const Real* outputs,
                   const Real* after, const float* occupancy, Real leak,
                   const Real inverse[kLanes], Real* before, Real* posteriors);
};

template <typename Real>
const DenominatorKernels<Real>* PortableDenominatorKernels();
template <typename Real>
const DenominatorKernels<Real>* Avx2DenominatorKernels();
template <typename Real>
const DenominatorKernels<Real>* Avx512DenominatorKernels();

}  // namespace sequence

#endif  // AM_CSRC_SEQUENCE_DENOMINATOR_KERNELS_H_
