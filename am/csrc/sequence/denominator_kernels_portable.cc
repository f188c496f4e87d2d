#define SEQUENCE_VECTOR_BYTES 16
#include "am/csrc/sequence/denominator_kernels_body.h"

namespace sequence {

template <typename Real>
const DenominatorKernels<Real>* PortableDenominatorKernels() {
  static constexpr DenominatorKernels<Real> kernels = Table<Real>();
  return &kernels;
}

template const DenominatorKernels<float>* PortableDenominatorKernels<float>();
template const DenominatorKernels<double>* PortableDenominatorKernels<double>();

}  // namespace sequence
