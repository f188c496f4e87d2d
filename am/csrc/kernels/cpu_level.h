// Levels of instructions: which this processor has, and the kernels of one.
#ifndef AM_CSRC_KERNELS_CPU_LEVEL_H_
#define AM_CSRC_KERNELS_CPU_LEVEL_H_

#include <string>
#include <vector>

#include "am/csrc/kernels/kernels.h"

namespace inference {

// The levels that run here, the plainest ("portable") first, the fastest last.
std::vector<const Kernels*> AvailableKernels();

// The kernels of a level; an empty name chooses the fastest.
const Kernels& ChooseKernels(const std::string& level);

}  // namespace inference

#endif  // AM_CSRC_KERNELS_CPU_LEVEL_H_
