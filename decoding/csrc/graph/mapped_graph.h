// A decoding graph laid out for the search, as the arrays of a mapped file
// (decoding/graph/mapped_graph.py):
// emitting and non-emitting arcs apart, states numbered for the search's sake (graph_packing.h).
#ifndef DECODING_CSRC_GRAPH_MAPPED_GRAPH_H_
#define DECODING_CSRC_GRAPH_MAPPED_GRAPH_H_

#include <cstddef>
#include <cstdint>

namespace decoding {

class MappedGraph {
 public:
  // An emitting arc. label: bits 0..15 pdf-id; bits 16..30 which of the pdf's transition-ids;
  // bit 31: the arc has a word.
  struct Arc {
    uint32_t next;
    uint32_t label;
    float cost;
  };
  struct Epsilon {
    uint32_t next;
    uint32_t word;  // 0: none
    float cost;
  };
  static constexpr uint32_t kPdfMask = 0xffff;
  static constexpr uint32_t kHasWord = 1u << 31;
  static constexpr uint32_t kMaxPdfs = 1u << 16;
  static constexpr uint32_t kMaxTidsOfPdf = 1u << 15;

  // Views of the file's arrays; they must outlive the graph.
  struct Arrays {
    uint32_t start = 0;
    uint32_t num_states = 0;
    uint32_t num_words = 0;  // with id 0, which is no word
    // One of the two: narrow where all offsets fit.
    const uint32_t* narrow_offsets = nullptr;  // [num_states + 1] of arcs
    const uint64_t* wide_offsets = nullptr;
    const Arc* arcs = nullptr;
    const uint32_t* arc_words = nullptr;  // parallel to arcs
    size_t num_arcs = 0;
    // States 0 .. num_epsilon_states - 1 are those with non-emitting arcs, which lead to states
    // of higher rank.
    uint32_t num_epsilon_states = 0;
    const uint64_t* epsilon_offsets = nullptr;  // [num_epsilon_states + 1]
    const uint16_t* ranks = nullptr;            // [num_epsilon_states], ascending
    const Epsilon* epsilons = nullptr;
    size_t num_epsilons = 0;
    const uint32_t* final_states = nullptr;  // [num_finals], ascending
    const float* final_costs = nullptr;
    size_t num_finals = 0;
    const uint32_t* tid_offsets = nullptr;  // [num_pdfs + 1] into tids
    const uint32_t* tids = nullptr;         // transition-ids by pdf-id
    uint32_t num_pdfs = 0;
    size_t num_tids = 0;
  };

  // validate: look at every arc; without, a file that was changed can make the search read
  // anywhere. Throws std::invalid_argument, naming the arc or state.
  MappedGraph(const Arrays& arrays, bool validate);

  uint32_t start() const { return a_.start; }
  uint32_t num_states() const { return a_.num_states; }
  uint32_t num_pdfs() const { return a_.num_pdfs; }
  uint16_t max_rank() const {
    return a_.num_epsilon_states == 0 ? 0 : a_.ranks[a_.num_epsilon_states - 1];
  }

  uint64_t offset(uint32_t state) const {
    return a_.narrow_offsets != nullptr ? a_.narrow_offsets[state] : a_.wide_offsets[state];
  }
  void PrefetchOffset(uint32_t state) const {
    __builtin_prefetch(a_.narrow_offsets != nullptr
                           ? static_cast<const void*>(a_.narrow_offsets + state)
                           : static_cast<const void*>(a_.wide_offsets + state));
  }
  const Arc* arcs_begin(uint32_t state) const { return a_.arcs + offset(state); }
  uint32_t num_arcs_of(uint32_t state) const {
    return static_cast<uint32_t>(offset(state + 1) - offset(state));
  }
  bool has_epsilons(uint32_t state) const { return state < a_.num_epsilon_states; }
  // Of states that have epsilons:
  const Epsilon* epsilons_begin(uint32_t state) const {
    return a_.epsilons + a_.epsilon_offsets[state];
  }
  const Epsilon* epsilons_end(uint32_t state) const {
    return a_.epsilons + a_.epsilon_offsets[state + 1];
  }
  void PrefetchEpsilons(uint32_t state) const {
    __builtin_prefetch(a_.epsilon_offsets + state);
    __builtin_prefetch(a_.ranks + state);
  }
  uint16_t rank(uint32_t state) const { return a_.ranks[state]; }

  // Arc number `arc` of a state.
  int32_t tid(const Arc& arc) const {
    return static_cast<int32_t>(
        a_.tids[a_.tid_offsets[arc.label & kPdfMask] + ((arc.label & ~kHasWord) >> 16)]);
  }
  uint32_t word(const Arc* arc) const {
    return (arc->label & kHasWord) == 0 ? 0 : a_.arc_words[arc - a_.arcs];
  }
  float final_cost(uint32_t state) const;  // infinite: not final

 private:
  void Validate() const;

  Arrays a_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_GRAPH_MAPPED_GRAPH_H_
