// Which words the arcs of a graph may bring, laid out to find the arcs of a few words fast.
#ifndef DECODING_CSRC_ON_THE_FLY_ARC_WORDS_H_
#define DECODING_CSRC_ON_THE_FLY_ARC_WORDS_H_

#include <cstdint>

#include "data/csrc/aligned_vector.h"
#include "decoding/csrc/on_the_fly/hcl_graph.h"
#include "decoding/csrc/look_ahead/look_ahead.h"

namespace decoding {

// Of the arcs of one kind (see HclGraph): from the first to the last position of the arc's word or of
// its target's class, which may leave out some between. Shared by all searches.
class ArcWords {
 public:
  ArcWords(const HclGraph::LmArc* arcs, uint32_t count, const LookAheadClasses& classes);

  // Sets bit i where one of the words lies between the first and the last of arc first + i, and where
  // that arc may bring any word or one without a position.
  void Mark(uint32_t first, uint32_t count, const LookAhead::Range& words, uint64_t* bits) const;

 private:
  struct Extent {
    uint32_t begin;
    uint32_t size;  // kAll: any word
  };

  static constexpr uint32_t kAll = UINT32_MAX;

  arrays::AlignedVector<Extent> extents_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_ON_THE_FLY_ARC_WORDS_H_
