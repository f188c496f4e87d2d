// Packs an automaton with explicit destinations into the compact layout.
#ifndef LM_CSRC_COMPACT_BUILDER_H_
#define LM_CSRC_COMPACT_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lm/csrc/automaton.h"
#include "lm/csrc/compact_automaton.h"

namespace lm {

// Ascending values, 2^1 to 2^24 of them; each value is replaced by the nearest. Empty: raw values.
using ValueTable = std::vector<float>;

struct CompactArrays {
  CompactParts::Sizes sizes;
  std::vector<float> unigrams;
  std::vector<uint8_t> arcs;
  std::vector<uint64_t> spells_state;
  std::vector<uint64_t> first_arcs;
  std::vector<uint8_t> offsets;
  std::vector<uint8_t> states;
};

// Throws std::invalid_argument where the automaton's states are not numbered breadth first.
CompactArrays Pack(const Automaton& automaton, const ValueTable& log_probs,
                   const ValueTable& backoffs);

}  // namespace lm

#endif  // LM_CSRC_COMPACT_BUILDER_H_
