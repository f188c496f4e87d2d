// A decoding graph laid out for the beam search: one 12-byte record per arc, one 8-byte per state.
#ifndef DECODING_SEARCH_GRAPH_H_
#define DECODING_SEARCH_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "huge_pages.h"

namespace decoding {

// The arrays of a DecodingGraph; they must outlive what is built on them.
struct GraphArrays {
  uint32_t num_states = 0;
  uint32_t num_arcs = 0;
  uint32_t start = 0;
  const int64_t* offsets = nullptr;        // [num_states + 1]
  const uint32_t* num_emitting = nullptr;  // [num_states]
  const int32_t* ilabels = nullptr;        // [num_arcs] transition-ids, 0 = epsilon
  const int32_t* olabels = nullptr;        // [num_arcs] words, 0 = none
  const float* costs = nullptr;            // [num_arcs]
  const int32_t* next_states = nullptr;    // [num_arcs]
  const float* final_costs = nullptr;      // [num_states] +inf = not final
  const int32_t* pdfs = nullptr;           // [num_transition_ids + 1] pdf-ids, index 0 unused
  uint32_t num_transition_ids = 0;
};

class SearchGraph {
 public:
  static constexpr uint32_t kHasEpsilons = 1u << 31;

  struct Arc {
    uint32_t next;  // target state; bit 31: the target has non-emitting arcs
    int32_t pdf;    // -1 for a non-emitting arc
    float cost;
  };

  // Throws std::invalid_argument, naming the place, if the arrays are not a decoding graph or if
  // its non-emitting arcs form a cycle.
  explicit SearchGraph(const GraphArrays& arrays);

  const GraphArrays& arrays() const { return arrays_; }
  uint32_t num_pdfs() const { return num_pdfs_; }
  uint32_t max_rank() const { return max_rank_; }

  // Arcs keep the numbers they have in the arrays: emitting [begin, middle), then the others.
  const Arc* arcs() const { return arcs_.data(); }
  uint32_t arcs_begin(uint32_t state) const { return states_[state].begin; }
  uint32_t arcs_middle(uint32_t state) const { return states_[state].middle; }
  uint32_t arcs_end(uint32_t state) const { return states_[state + 1].begin; }
  const void* state_address(uint32_t state) const { return &states_[state]; }

  // Length of the longest non-emitting path to the state: non-emitting arcs ascend in rank.
  uint32_t rank(uint32_t state) const { return ranks_[state]; }

 private:
  struct State {
    uint32_t begin;
    uint32_t middle;
  };

  void Validate() const;
  void RankStates();

  GraphArrays arrays_;
  uint32_t num_pdfs_ = 0;
  uint32_t max_rank_ = 0;
  LargeVector<State> states_;
  LargeVector<Arc> arcs_;
  std::vector<uint16_t> ranks_;
};

}  // namespace decoding

#endif  // DECODING_SEARCH_GRAPH_H_
