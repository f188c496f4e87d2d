// Determinisation of a state-level lattice on words, pruned, best paths first.
#ifndef DECODING_CSRC_LATTICE_DETERMINIZE_H_
#define DECODING_CSRC_LATTICE_DETERMINIZE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoding/csrc/lattice/lattice_view.h"

namespace decoding {

struct DeterminizeConfig {
  double acoustic_scale = 0.1;
  double beam = 8.0;
  // Weights that differ by less do not keep two subsets apart.
  double delta = 1e-4;
  size_t max_memory = 200'000'000;  // bytes, beside what is in proportion to the lattice
};

// States are numbered topologically, state 0 is the start; arcs are sorted by source.
// The transition-ids of arc a are tids[tid_offsets[a] .. tid_offsets[a + 1]].
struct CompactArrays {
  std::vector<int32_t> state_frames;
  std::vector<int32_t> sources;
  std::vector<int32_t> targets;
  std::vector<int32_t> words;
  std::vector<double> graph_costs;
  std::vector<double> acoustic_costs;
  std::vector<int64_t> tid_offsets;
  std::vector<int32_t> tids;
  std::vector<double> final_graph_costs;  // +inf = not final
  std::vector<double> final_acoustic_costs;
  std::vector<int64_t> final_tid_offsets;
  std::vector<int32_t> final_tids;
  // Every word sequence within this beam of the best is there; less than asked for if memory ran
  // out.
  double beam = 0.0;
};

// Throws std::invalid_argument if no path leads to a final state. Cost: float or double.
template <typename Cost>
CompactArrays Determinize(const LatticeView<Cost>& lattice, const DeterminizeConfig& config);

}  // namespace decoding

#endif  // DECODING_CSRC_LATTICE_DETERMINIZE_H_
