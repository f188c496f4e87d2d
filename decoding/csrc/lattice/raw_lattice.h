// The state-level lattice that the search makes, as plain arrays.
#ifndef DECODING_CSRC_LATTICE_RAW_LATTICE_H_
#define DECODING_CSRC_LATTICE_RAW_LATTICE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoding/csrc/lattice/lattice_view.h"

namespace decoding {

// States are numbered topologically, state 0 is the start; arcs are sorted by source.
struct RawLattice {
  std::vector<int32_t> state_frames;  // number of frames before the state
  std::vector<int32_t> sources;
  std::vector<int32_t> targets;
  std::vector<int32_t> tids;
  std::vector<int32_t> words;
  std::vector<float> graph_costs;
  std::vector<float> acoustic_costs;  // negated log-likelihoods, unscaled
  std::vector<float> final_costs;     // +inf = not final
  bool reached_final = false;

  LatticeView<float> View() const {
    return {static_cast<int32_t>(final_costs.size()),
            sources.size(),
            sources.data(),
            targets.data(),
            tids.data(),
            words.data(),
            graph_costs.data(),
            acoustic_costs.data(),
            final_costs.data(),
            nullptr,
            nullptr};
  }
};

// A part of the state-level lattice, from the start or a frame of the search to a later one. Paths
// enter it by tokens of the first frame and leave it by tokens of the last one.
struct LatticePart {
  RawLattice lattice;
  // State of each exit of the part before, -1 where it was pruned; of the first part, the start.
  std::vector<int32_t> entries;
  std::vector<int32_t> exits;  // states
  // How much worse than the best the best path through each exit is, so far: less than at the end.
  std::vector<float> exit_extras;
};

struct RawPath {
  std::vector<int32_t> tids;
  std::vector<int32_t> words;
  double graph_cost = 0.0;
  double acoustic_cost = 0.0;
};

// The words of the best path while the search goes on.
struct PathWords {
  std::vector<int32_t> committed;  // new ones that no later path will be without
  std::vector<int32_t> tentative;  // after all that were committed
};

}  // namespace decoding

#endif  // DECODING_CSRC_LATTICE_RAW_LATTICE_H_
