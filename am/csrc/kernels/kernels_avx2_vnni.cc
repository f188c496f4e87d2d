#define INFERENCE_VNNI
#include "am/csrc/kernels/vectors_avx2.h"

#include "am/csrc/kernels/kernels_body.h"

namespace inference {

const Kernels* Avx2VnniKernels() {
  static constexpr Kernels kernels = Table("avx2-vnni");
  return &kernels;
}

}  // namespace inference
