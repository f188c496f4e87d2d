#define SEQUENCE_VECTOR_BYTES 32
#include "am/csrc/sequence/denominator_kernels_body.h"

namespace sequence {

template <typename Real>
const DenominatorKernels<Real>* Avx2DenominatorKernels() {
  static constexpr DenominatorKernels<Real> kernels = Table<Real>();
  return &kernels;
}

template const DenominatorKernels<float>* Avx2DenominatorKernels<float>();
template const DenominatorKernels<double>* Avx2DenominatorKernels<double>();

}  // namespace sequence
