#define SEQUENCE_VECTOR_BYTES 64
#include "am/csrc/sequence/denominator_kernels_body.h"

namespace sequence {

template <typename Real>
const DenominatorKernels<Real>* Avx512DenominatorKernels() {
  static constexpr DenominatorKernels<Real> kernels = Table<Real>();
  return &kernels;
}

template const DenominatorKernels<float>* Avx512DenominatorKernels<float>();
template const DenominatorKernels<double>* Avx512DenominatorKernels<double>();

}  // namespace sequence
