#include "am/csrc/kernels/vectors_portable.h"

#include "am/csrc/kernels/kernels_body.h"

namespace inference {

const Kernels* PortableKernels() {
  static constexpr Kernels kernels = Table("portable");
  return &kernels;
}

}  // namespace inference
