// Sums over the paths of a lattice.
#ifndef DECODING_CSRC_LATTICE_POSTERIORS_H_
#define DECODING_CSRC_LATTICE_POSTERIORS_H_

#include <vector>

#include "decoding/csrc/lattice/lattice_view.h"

namespace decoding {

struct PathSums {  // negated natural logs; +inf where there is no path
  std::vector<double> forward;   // of all paths from the start to a state
  std::vector<double> backward;  // of all paths from a state to the end
};

// Throws std::invalid_argument if no path leads to a final state.
PathSums ForwardBackward(const ArcList& lattice);

}  // namespace decoding

#endif  // DECODING_CSRC_LATTICE_POSTERIORS_H_
