// A determinised lattice as a tuple of arrays, in the order of the fields of the Python class
// CompactLattice.
#ifndef DECODING_CSRC_LATTICE_COMPACT_BINDING_H_
#define DECODING_CSRC_LATTICE_COMPACT_BINDING_H_

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <utility>

#include "data/csrc/arrays.h"
#include "decoding/csrc/lattice/determinize.h"

namespace decoding {

inline nanobind::tuple GiveCompact(CompactArrays&& out) {
  using arrays::Give;
  return nanobind::make_tuple(
      Give(std::move(out.state_frames)), Give(std::move(out.sources)),
      Give(std::move(out.targets)), Give(std::move(out.words)), Give(std::move(out.graph_costs)),
      Give(std::move(out.acoustic_costs)), Give(std::move(out.tid_offsets)),
      Give(std::move(out.tids)), Give(std::move(out.final_graph_costs)),
      Give(std::move(out.final_acoustic_costs)), Give(std::move(out.final_tid_offsets)),
      Give(std::move(out.final_tids)), out.beam);
}

}  // namespace decoding

#endif  // DECODING_CSRC_LATTICE_COMPACT_BINDING_H_
