// The Python module of lattices: checks every buffer, releases the GIL, returns numpy arrays.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "decoding/csrc/lattice/compact_binding.h"
#include "decoding/csrc/lattice/determinize.h"
#include "decoding/csrc/lattice/mbr.h"
#include "decoding/csrc/lattice/oracle.h"
#include "decoding/csrc/lattice/best_path.h"
#include "decoding/csrc/lattice/posteriors.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using arrays::Expect;
using arrays::ExpectSize;
using arrays::Give;
using arrays::Vector;

// Arcs must be sorted by source and lead upwards, as all algorithms here rely on.
void CheckArcs(size_t num_states, const Vector<int32_t>& sources,
               const Vector<int32_t>& targets) {
  const size_t num_arcs = sources.shape(0);
  Expect(num_states > 0, "lattice: expected at least one state, found none");
  Expect(num_states < INT32_MAX, "lattice: expected fewer than 2^31 - 1 states");
  Expect(num_arcs < UINT32_MAX, "lattice: expected fewer than 2^32 - 1 arcs");
  ExpectSize(targets, num_arcs, "lattice: targets");
  int32_t last = 0;
  for (size_t a = 0; a < num_arcs; ++a) {
    const int32_t source = sources.data()[a];
    const int32_t target = targets.data()[a];
    const auto where = [a] { return "lattice: arc " + std::to_string(a) + ": "; };
    if (source < last) throw std::invalid_argument(where() + "expected arcs sorted by source");
    if (target <= source || static_cast<size_t>(target) >= num_states) {
      throw std::invalid_argument(where() + "expected a target above its source " +
                                  std::to_string(source) + " and below " +
                                  std::to_string(num_states) + ", found " +
                                  std::to_string(target));
    }
    last = source;
  }
}

template <typename T>
void CheckArcCosts(const Vector<T>& costs) {
  for (size_t a = 0; a < costs.shape(0); ++a) {
    if (!std::isfinite(costs.data()[a])) {
      throw std::invalid_argument("lattice: arc " + std::to_string(a) + ": expected finite costs");
    }
  }
}

template <typename T>
void CheckFinalCosts(const Vector<T>& costs) {
  for (size_t s = 0; s < costs.shape(0); ++s) {
    if (!(costs.data()[s] > -INFINITY)) {  // NaN too
      throw std::invalid_argument("lattice: state " + std::to_string(s) +
                                  ": expected a final cost (inf if not final)");
    }
  }
}

decoding::LatticeView<float> View(const Vector<int32_t>& sources, const Vector<int32_t>& targets,
                           const Vector<int32_t>& tids, const Vector<int32_t>& words,
                           const Vector<float>& graph_costs, const Vector<float>& acoustic_costs,
                           const Vector<float>& final_costs) {
  CheckArcs(final_costs.shape(0), sources, targets);
  const size_t num_arcs = sources.shape(0);
  ExpectSize(tids, num_arcs, "lattice: tids");
  ExpectSize(words, num_arcs, "lattice: words");
  ExpectSize(graph_costs, num_arcs, "lattice: graph_costs");
  ExpectSize(acoustic_costs, num_arcs, "lattice: acoustic_costs");
  CheckArcCosts(graph_costs);
  CheckArcCosts(acoustic_costs);
  CheckFinalCosts(final_costs);
  decoding::LatticeView<float> view;
  view.num_states = static_cast<int32_t>(final_costs.shape(0));
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

decoding::ArcList Arcs(const Vector<int32_t>& sources, const Vector<int32_t>& targets,
                       const Vector<int32_t>& words, const Vector<double>& costs,
                       const Vector<double>& final_costs) {
  CheckArcs(final_costs.shape(0), sources, targets);
  ExpectSize(words, sources.shape(0), "lattice: words");
  ExpectSize(costs, sources.shape(0), "lattice: costs");
  CheckArcCosts(costs);
  CheckFinalCosts(final_costs);
  decoding::ArcList arcs;
  arcs.num_states = static_cast<int32_t>(final_costs.shape(0));
  arcs.num_arcs = sources.shape(0);
  arcs.sources = sources.data();
  arcs.targets = targets.data();
  arcs.words = words.data();
  arcs.costs = costs.data();
  arcs.final_costs = final_costs.data();
  return arcs;
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
    out = decoding::Determinize(View(sources, targets, tids, words,
                                     graph_costs, acoustic_costs, final_costs),
                                config);
  }
  return decoding::GiveCompact(std::move(out));
}

nb::tuple BestPath(const Vector<int32_t>& sources, const Vector<int32_t>& targets,
                   const Vector<int32_t>& tids, const Vector<int32_t>& words,
                   const Vector<float>& graph_costs, const Vector<float>& acoustic_costs,
                   const Vector<float>& final_costs, double acoustic_scale) {
  decoding::RawPath path;
  {
    nb::gil_scoped_release release;
    path = decoding::BestPath(View(sources, targets, tids, words,
                                   graph_costs, acoustic_costs, final_costs),
                              acoustic_scale);
  }
  return nb::make_tuple(Give(std::move(path.words)), Give(std::move(path.tids)), path.graph_cost,
                        path.acoustic_cost);
}

nb::tuple ForwardBackward(const Vector<int32_t>& sources, const Vector<int32_t>& targets,
                          const Vector<int32_t>& words, const Vector<double>& costs,
                          const Vector<double>& final_costs) {
  decoding::PathSums sums;
  {
    nb::gil_scoped_release release;
    sums = decoding::ForwardBackward(Arcs(sources, targets, words, costs, final_costs));
  }
  return nb::make_tuple(Give(std::move(sums.forward)), Give(std::move(sums.backward)));
}

nb::tuple MinimumBayesRisk(const Vector<int32_t>& sources, const Vector<int32_t>& targets,
                           const Vector<int32_t>& words, const Vector<double>& costs,
                           const Vector<double>& final_costs, const Vector<double>& begins,
                           const Vector<double>& ends, const Vector<double>& final_begins,
                           const Vector<double>& final_ends, const Vector<int32_t>& hypothesis,
                           bool decode) {
  ExpectSize(begins, sources.shape(0), "lattice: begins");
  ExpectSize(ends, sources.shape(0), "lattice: ends");
  ExpectSize(final_begins, final_costs.shape(0), "lattice: final begins");
  ExpectSize(final_ends, final_costs.shape(0), "lattice: final ends");
  decoding::Sausage sausage;
  std::vector<int64_t> offsets{0};
  std::vector<int32_t> bin_words;
  std::vector<double> posteriors;
  std::vector<double> bin_begins;
  std::vector<double> bin_ends;
  {
    nb::gil_scoped_release release;
    sausage = decoding::MinimumBayesRisk(
        Arcs(sources, targets, words, costs, final_costs), begins.data(), ends.data(),
        final_begins.data(), final_ends.data(),
        {hypothesis.data(), hypothesis.data() + hypothesis.shape(0)}, decode);
    for (const std::vector<decoding::BinWord>& bin : sausage.bins) {
      for (const decoding::BinWord& one : bin) {
        bin_words.push_back(one.word);
        posteriors.push_back(one.posterior);
        bin_begins.push_back(one.begin);
        bin_ends.push_back(one.end);
      }
      offsets.push_back(static_cast<int64_t>(bin_words.size()));
    }
  }
  return nb::make_tuple(sausage.risk, Give(std::move(sausage.chosen)), Give(std::move(offsets)),
                        Give(std::move(bin_words)), Give(std::move(posteriors)),
                        Give(std::move(bin_begins)), Give(std::move(bin_ends)));
}

nb::tuple Oracle(const Vector<int32_t>& sources, const Vector<int32_t>& targets,
                 const Vector<int32_t>& words, const Vector<double>& costs,
                 const Vector<double>& final_costs, const Vector<int32_t>& reference) {
  decoding::OraclePath path;
  {
    nb::gil_scoped_release release;
    path = decoding::Oracle(Arcs(sources, targets, words, costs, final_costs), reference.data(),
                            reference.shape(0));
  }
  return nb::make_tuple(path.substitutions, path.insertions, path.deletions,
                        Give(std::move(path.words)));
}

}  // namespace

NB_MODULE(_lattice, m) {
  m.doc() = "Lattices: determinisation on words, best paths, posteriors, Bayes risk, oracle.";
  m.def("determinize", &Determinize, "sources"_a, "targets"_a, "tids"_a, "words"_a,
        "graph_costs"_a, "acoustic_costs"_a, "final_costs"_a, "acoustic_scale"_a, "beam"_a,
        "max_memory"_a);
  m.def("best_path", &BestPath, "sources"_a, "targets"_a, "tids"_a, "words"_a, "graph_costs"_a,
        "acoustic_costs"_a, "final_costs"_a, "acoustic_scale"_a);
  m.def("forward_backward", &ForwardBackward, "sources"_a, "targets"_a, "words"_a, "costs"_a,
        "final_costs"_a);
  m.def("minimum_bayes_risk", &MinimumBayesRisk, "sources"_a, "targets"_a, "words"_a, "costs"_a,
        "final_costs"_a, "begins"_a, "ends"_a, "final_begins"_a, "final_ends"_a, "hypothesis"_a,
        "decode"_a);
  m.def("oracle", &Oracle, "sources"_a, "targets"_a, "words"_a, "costs"_a, "final_costs"_a,
        "reference"_a);
}
