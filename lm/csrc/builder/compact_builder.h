// Automata from one layout to the other, as files of their arrays: never held in memory.
#ifndef LM_CSRC_BUILDER_COMPACT_BUILDER_H_
#define LM_CSRC_BUILDER_COMPACT_BUILDER_H_

#include <string>
#include <vector>

#include "lm/csrc/automaton/automaton.h"
#include "lm/csrc/automaton/compact_automaton.h"

namespace lm {

// Ascending values, 2^1 to 2^24 of them; each value is replaced by the nearest. Empty: raw values.
using ValueTable = std::vector<float>;

// Writes the compact layout's unigrams, arcs, spells_state, first_arcs, offsets and states to files
// of these names in a directory. Throws FileError, and std::invalid_argument where the automaton's
// states are not numbered breadth first.
CompactParts::Sizes Pack(const Automaton& automaton, const ValueTable& log_probs,
                         const ValueTable& backoffs, const std::string& directory);

// Writes the fast layout's states, arcs and finals likewise.
void Unpack(const CompactAutomaton& automaton, const std::string& directory);

}  // namespace lm

#endif  // LM_CSRC_BUILDER_COMPACT_BUILDER_H_
