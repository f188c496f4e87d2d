// Python's door to lattices: checks every buffer, releases the GIL, returns numpy arrays.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "data/csrc/arrays.h"
#include "determinize.h"
#include "lattice_path.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using arrays::Expect;
using arrays::ExpectSize;
using arrays::Give;
using arrays::Vector;

decoding::LatticeView View(size_t num_states, const Vector<int32_t>& sources,
                           const Vector<int32_t>& targets, const Vector<int32_t>& tids,
                           const Vector<int32_t>& words, const Vector<float>& graph_costs,
                           const Vector<float>& acoustic_costs, const Vector<float>& final_costs) {
  const size_t num_arcs = sources.shape(0);
  Expect(num_states > 0, "lattice: expected at least one state, found none");
  Expect(num_states < INT32_MAX, "lattice: expected fewer than 2^31 - 1 states");
  Expect(num_arcs < UINT32_MAX, "lattice: expected fewer than 2^32 - 1 arcs");
  ExpectSize(targets, num_arcs, "lattice: targets");
  ExpectSize(tids, num_arcs, "lattice: tids");
  ExpectSize(words, num_arcs, "lattice: words");
  ExpectSize(graph_costs, num_arcs, "lattice: graph_costs");
  ExpectSize(acoustic_costs, num_arcs, "lattice: acoustic_costs");
  ExpectSize(final_costs, num_states, "lattice: final_costs");
  int32_t last = 0;
  for (size_t a = 0; a < num_arcs; ++a) {
    const int32_t source = sources.data()[a];
    const int32_t target = targets.data()[a];
    const auto place = [a] { return "lattice: arc " + std::to_string(a) + ": "; };
    if (source < last) throw std::invalid_argument(place() + "expected arcs sorted by source");
    if (target <= source || static_cast<size_t>(target) >= num_states) {
      throw std::invalid_argument(place() + "expected a target above its source " +
                                  std::to_string(source) + " and below " +
                                  std::to_string(num_states) + ", found " +
                                  std::to_string(target));
    }
    if (!std::isfinite(graph_costs.data()[a]) || !std::isfinite(acoustic_costs.data()[a])) {
      throw std::invalid_argument(place() + "expected finite costs");
    }
    last = source;
  }
  for (size_t s = 0; s < num_states; ++s) {
    Expect(final_costs.data()[s] > -INFINITY,  // false for NaN too
           "lattice: state " + std::to_string(s) + ": expected a final cost (inf if not final)");
  }
  decoding::LatticeView view;
  view.num_states = static_cast<int32_t>(num_states);
  view.num_arcs = num_arcs;
  view.sources = sources.data();
  view.targets = targets.data();
  view.tids = tids.data();
  view.words = words.data();
  view.graph_costs = graph_costs.data();
  view.acoustic_costs = acoustic_costs.data();
  view.final_costs = final_costs.data();
  return view;
}

nb::tuple Determinize(const Vector<int32_t>& sources, const Vector<int32_t>& targets,
                      const Vector<int32_t>& tids, const Vector<int32_t>& words,
                      const Vector<float>& graph_costs, const Vector<float>& acoustic_costs,
                      const Vector<float>& final_costs, double acoustic_scale, double beam,
                      size_t max_memory) {
  decoding::DeterminizeConfig config;
  config.acoustic_scale = acoustic_scale;
  config.beam = beam;
  config.max_memory = max_memory;
  decoding::CompactArrays out;
  {
    nb::gil_scoped_release release;
    out = decoding::Determinize(View(final_costs.shape(0), sources, targets, tids, words,
                                     graph_costs, acoustic_costs, final_costs),
                                config);
  }
  return nb::make_tuple(
      Give(std::move(out.state_frames)), Give(std::move(out.sources)),
      Give(std::move(out.targets)), Give(std::move(out.words)), Give(std::move(out.graph_costs)),
      Give(std::move(out.acoustic_costs)), Give(std::move(out.tid_offsets)),
      Give(std::move(out.tids)), Give(std::move(out.final_graph_costs)),
      Give(std::move(out.final_acoustic_costs)), Give(std::move(out.final_tid_offsets)),
      Give(std::move(out.final_tids)), out.beam);
}

nb::tuple BestPath(const Vector<int32_t>& sources, const Vector<int32_t>& targets,
                   const Vector<int32_t>& tids, const Vector<int32_t>& words,
                   const Vector<float>& graph_costs, const Vector<float>& acoustic_costs,
                   const Vector<float>& final_costs, double acoustic_scale) {
  decoding::RawPath path;
  {
    nb::gil_scoped_release release;
    path = decoding::BestPath(View(final_costs.shape(0), sources, targets, tids, words,
                                   graph_costs, acoustic_costs, final_costs),
                              acoustic_scale);
  }
  return nb::make_tuple(Give(std::move(path.words)), Give(std::move(path.tids)), path.graph_cost,
                        path.acoustic_cost);
}

}  // namespace

NB_MODULE(_lattice, m) {
  m.doc() = "Lattices: determinisation on words and best paths.";
  m.def("determinize", &Determinize, "sources"_a, "targets"_a, "tids"_a, "words"_a,
        "graph_costs"_a, "acoustic_costs"_a, "final_costs"_a, "acoustic_scale"_a, "beam"_a,
        "max_memory"_a);
  m.def("best_path", &BestPath, "sources"_a, "targets"_a, "tids"_a, "words"_a, "graph_costs"_a,
        "acoustic_costs"_a, "final_costs"_a, "acoustic_scale"_a);
}
