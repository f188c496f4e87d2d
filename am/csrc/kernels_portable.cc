#include "am/csrc/vectors_portable.h"

#include "am/csrc/kernels_body.h"

namespace inference {

const Kernels* PortableKernels() {
  static constexpr Kernels kernels = Table("portable");
  return &kernels;
}

}  // namespace inference
