// From a DecodingGraph's arrays to those of a MappedGraph.
#ifndef DECODING_CSRC_GRAPH_GRAPH_PACKING_H_
#define DECODING_CSRC_GRAPH_GRAPH_PACKING_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoding/csrc/graph/mapped_graph.h"

namespace decoding {

struct GraphArrays {
  uint32_t num_states = 0;
  size_t num_arcs = 0;
  uint32_t start = 0;
  const int64_t* offsets = nullptr;        // [num_states + 1]
  const uint32_t* num_emitting = nullptr;  // [num_states]
  const int32_t* ilabels = nullptr;        // [num_arcs] transition-ids, 0 = epsilon
  const int32_t* olabels = nullptr;        // [num_arcs] words, 0 = none
  const float* costs = nullptr;            // [num_arcs]
  const int32_t* next_states = nullptr;    // [num_arcs]
  const float* final_costs = nullptr;      // [num_states] +inf = not final
  const int32_t* pdfs = nullptr;           // [num_transition_ids + 1] pdf-ids, index 0 unused
  size_t num_transition_ids = 0;
};

struct PackedGraph {
  uint32_t start = 0;
  std::vector<uint64_t> offsets;
  std::vector<uint32_t> arcs;  // MappedGraph::Arc, three values each
  std::vector<uint32_t> arc_words;
  std::vector<uint64_t> epsilon_offsets;
  std::vector<uint16_t> ranks;
  std::vector<uint32_t> epsilons;  // MappedGraph::Epsilon, three values each
  std::vector<uint32_t> final_states;
  std::vector<float> final_costs;
  std::vector<uint32_t> tid_offsets;
  std::vector<uint32_t> tids;
};

// States are numbered anew: first those with epsilons, by rank, the length of the longest
// non-emitting path to them; then the others; both in the order in which a depth-first search finds
// them, so that states that follow each other are neighbours in memory.
// Throws std::invalid_argument, naming the arc or state, if the arrays are not a decoding graph or if its
// non-emitting arcs form a cycle.
PackedGraph PackGraph(const GraphArrays& graph);

}  // namespace decoding

#endif  // DECODING_CSRC_GRAPH_GRAPH_PACKING_H_
