#include "am/csrc/kernels/vectors_avx2.h"

#include "am/csrc/kernels/kernels_body.h"

namespace inference {

const Kernels* Avx2Kernels() {
  static constexpr Kernels kernels = Table("avx2");
  return &kernels;
}

}  // namespace inference
