#define INFERENCE_VNNI
#include "am/csrc/kernels/vectors_avx512.h"

#include "am/csrc/kernels/kernels_body.h"

namespace inference {

const Kernels* Avx512VnniKernels() {
  static constexpr Kernels kernels = Table("avx512-vnni");
  return &kernels;
}

}  // namespace inference
