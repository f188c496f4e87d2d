// Beam search over a static graph: a token is a state of the graph.
#ifndef DECODING_CSRC_SEARCH_STATIC_SEARCH_H_
#define DECODING_CSRC_SEARCH_STATIC_SEARCH_H_

#include <cstdint>

#include "decoding/csrc/search/beam_search.h"

namespace decoding {

class StaticSearch : public BeamSearch<StaticSearch, uint32_t, uint32_t> {
 public:
  // The graph must outlive this.
  StaticSearch(const MappedGraph& graph, const SearchOptions& options, bool best_only)
      : BeamSearch(graph, options, best_only) {}

  void Start() override;

 private:
  friend class BeamSearch<StaticSearch, uint32_t, uint32_t>;

  static uint32_t KeyOf(uint32_t state) { return state; }
  static uint32_t GraphState(uint32_t state) { return state; }
  static void Assign(uint32_t from, bool, uint32_t* to) { *to = from; }

  void BeforeStep() {}
  float Expand(RawFrame* frame);
  template <bool kLattice>
  void MakeTokens(float cutoff, RawFrame* frame, RawFrame* next);
  template <bool kLattice>
  void CloseEpsilons(float cutoff, RawFrame* frame);
  LinkValue Resolve(const RawFrame& frame, const RawLink& link, bool epsilon) const;
  float FinalCost(uint32_t state) const { return mapped_.final_cost(state); }
  size_t Bytes() const { return 0; }
};

extern template class BeamSearch<StaticSearch, uint32_t, uint32_t>;

}  // namespace decoding

#endif  // DECODING_CSRC_SEARCH_STATIC_SEARCH_H_
