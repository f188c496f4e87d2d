#include "decoding/csrc/lattice/best_path.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <vector>

namespace decoding {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

RawPath BestPath(const LatticeView<float>& lattice, double acoustic_scale) {
  const size_t n = static_cast<size_t>(lattice.num_states);
  const size_t none = lattice.num_arcs;
  std::vector<Weight> weights(n, Weight{kInfinity, 0.0});
  std::vector<size_t> back(n, none);
  if (n > 0) weights[0] = Weight();
  const WeightOrder order{acoustic_scale};
  for (size_t a = 0; a < lattice.num_arcs; ++a) {
    const Weight weight = weights[lattice.sources[a]] + ArcWeight(lattice, a);
    if (order.Compare(weight, weights[lattice.targets[a]]) > 0) {
      weights[lattice.targets[a]] = weight;
      back[lattice.targets[a]] = a;
    }
  }
  Weight best{kInfinity, 0.0};
  size_t state = n;
  for (size_t s = 0; s < n; ++s) {
    const Weight weight = weights[s] + Weight{lattice.final_costs[s], 0.0};
    if (order.Compare(weight, best) > 0) {
      best = weight;
      state = s;
    }
  }
  if (state == n) {
    throw std::invalid_argument("lattice: expected a path from the start to a final state");
  }
  RawPath path;
  path.graph_cost = best.graph;
  path.acoustic_cost = best.acoustic;
  for (; back[state] != none; state = static_cast<size_t>(lattice.sources[back[state]])) {
    const size_t arc = back[state];
    if (lattice.tids[arc] != 0) path.tids.push_back(lattice.tids[arc]);
    if (lattice.words[arc] != 0) path.words.push_back(lattice.words[arc]);
  }
  std::reverse(path.tids.begin(), path.tids.end());
  std::reverse(path.words.begin(), path.words.end());
  return path;
}

}  // namespace decoding
