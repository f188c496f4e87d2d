// Lattices that somebody else owns, and how weights of paths compare.
#ifndef DECODING_CSRC_LATTICE_LATTICE_VIEW_H_
#define DECODING_CSRC_LATTICE_LATTICE_VIEW_H_

#include <cstddef>
#include <cstdint>

namespace decoding {

// A state-level lattice. Arcs are sorted by source and lead to states of higher number; state 0 is
// the start. Cost: float or double.
template <typename Cost>
struct LatticeView {
  int32_t num_states = 0;
  size_t num_arcs = 0;
  const int32_t* sources = nullptr;
  const int32_t* targets = nullptr;
  // A transition-id, 0 for none, or ~i for the i-th string of transition-ids, which is
  // strings[string_offsets[i] .. string_offsets[i + 1]].
  const int32_t* tids = nullptr;
  const int32_t* words = nullptr;
  const Cost* graph_costs = nullptr;
  const Cost* acoustic_costs = nullptr;  // unscaled
  const Cost* final_costs = nullptr;     // +inf = not final
  const size_t* string_offsets = nullptr;
  const int32_t* strings = nullptr;
};

// A lattice of either kind, ordered in the same way, with one cost (scaled, graph and acoustic
// together) for each arc.
struct ArcList {
  int32_t num_states = 0;
  size_t num_arcs = 0;
  const int32_t* sources = nullptr;
  const int32_t* targets = nullptr;
  const int32_t* words = nullptr;  // 0 = none
  const double* costs = nullptr;
  const double* final_costs = nullptr;  // +inf = not final
};

struct Weight {
  double graph = 0.0;
  double acoustic = 0.0;
};

inline Weight operator+(const Weight& a, const Weight& b) {
  return {a.graph + b.graph, a.acoustic + b.acoustic};
}

inline Weight operator-(const Weight& a, const Weight& b) {
  return {a.graph - b.graph, a.acoustic - b.acoustic};
}

template <typename Cost>
Weight ArcWeight(const LatticeView<Cost>& lattice, size_t arc) {
  return {lattice.graph_costs[arc], lattice.acoustic_costs[arc]};
}

// Weights are compared by their total, then by graph cost.
struct WeightOrder {
  double acoustic_scale;

  double Total(const Weight& weight) const {
    return weight.graph + acoustic_scale * weight.acoustic;
  }

  // 1 if a is better than b, -1 if it is worse, else 0.
  int Compare(const Weight& a, const Weight& b) const {
    const double a_total = Total(a);
    const double b_total = Total(b);
    if (a_total != b_total) return a_total < b_total ? 1 : -1;
    if (a.graph != b.graph) return a.graph < b.graph ? 1 : -1;
    return 0;
  }
};

}  // namespace decoding

#endif  // DECODING_CSRC_LATTICE_LATTICE_VIEW_H_
