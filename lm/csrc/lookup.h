// A look-up of the word after a history in steps, for who has several to make: each step reads what
// the one before has asked the memory for, so that the look-ups wait at the same time.
#ifndef LM_CSRC_LOOKUP_H_
#define LM_CSRC_LOOKUP_H_

#include <cstdint>

namespace lm {

struct Lookup {
  enum class Stage : uint8_t { kHistory, kArcs };  // what is on its way

  uint32_t state;
  uint32_t word;
  float log_prob;
  Stage stage;
  bool scored;           // only the destination is missing
  uint64_t first, last;  // the arcs of the history, where the stage needs them
};

inline void Prefetch(const void* address) {
#if defined(__GNUC__)
  __builtin_prefetch(address);
#else
  static_cast<void>(address);
#endif
}

}  // namespace lm

#endif  // LM_CSRC_LOOKUP_H_
