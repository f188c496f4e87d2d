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
#include "search.h"
#include "search_graph.h"

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

// A graph together with the arrays it is built on.
class Graph {
 public:
  Graph(uint32_t start, Vector<int64_t> offsets, Vector<uint32_t> num_emitting,
        Vector<int32_t> ilabels, Vector<int32_t> olabels, Vector<float> costs,
        Vector<int32_t> next_states, Vector<float> final_costs, Vector<int32_t> pdfs)
      : offsets_(offsets),
        ilabels_(ilabels),
        olabels_(olabels),
        costs_(costs),
        next_states_(next_states),
        final_costs_(final_costs),
        pdfs_(pdfs) {
    const size_t num_states = num_emitting.shape(0);
    const size_t num_arcs = ilabels.shape(0);
    Expect(num_states > 0, "graph: expected at least one state, found none");
    Expect(num_arcs < UINT32_MAX, "graph: expected fewer than 2^32 - 1 arcs");
    Expect(num_states < UINT32_MAX, "graph: expected fewer than 2^31 states");
    Expect(pdfs.shape(0) > 1, "graph: expected at least one transition-id, found none");
    ExpectSize(offsets, num_states + 1, "graph: offsets");
    ExpectSize(olabels, num_arcs, "graph: olabels");
    ExpectSize(costs, num_arcs, "graph: costs");
    ExpectSize(next_states, num_arcs, "graph: next_states");
    ExpectSize(final_costs, num_states, "graph: final_costs");
    decoding::GraphArrays arrays;
    arrays.num_states = static_cast<uint32_t>(num_states);
    arrays.num_arcs = static_cast<uint32_t>(num_arcs);
    arrays.start = start;
    arrays.offsets = offsets.data();
    arrays.num_emitting = num_emitting.data();
    arrays.ilabels = ilabels.data();
    arrays.olabels = olabels.data();
    arrays.costs = costs.data();
    arrays.next_states = next_states.data();
    arrays.final_costs = final_costs.data();
    arrays.pdfs = pdfs.data();
    arrays.num_transition_ids = static_cast<uint32_t>(pdfs.shape(0) - 1);
    nb::gil_scoped_release release;
    graph_ = std::make_unique<decoding::SearchGraph>(arrays);
  }

  const decoding::SearchGraph& get() const { return *graph_; }

 private:
  Vector<int64_t> offsets_;
  Vector<int32_t> ilabels_;
  Vector<int32_t> olabels_;
  Vector<float> costs_;
  Vector<int32_t> next_states_;
  Vector<float> final_costs_;
  Vector<int32_t> pdfs_;
  std::unique_ptr<decoding::SearchGraph> graph_;
};

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
      // Not finite times zero is NaN: one sum tells for the whole row.
      float sum = 0.0f;
      for (size_t i = 0; i < width; ++i) sum += data[t * width + i] * 0.0f;
      if (sum == 0.0f) continue;
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
      .def(nb::init<uint32_t, Vector<int64_t>, Vector<uint32_t>, Vector<int32_t>, Vector<int32_t>,
                    Vector<float>, Vector<int32_t>, Vector<float>, Vector<int32_t>>(),
           "start"_a, "offsets"_a, "num_emitting"_a, "ilabels"_a, "olabels"_a, "costs"_a,
           "next_states"_a, "final_costs"_a, "pdfs"_a)
      .def_prop_ro("num_pdfs", [](const Graph& graph) { return graph.get().num_pdfs(); });
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
