#include "decoding/csrc/lattice/posteriors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace decoding {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// -log(exp(-a) + exp(-b))
double AddCosts(double a, double b) {
  if (b < a) std::swap(a, b);
  if (b == kInfinity) return a;
  return a - std::log1p(std::exp(a - b));
}

}  // namespace

PathSums ForwardBackward(const ArcList& lattice) {
  const size_t n = static_cast<size_t>(lattice.num_states);
  PathSums sums;
  sums.forward.assign(n, kInfinity);
  sums.forward[0] = 0.0;
  for (size_t a = 0; a < lattice.num_arcs; ++a) {
    double& sum = sums.forward[lattice.targets[a]];
    sum = AddCosts(sum, sums.forward[lattice.sources[a]] + lattice.costs[a]);
  }
  sums.backward.assign(lattice.final_costs, lattice.final_costs + n);
  for (size_t a = lattice.num_arcs; a-- > 0;) {
    double& sum = sums.backward[lattice.sources[a]];
    sum = AddCosts(sum, sums.backward[lattice.targets[a]] + lattice.costs[a]);
  }
  if (sums.backward[0] == kInfinity) {
    throw std::invalid_argument("lattice: expected a path from the start to a final state");
  }
  return sums;
}

}  // namespace decoding
