// The numpy arrays of decoding.mapped_graph.MappedGraph as a decoding::MappedGraph.
#ifndef DECODING_CSRC_GRAPH_MAPPED_GRAPH_ARRAYS_H_
#define DECODING_CSRC_GRAPH_MAPPED_GRAPH_ARRAYS_H_

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/csrc/arrays.h"
#include "decoding/csrc/graph/mapped_graph.h"

namespace decoding {

// Keeps the arrays alive as long as itself. Make and destroy it with the GIL held.
class MappedGraphArrays {
 public:
  // validate: look at every arc. Throws std::invalid_argument, naming the array.
  MappedGraphArrays(uint32_t start, uint32_t num_words, const nanobind::dict& arrays,
                    bool validate) {
    using arrays::ExpectSize;
    MappedGraph::Arrays view;
    view.start = start;
    view.num_words = num_words;
    const auto offsets_32 = Take<uint32_t>(arrays, "offsets", false);
    if (offsets_32.is_valid()) {
      view.narrow_offsets = offsets_32.data();
      view.num_states = CountOffsets(offsets_32.shape(0), "offsets");
    } else {
      const auto offsets_64 = Take<uint64_t>(arrays, "wide_offsets", true);
      view.wide_offsets = offsets_64.data();
      view.num_states = CountOffsets(offsets_64.shape(0), "wide_offsets");
    }
    const auto arcs = Take<uint32_t>(arrays, "arcs", true);
    const auto arc_words = Take<uint32_t>(arrays, "arc_words", true);
    const auto epsilon_offsets = Take<uint64_t>(arrays, "epsilon_offsets", true);
    const auto ranks = Take<uint16_t>(arrays, "ranks", true);
    const auto epsilons = Take<uint32_t>(arrays, "epsilons", true);
    const auto final_states = Take<uint32_t>(arrays, "final_states", true);
    const auto final_costs = Take<float>(arrays, "final_costs", true);
    const auto tid_offsets = Take<uint32_t>(arrays, "tid_offsets", true);
    const auto tids = Take<uint32_t>(arrays, "tids", true);
    view.num_arcs = arc_words.shape(0);
    view.num_epsilon_states = Count(ranks.shape(0), "ranks");
    view.num_epsilons = epsilons.shape(0) / 3;
    view.num_finals = final_states.shape(0);
    view.num_pdfs = CountOffsets(tid_offsets.shape(0), "tid_offsets");
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
    nanobind::gil_scoped_release release;
    view_ = std::make_unique<MappedGraph>(view, validate);
  }

  const MappedGraph& view() const { return *view_; }

 private:
  template <typename T>
  arrays::Vector<T> Take(const nanobind::dict& dict, const char* name, bool required) {
    if (!dict.contains(name)) {
      arrays::Expect(!required,
                     std::string("graph: ") + name + ": expected this array, found none");
      return arrays::Vector<T>();
    }
    arrays::Vector<T> array;
    arrays::Expect(nanobind::try_cast(dict[name], array, false),
                   std::string("graph: ") + name + ": expected another type or shape of array");
    kept_.push_back(nanobind::object(dict[name]));
    return array;
  }

  static uint32_t Count(size_t count, const char* name) {
    arrays::Expect(count < UINT32_MAX,
                   std::string("graph: ") + name + ": expected fewer than 2^32 - 1");
    return static_cast<uint32_t>(count);
  }
  static uint32_t CountOffsets(size_t count, const char* name) {
    arrays::Expect(count > 0, std::string("graph: ") + name + ": expected offsets, found none");
    return Count(count - 1, name);
  }

  std::vector<nanobind::object> kept_;
  std::unique_ptr<MappedGraph> view_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_GRAPH_MAPPED_GRAPH_ARRAYS_H_
