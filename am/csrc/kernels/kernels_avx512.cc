#include "am/csrc/kernels/vectors_avx512.h"

#include "am/csrc/kernels/kernels_body.h"

namespace inference {

const Kernels* Avx512Kernels() {
  static constexpr Kernels kernels = Table("avx512");
  return &kernels;
}

}  // namespace inference
