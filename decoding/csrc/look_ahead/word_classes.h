// Which words can come next: the word classes of the states of a graph without language model.
#ifndef DECODING_CSRC_LOOK_AHEAD_WORD_CLASSES_H_
#define DECODING_CSRC_LOOK_AHEAD_WORD_CLASSES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoding/csrc/graph/mapped_graph.h"

namespace decoding {

// The class of a state is the set of the first words on the paths that leave it. States of the same
// set share a class: in a lexicon's tree of phones most steps leave the set as it is.
struct WordClasses {
  // The class of states that so many words can follow that nothing is known about the next one, or
  // where a sentence can end: as if every word and the end could come. It lists no words.
  static constexpr uint32_t kAnything = 0;

  struct Interval {
    uint32_t begin;
    uint32_t end;
    bool operator==(const Interval& other) const {
      return begin == other.begin && end == other.end;
    }
  };

  std::vector<uint32_t> class_of_state;  // [num_states]
  // All words in the order of a depth-first search, in which those of a class are next to each
  // other or nearly so.
  std::vector<uint32_t> order;
  std::vector<uint64_t> offsets;    // [num_classes + 1]
  std::vector<Interval> intervals;  // of positions in that order, ascending within a class, apart

  uint32_t num_classes() const { return static_cast<uint32_t>(offsets.size() - 1); }
};

// num_words: of the graph that are looked ahead to; the others, which have higher ids, are as if any
// word could come. max_words: of a class other than kAnything.
WordClasses MakeWordClasses(const MappedGraph& graph, size_t num_words, size_t max_words);

}  // namespace decoding

#endif  // DECODING_CSRC_LOOK_AHEAD_WORD_CLASSES_H_
