// Python's door to the static search and to the laying out of its graphs.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <new>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "decoding/csrc/graph/graph_packing.h"
#include "decoding/csrc/graph/mapped_graph_arrays.h"
#include "decoding/csrc/search/search.h"
#include "decoding/csrc/search/search_binding.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using arrays::Expect;
using arrays::ExpectSize;
using arrays::Give;
using arrays::Vector;

nb::dict Pack(uint32_t start, const Vector<int64_t>& offsets, const Vector<uint32_t>& num_emitting,
              const Vector<int32_t>& ilabels, const Vector<int32_t>& olabels,
              const Vector<float>& costs, const Vector<int32_t>& next_states,
              const Vector<float>& final_costs, const Vector<int32_t>& pdfs) {
  decoding::GraphArrays graph;
  const size_t num_states = num_emitting.shape(0);
  Expect(num_states > 0, "graph: expected at least one state, found none");
  Expect(num_states < UINT32_MAX, "graph: expected fewer than 2^32 - 1 states");
  Expect(pdfs.shape(0) > 1, "graph: expected at least one transition-id, found none");
  graph.num_states = static_cast<uint32_t>(num_states);
  graph.num_arcs = ilabels.shape(0);
  ExpectSize(offsets, num_states + 1, "graph: offsets");
  ExpectSize(olabels, graph.num_arcs, "graph: olabels");
  ExpectSize(costs, graph.num_arcs, "graph: costs");
  ExpectSize(next_states, graph.num_arcs, "graph: next_states");
  ExpectSize(final_costs, num_states, "graph: final_costs");
  graph.start = start;
  graph.offsets = offsets.data();
  graph.num_emitting = num_emitting.data();
  graph.ilabels = ilabels.data();
  graph.olabels = olabels.data();
  graph.costs = costs.data();
  graph.next_states = next_states.data();
  graph.final_costs = final_costs.data();
  graph.pdfs = pdfs.data();
  graph.num_transition_ids = pdfs.shape(0) - 1;
  decoding::PackedGraph packed;
  {
    nb::gil_scoped_release release;
    packed = decoding::PackGraph(graph);
  }
  nb::dict out;
  if (packed.offsets.back() <= UINT32_MAX) {
    out["offsets"] = Give(std::vector<uint32_t>(packed.offsets.begin(), packed.offsets.end()));
  } else {
    out["wide_offsets"] = Give(std::move(packed.offsets));
  }
  out["arcs"] = Give(std::move(packed.arcs));
  out["arc_words"] = Give(std::move(packed.arc_words));
  out["epsilon_offsets"] = Give(std::move(packed.epsilon_offsets));
  out["ranks"] = Give(std::move(packed.ranks));
  out["epsilons"] = Give(std::move(packed.epsilons));
  out["final_states"] = Give(std::move(packed.final_states));
  out["final_costs"] = Give(std::move(packed.final_costs));
  out["tid_offsets"] = Give(std::move(packed.tid_offsets));
  out["tids"] = Give(std::move(packed.tids));
  out["start"] = packed.start;
  return out;
}

}  // namespace

NB_MODULE(_search, m) {
  using decoding::MappedGraphArrays;
  using decoding::Search;
  m.doc() = "Beam search over decoding graphs.";
  nb::class_<MappedGraphArrays>(m, "Graph")
      .def(nb::init<uint32_t, uint32_t, const nb::dict&, bool>(), "start"_a, "num_words"_a,
           "arrays"_a, "validate"_a)
      .def_prop_ro("num_pdfs",
                   [](const MappedGraphArrays& graph) { return graph.view().num_pdfs(); });
  m.def("pack", &Pack, "start"_a, "offsets"_a, "num_emitting"_a, "ilabels"_a, "olabels"_a,
        "costs"_a, "next_states"_a, "final_costs"_a, "pdfs"_a);
  nb::class_<Search> search(m, "Search");
  search.def(
      "__init__",
      [](Search* self, const MappedGraphArrays& graph, float beam, float lattice_beam,
         uint32_t max_active, uint32_t min_active, float beam_delta, float acoustic_scale,
         uint32_t prune_interval) {
        new (self) Search(graph.view(), {beam, lattice_beam, max_active, min_active, beam_delta,
                                         acoustic_scale, prune_interval, 0.1f});
      },
      "graph"_a, "beam"_a, "lattice_beam"_a, "max_active"_a, "min_active"_a, "beam_delta"_a,
      "acoustic_scale"_a, "prune_interval"_a, nb::keep_alive<1, 2>());
  decoding::DefineSearch(search);
}
