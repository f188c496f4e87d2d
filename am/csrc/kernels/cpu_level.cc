#include "am/csrc/kernels/cpu_level.h"

#include <stdexcept>

#ifdef HAVE_AVX2_VNNI
#include <cpuid.h>
#endif

namespace inference {

#ifdef HAVE_AVX2_VNNI
namespace {

// Asked of the processor itself: not every compiler knows a name for it.
bool HasAvxVnni() {
  unsigned int eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax >> 4 & 1) != 0;
}

}  // namespace
#endif

std::vector<const Kernels*> AvailableKernels() {
  std::vector<const Kernels*> found = {PortableKernels()};
#ifdef HAVE_AVX2
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2) found.push_back(Avx2Kernels());
#ifdef HAVE_AVX2_VNNI
  if (avx2 && HasAvxVnni()) found.push_back(Avx2VnniKernels());
#endif
#ifdef HAVE_AVX512
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq");
  if (avx512) found.push_back(Avx512Kernels());
#ifdef HAVE_AVX512_VNNI
  if (avx512 && __builtin_cpu_supports("avx512vnni")) found.push_back(Avx512VnniKernels());
#endif
#endif
#endif
  return found;
}

const Kernels& ChooseKernels(const std::string& level) {
  const std::vector<const Kernels*> available = AvailableKernels();
  if (level.empty()) return *available.back();
  std::string names;
  for (const Kernels* kernels : available) {
    if (level == kernels->level) return *kernels;
    names += (names.empty() ? "" : ", ") + std::string(kernels->level);
  }
  throw std::invalid_argument("level of instructions: expected one of " + names + ", found " +
                              level);
}

}  // namespace inference
