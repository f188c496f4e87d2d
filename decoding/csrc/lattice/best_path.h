// The best path of a state-level lattice.
#ifndef DECODING_CSRC_LATTICE_BEST_PATH_H_
#define DECODING_CSRC_LATTICE_BEST_PATH_H_

#include "decoding/csrc/lattice/lattice_view.h"
#include "decoding/csrc/lattice/raw_lattice.h"

namespace decoding {

// Best path by graph + acoustic_scale * acoustic; ties go to the lower graph cost.
// Throws std::invalid_argument if no path leads to a final state.
RawPath BestPath(const LatticeView<float>& lattice, double acoustic_scale);

}  // namespace decoding

#endif  // DECODING_CSRC_LATTICE_BEST_PATH_H_
