#include "decoding/csrc/on_the_fly/arc_words.h"

#include <algorithm>
#include <cstddef>

namespace decoding {

ArcWords::ArcWords(const HclGraph::LmArc* arcs, uint32_t count, const LookAheadClasses& classes) {
  extents_.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t word = arcs[i].word;
    if (!(word & HclGraph::kIsClass)) {
      const uint32_t position = classes.position(word);
      extents_[i] = position == LookAheadClasses::kNotInGraph ? Extent{0, kAll}
                                                              : Extent{position, 1};
      continue;
    }
    const uint32_t of_class = word & ~HclGraph::kIsClass;
    const LookAheadClasses::Interval* const first = classes.begin(of_class);
    const LookAheadClasses::Interval* const last = classes.end(of_class);
    if (of_class == WordClasses::kAnything) {
      extents_[i] = {0, kAll};
    } else if (first == last) {  // its words are not in the automaton
      extents_[i] = {0, 0};
    } else {
      extents_[i] = {first->begin, (last - 1)->end - first->begin};
    }
  }
}

void ArcWords::Mark(uint32_t first, uint32_t count, const LookAhead::Range& words,
                    uint64_t* bits) const {
  const Extent* const extents = extents_.data() + first;
  const LookAhead::Word* const begin = words.words + words.begin;
  const LookAhead::Word* const end = words.words + words.end;
  const auto mark = [&](const auto& has_word) {
    for (uint32_t i = 0; i < count; ++i) {
      const Extent extent = extents[i];
      const bool is_marked = (extent.size == kAll) | has_word(extent);
      bits[i / 64] |= static_cast<uint64_t>(is_marked) << i % 64;
    }
  };
  if (words.is_sorted) {
    mark([begin, end](const Extent& extent) {
      const LookAhead::Word* const found = std::lower_bound(
          begin, end, extent.begin,
          [](const LookAhead::Word& word, uint32_t wanted) { return word.position < wanted; });
      return found != end && found->position - extent.begin < extent.size;
    });
    return;
  }
  // All words are compared at once; the last position of all is in no extent.
  uint32_t positions[LookAhead::kFew];
  std::fill(positions, positions + LookAhead::kFew, UINT32_MAX);
  std::transform(begin, end, positions, [](const LookAhead::Word& word) { return word.position; });
  mark([&positions](const Extent& extent) {
    uint32_t is_found = 0;
    for (const uint32_t position : positions) is_found |= position - extent.begin < extent.size;
    return is_found != 0;
  });
}

}  // namespace decoding
