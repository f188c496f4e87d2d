// Python's door to the search: checks every buffer, releases the GIL, returns numpy arrays.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "graph_packing.h"
#include "mapped_graph.h"
#include "search.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using arrays::Expect;
using arrays::ExpectSize;
using arrays::Give;
using arrays::Matrix;
using arrays::Vector;

nb::tuple GivePath(decoding::RawPath&& path) {
  return nb::make_tuple(Give(std::move(path.words)), Give(std::move(path.tids)), path.graph_cost,
                        path.acoustic_cost);
}

using decoding::MappedGraph;

// Arrays of a mapped file, kept alive beside the view of them.
class Graph {
 public:
  Graph(uint32_t start, uint32_t num_words, const nb::dict& arrays, bool validate) {
    MappedGraph::Arrays view;
    view.start = start;
    view.num_words = num_words;
    const Vector<uint32_t> offsets_32 = Take<uint32_t>(arrays, "offsets", false);
    if (offsets_32.is_valid()) {
      view.narrow_offsets = offsets_32.data();
      view.num_states = Count(offsets_32.shape(0) - 1, "offsets");
    } else {
      const Vector<uint64_t> offsets_64 = Take<uint64_t>(arrays, "wide_offsets", true);
      view.wide_offsets = offsets_64.data();
      view.num_states = Count(offsets_64.shape(0) - 1, "wide_offsets");
    }
    const Vector<uint32_t> arcs = Take<uint32_t>(arrays, "arcs", true);
    const Vector<uint32_t> arc_words = Take<uint32_t>(arrays, "arc_words", true);
    const Vector<uint64_t> epsilon_offsets = Take<uint64_t>(arrays, "epsilon_offsets", true);
    const Vector<uint16_t> ranks = Take<uint16_t>(arrays, "ranks", true);
    const Vector<uint32_t> epsilons = Take<uint32_t>(arrays, "epsilons", true);
    const Vector<uint32_t> final_states = Take<uint32_t>(arrays, "final_states", true);
    const Vector<float> final_costs = Take<float>(arrays, "final_costs", true);
    const Vector<uint32_t> tid_offsets = Take<uint32_t>(arrays, "tid_offsets", true);
    const Vector<uint32_t> tids = Take<uint32_t>(arrays, "tids", true);
    view.num_arcs = arc_words.shape(0);
    view.num_epsilon_states = Count(ranks.shape(0), "ranks");
    view.num_epsilons = epsilons.shape(0) / 3;
    view.num_finals = final_states.shape(0);
    view.num_pdfs = Count(tid_offsets.shape(0) - 1, "tid_offsets");
    view.num_tids = tids.shape(0);
    ExpectSize(arcs, 3 * view.num_arcs, "graph: arcs");
    ExpectSize(epsilon_offsets, view.num_epsilon_states + size_t{1}, "graph: epsilon_offsets");
    ExpectSize(epsilons, 3 * view.num_epsilons, "graph: epsilons");
    ExpectSize(final_costs, view.num_finals, "graph: final_costs");
    view.arcs = reinterpret_cast<const MappedGraph::Arc*>(arcs.data());
    view.arc_words = arc_words.data();
    view.epsilon_offsets = epsilon_offsets.data();
    view.ranks = ranks.data();
    view.epsilons = reinterpret_cast<const MappedGraph::Epsilon*>(epsilons.data());
    view.final_states = final_states.data();
    view.final_costs = final_costs.data();
    view.tid_offsets = tid_offsets.data();
    view.tids = tids.data();
    nb::gil_scoped_release release;
    graph_ = std::make_unique<MappedGraph>(view, validate);
  }

  const MappedGraph& get() const { return *graph_; }

 private:
  template <typename T>
  Vector<T> Take(const nb::dict& arrays, const char* name, bool required) {
    if (!arrays.contains(name)) {
      Expect(!required, std::string("graph: ") + name + ": expected this array, found none");
      return Vector<T>();
    }
    Vector<T> array;
    Expect(nb::try_cast(arrays[name], array, false),
           std::string("graph: ") + name + ": expected another type or shape of array");
    kept_.push_back(nb::object(arrays[name]));
    return array;
  }

  static uint32_t Count(size_t count, const char* name) {
    Expect(count < UINT32_MAX, std::string("graph: ") + name + ": expected fewer than 2^32 - 1");
    return static_cast<uint32_t>(count);
  }

  std::vector<nb::object> kept_;
  std::unique_ptr<MappedGraph> graph_;
};

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

class Search {
 public:
  Search(const Graph& graph, float beam, float lattice_beam, uint32_t max_active,
         uint32_t min_active, float beam_delta, float acoustic_scale, uint32_t prune_interval)
      : search_(graph.get(), {beam, lattice_beam, max_active, min_active, beam_delta,
                              acoustic_scale, prune_interval, 0.1f}) {}

  void Start() { search_.Start(); }

  void Advance(const Matrix& scores) {
    const size_t num_frames = scores.shape(0);
    const size_t width = search_.graph().num_pdfs();
    Expect(scores.shape(1) == width, "scores: expected " + std::to_string(width) +
                                         " columns, one per pdf, found " +
                                         std::to_string(scores.shape(1)));
    nb::gil_scoped_release release;
    const float* const data = scores.data();
    for (size_t t = 0; t < num_frames; ++t) {
      if (decoding::AllFinite(data + t * width, width)) continue;
      for (size_t i = 0; i < width; ++i) {
        Expect(std::isfinite(data[t * width + i]),
               "scores: frame " + std::to_string(search_.num_frames() + t) + ", pdf " +
                   std::to_string(i) + ": expected a finite number, found " +
                   std::to_string(data[t * width + i]));
      }
    }
    search_.Advance(data, num_frames);
  }

  nb::tuple Partial() const {
    decoding::RawPath path;
    {
      nb::gil_scoped_release release;
      path = search_.Partial();
    }
    return GivePath(std::move(path));
  }

  nb::tuple Finish() {
    decoding::RawLattice lattice;
    {
      nb::gil_scoped_release release;
      lattice = search_.Finish();
    }
    return nb::make_tuple(Give(std::move(lattice.state_frames)), Give(std::move(lattice.sources)),
                          Give(std::move(lattice.targets)), Give(std::move(lattice.tids)),
                          Give(std::move(lattice.words)), Give(std::move(lattice.graph_costs)),
                          Give(std::move(lattice.acoustic_costs)),
                          Give(std::move(lattice.final_costs)), lattice.reached_final);
  }

  size_t num_frames() const { return search_.num_frames(); }

  nb::dict Stats() const {
    const decoding::SearchStats& stats = search_.stats();
    nb::dict out;
    out["frames"] = stats.frames;
    out["tokens"] = stats.tokens;
    out["arcs"] = stats.arcs;
    out["links"] = stats.links;
    return out;
  }

 private:
  decoding::Search search_;
};

}  // namespace

NB_MODULE(_search, m) {
  m.doc() = "Beam search over decoding graphs.";
  nb::class_<Graph>(m, "Graph")
      .def(nb::init<uint32_t, uint32_t, const nb::dict&, bool>(), "start"_a, "num_words"_a,
           "arrays"_a, "validate"_a)
      .def_prop_ro("num_pdfs", [](const Graph& graph) { return graph.get().num_pdfs(); });
  m.def("pack", &Pack, "start"_a, "offsets"_a, "num_emitting"_a, "ilabels"_a, "olabels"_a,
        "costs"_a, "next_states"_a, "final_costs"_a, "pdfs"_a);
  nb::class_<Search>(m, "Search")
      .def(nb::init<const Graph&, float, float, uint32_t, uint32_t, float, float, uint32_t>(),
           "graph"_a, "beam"_a, "lattice_beam"_a, "max_active"_a, "min_active"_a, "beam_delta"_a,
           "acoustic_scale"_a, "prune_interval"_a, nb::keep_alive<1, 2>())
      .def("start", &Search::Start)
      .def("advance", &Search::Advance, "scores"_a)
      .def("partial", &Search::Partial)
      .def("finish", &Search::Finish)
      .def("stats", &Search::Stats)
      .def_prop_ro("num_frames", &Search::num_frames);
}
