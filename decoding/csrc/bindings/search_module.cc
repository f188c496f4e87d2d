// The Python module of both searches, of their graphs and of laying these out. Buffers are checked
// here, and the GIL is released while a search works.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "decoding/csrc/graph/graph_packing.h"
#include "decoding/csrc/graph/mapped_graph_arrays.h"
#include "decoding/csrc/lattice/compact_binding.h"
#include "decoding/csrc/on_the_fly/on_the_fly_binding.h"
#include "decoding/csrc/search/search.h"
#include "decoding/csrc/search/search_options.h"
#include "decoding/csrc/search/static_search.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using arrays::Expect;
using arrays::ExpectSize;
using arrays::Give;
using arrays::Vector;
using decoding::Search;
using decoding::SearchOptions;
using decoding::StaticSearch;

// While a search works, Python's lock is free; afterwards the search rests.
class Work {
 public:
  explicit Work(Search* search) : search_(search) {}
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;
  ~Work() { search_->Rest(); }

 private:
  nb::gil_scoped_release release_;
  Search* search_;
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

// Whether all values are finite: by their exponents, since integers compare several at a time.
bool AllFinite(const float* values, size_t count) {
  constexpr uint32_t kExponent = 0x7f800000u;
  uint32_t found = 0;
  for (size_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, values + i, sizeof(bits));
    found |= (bits & kExponent) == kExponent;
  }
  return found == 0;
}

void Advance(Search& search, const arrays::Matrix& scores) {
  const size_t num_frames = scores.shape(0);
  const size_t width = search.num_pdfs();
  Expect(scores.shape(1) == width, "scores: expected " + std::to_string(width) +
                                       " columns, one per pdf, found " +
                                       std::to_string(scores.shape(1)));
  const Work work(&search);
  const float* const data = scores.data();
  for (size_t t = 0; t < num_frames; ++t) {
    if (AllFinite(data + t * width, width)) continue;
    for (size_t i = 0; i < width; ++i) {
      Expect(std::isfinite(data[t * width + i]),
             "scores: frame " + std::to_string(search.num_frames() + t) + ", pdf " +
                 std::to_string(i) + ": expected a finite number, found " +
                 std::to_string(data[t * width + i]));
    }
  }
  search.Advance(data, num_frames);
}

nb::tuple Partial(Search& search) {
  decoding::RawPath path;
  {
    const Work work(&search);
    path = search.Partial();
  }
  return nb::make_tuple(Give(std::move(path.words)), Give(std::move(path.tids)), path.graph_cost,
                        path.acoustic_cost);
}

nb::tuple UpdateBestPath(Search& search) {
  decoding::PathWords words;
  {
    const Work work(&search);
    words = search.UpdateBestPath();
  }
  return nb::make_tuple(Give(std::move(words.committed)), Give(std::move(words.tentative)));
}

nb::tuple Finish(Search& search) {
  decoding::RawLattice lattice;
  {
    const Work work(&search);
    lattice = search.Finish();
  }
  return nb::make_tuple(
      Give(std::move(lattice.state_frames)), Give(std::move(lattice.sources)),
      Give(std::move(lattice.targets)), Give(std::move(lattice.tids)),
      Give(std::move(lattice.words)), Give(std::move(lattice.graph_costs)),
      Give(std::move(lattice.acoustic_costs)), Give(std::move(lattice.final_costs)),
      lattice.reached_final);
}

void StartCompact(Search& search, double acoustic_scale, double beam, size_t max_memory) {
  decoding::DeterminizeConfig config;
  config.acoustic_scale = acoustic_scale;
  config.beam = beam;
  config.max_memory = max_memory;
  const Work work(&search);
  search.StartCompact(config);
}

nb::tuple FinishCompact(Search& search) {
  decoding::CompactResult result;
  {
    const Work work(&search);
    result = search.FinishCompact();
  }
  return nb::make_tuple(decoding::GiveCompact(std::move(result.lattice)), result.reached_final);
}

nb::dict Memory(const Search& search) {
  const decoding::SearchMemory memory = search.Memory();
  nb::dict out;
  out["buffers"] = memory.buffers;
  out["open"] = memory.open;
  out["done"] = memory.done;
  return out;
}

nb::dict Stats(const Search& search) {
  nb::dict out;
  out["frames"] = search.stats().frames;
  out["tokens"] = search.stats().tokens;
  out["arcs"] = search.stats().arcs;
  out["links"] = search.stats().links;
  return out;
}

}  // namespace

NB_MODULE(_search, m) {
  using decoding::MappedGraphArrays;
  m.doc() = "Beam search over decoding graphs, static or composed with a language model on the fly.";
  nb::class_<MappedGraphArrays>(m, "Graph")
      .def(nb::init<uint32_t, uint32_t, const nb::dict&, bool>(), "start"_a, "num_words"_a,
           "arrays"_a, "validate"_a)
      .def_prop_ro("num_pdfs",
                   [](const MappedGraphArrays& graph) { return graph.view().num_pdfs(); });
  m.def("pack", &Pack, "start"_a, "offsets"_a, "num_emitting"_a, "ilabels"_a, "olabels"_a,
        "costs"_a, "next_states"_a, "final_costs"_a, "pdfs"_a);
  nb::class_<SearchOptions>(m, "Options")
      .def(
          "__init__",
          [](SearchOptions* self, float beam, float lattice_beam, uint32_t max_active,
             uint32_t min_active, float acoustic_scale, uint32_t prune_interval, float prune_scale,
             float beam_delta, uint32_t max_kept_links) {
            new (self) SearchOptions{beam,           lattice_beam,   max_active,
                                     min_active,     acoustic_scale, prune_interval,
                                     prune_scale,    beam_delta,     max_kept_links};
          },
          nb::kw_only(), "beam"_a, "lattice_beam"_a, "max_active"_a, "min_active"_a,
          "acoustic_scale"_a, "prune_interval"_a, "prune_scale"_a, "beam_delta"_a,
          "max_kept_links"_a)
      .def_ro("beam", &SearchOptions::beam)
      .def_ro("lattice_beam", &SearchOptions::lattice_beam)
      .def_ro("max_active", &SearchOptions::max_active)
      .def_ro("min_active", &SearchOptions::min_active)
      .def_ro("acoustic_scale", &SearchOptions::acoustic_scale)
      .def_ro("prune_interval", &SearchOptions::prune_interval)
      .def_ro("prune_scale", &SearchOptions::prune_scale)
      .def_ro("beam_delta", &SearchOptions::beam_delta)
      .def_ro("max_kept_links", &SearchOptions::max_kept_links);
  nb::class_<Search>(m, "Search")
      .def("start",
           [](Search& self) {
             const Work work(&self);
             self.Start();
           })
      .def("start_compact", &StartCompact, "acoustic_scale"_a, "beam"_a, "max_memory"_a)
      .def("advance", &Advance, "scores"_a)
      .def("partial", &Partial)
      .def("update_best_path", &UpdateBestPath)
      .def("trailing_silence",
           [](Search& self) {
             const Work work(&self);
             return self.TrailingSilence();
           })
      .def("final_relative_cost",
           [](Search& self) {
             const Work work(&self);
             return self.FinalRelativeCost();
           })
      .def(
          "set_silence",
          [](Search& self, const Vector<uint8_t>& is_silence) {
            self.SetSilence({is_silence.data(), is_silence.data() + is_silence.shape(0)});
          },
          "is_silence"_a)
      .def("finish", &Finish)
      .def("finish_compact", &FinishCompact)
      .def("memory", &Memory)
      .def("stats", &Stats)
      .def_prop_ro("num_frames", &Search::num_frames);
  nb::class_<StaticSearch, Search>(m, "StaticSearch")
      .def(
          "__init__",
          [](StaticSearch* self, const MappedGraphArrays& graph, const SearchOptions& options,
             bool best_only) { new (self) StaticSearch(graph.view(), options, best_only); },
          "graph"_a, "options"_a, "best_only"_a, nb::keep_alive<1, 2>());
  decoding::BindOnTheFlySearch(m);
}
