// The cost above which tokens are not expanded, as beam and limits of active tokens imply it.
#ifndef DECODING_CSRC_SEARCH_CUTOFF_H_
#define DECODING_CSRC_SEARCH_CUTOFF_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "decoding/csrc/search/search_options.h"

namespace decoding {

struct Cutoff {
  float best;           // the cheapest token's cost
  size_t token;         // that token
  float cost;           // tokens above are not expanded
  float adaptive_beam;  // for the next frame
};

// The pruning threshold of LatticeFasterDecoder::GetCutoff: beam, max-active and min-active.
// Counting tells whether the beam decides, as it mostly does; only if not, costs are selected, in
// `costs`, whose contents do not matter. Tokens must not be empty.
template <typename Tokens>
Cutoff FindCutoff(const SearchOptions& options, const Tokens& tokens, std::vector<float>* costs) {
  const size_t n = tokens.size();
  Cutoff cutoff{tokens[0].cost, 0, 0.0f, options.beam};
  // Four minima at a time do not wait for each other.
  float lowest[4] = {cutoff.best, cutoff.best, cutoff.best, cutoff.best};
  for (size_t i = 0; i + 4 <= n; i += 4) {
    for (size_t k = 0; k < 4; ++k) lowest[k] = std::min(lowest[k], tokens[i + k].cost);
  }
  for (size_t i = n - n % 4; i < n; ++i) lowest[0] = std::min(lowest[0], tokens[i].cost);
  cutoff.best = std::min(std::min(lowest[0], lowest[1]), std::min(lowest[2], lowest[3]));
  while (tokens[cutoff.token].cost != cutoff.best) ++cutoff.token;
  if (n <= options.min_active) {
    cutoff.cost = cutoff.adaptive_beam = std::numeric_limits<float>::infinity();
    return cutoff;
  }
  cutoff.cost = cutoff.best + options.beam;
  bool too_many = false;
  if (n > options.max_active) {
    size_t below = 0;
    for (size_t i = 0; i < n; ++i) below += tokens[i].cost < cutoff.cost;
    too_many = below > options.max_active;
  }
  if (!too_many) {
    size_t not_above = 0;
    for (size_t i = 0; i < n && not_above <= options.min_active; ++i) {
      not_above += tokens[i].cost <= cutoff.cost;
    }
    if (not_above > options.min_active) return cutoff;
  }
  size_t rank = too_many ? options.max_active : options.min_active;
  costs->clear();
  if (too_many) {
    // A histogram tells the narrow band that holds the wanted cost; only there it is selected.
    constexpr size_t kBands = 256;
    uint32_t counts[kBands] = {};
    const float scale = static_cast<float>(kBands) / options.beam;
    const auto band_of = [&](float cost) {
      return std::min(kBands - 1, static_cast<size_t>((cost - cutoff.best) * scale));
    };
    for (size_t i = 0; i < n; ++i) {
      if (tokens[i].cost < cutoff.cost) ++counts[band_of(tokens[i].cost)];
    }
    size_t band = 0;
    while (rank >= counts[band]) rank -= counts[band++];
    for (size_t i = 0; i < n; ++i) {
      if (tokens[i].cost < cutoff.cost && band_of(tokens[i].cost) == band) {
        costs->push_back(tokens[i].cost);
      }
    }
  } else {
    for (size_t i = 0; i < n; ++i) costs->push_back(tokens[i].cost);
  }
  const auto nth = costs->begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(costs->begin(), nth, costs->end());
  cutoff.cost = *nth;
  cutoff.adaptive_beam = *nth - cutoff.best + options.beam_delta;
  return cutoff;
}

}  // namespace decoding

#endif  // DECODING_CSRC_SEARCH_CUTOFF_H_
