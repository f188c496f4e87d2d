#include "am/csrc/vectors_avx2.h"

#include "am/csrc/kernels_body.h"

namespace inference {

const Kernels* Avx2Kernels() {
  static constexpr Kernels kernels = Table("avx2");
  return &kernels;
}

}  // namespace inference
