// Beam search over a static graph: a token is a state of the graph.
#ifndef DECODING_SEARCH_H_
#define DECODING_SEARCH_H_

#include <cstdint>

#include "decoding/csrc/search/beam_search.h"

namespace decoding {

class Search : public BeamSearch<Search, uint32_t, uint32_t> {
 public:
  Search(const MappedGraph& graph, const SearchConfig& config) : BeamSearch(graph, config) {}

  void Start();

 private:
  friend class BeamSearch<Search, uint32_t, uint32_t>;

  class Adder;  // of tokens to a frame

  void BeforeStep() {}
  float Expand(RawFrame* frame);
  template <bool kLattice>
  void MakeTokens(float cutoff, RawFrame* frame, RawFrame* next);
  template <bool kLattice>
  void CloseEpsilons(float cutoff, RawFrame* frame);
  LinkValue Resolve(const RawFrame& frame, const RawLink& link, bool epsilon) const;
  float FinalCost(uint32_t state) const { return mapped_.final_cost(state); }
};

extern template class BeamSearch<Search, uint32_t, uint32_t>;

}  // namespace decoding

#endif  // DECODING_SEARCH_H_
