// A hint that memory will be read soon.
#ifndef LM_CSRC_AUTOMATON_PREFETCH_H_
#define LM_CSRC_AUTOMATON_PREFETCH_H_

namespace lm {

inline void Prefetch(const void* address) {
#if defined(__GNUC__)
  __builtin_prefetch(address);
#else
  static_cast<void>(address);
#endif
}

}  // namespace lm

#endif  // LM_CSRC_AUTOMATON_PREFETCH_H_
