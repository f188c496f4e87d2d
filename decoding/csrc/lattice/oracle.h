// The path of a lattice that is nearest to a reference.
#ifndef DECODING_CSRC_LATTICE_ORACLE_H_
#define DECODING_CSRC_LATTICE_ORACLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoding/csrc/lattice/lattice_view.h"

namespace decoding {

struct OraclePath {
  int32_t substitutions = 0;
  int32_t insertions = 0;
  int32_t deletions = 0;
  std::vector<int32_t> words;
};

// The fewest word errors of any path, as Kaldi's lattice-oracle counts them; costs do not matter.
// Throws std::invalid_argument if no path leads to a final state.
OraclePath Oracle(const ArcList& lattice, const int32_t* reference, size_t length);

}  // namespace decoding

#endif  // DECODING_CSRC_LATTICE_ORACLE_H_
