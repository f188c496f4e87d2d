// The state-level lattice that the search makes, as plain arrays.
#ifndef DECODING_RAW_LATTICE_H_
#define DECODING_RAW_LATTICE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

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

#endif  // DECODING_RAW_LATTICE_H_
