// Sorted n-grams made into the automaton of automaton.h, on disk.
#ifndef LM_CSRC_BUILDER_AUTOMATON_BUILDER_H_
#define LM_CSRC_BUILDER_AUTOMATON_BUILDER_H_

#include <cstddef>
#include <string>

#include "lm/csrc/files/ngram_records.h"
#include "lm/csrc/builder/ngram_sorter.h"

namespace lm {

// Reads the sorted files of orders 1 to `order` that NgramSorters have left in `directory`, which
// it removes, and writes there, as plain arrays, `states`, `arcs` and `finals`.
//
// N-grams that hold <s> elsewhere than in front, or go on after </s>, say nothing about any
// sentence and are left out. `max_states` is what the automaton can number. The memory bounds the
// mapped pages that are held; a small multiple of the buffers' size is always taken.
//
// Throws FileError; NgramFault where an n-gram's prefix is missing; std::length_error where there
// are too many states; std::invalid_argument where a word has no unigram.
void BuildAutomaton(const std::string& directory, int order, const WordRanks& ranks,
                    size_t memory_bytes, size_t max_states, const ProgressCallback& progress);

}  // namespace lm

#endif  // LM_CSRC_BUILDER_AUTOMATON_BUILDER_H_
