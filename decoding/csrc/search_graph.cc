#include "search_graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace decoding {

namespace {

[[noreturn]] void Fail(const std::string& message) {
  throw std::invalid_argument("graph: " + message);
}

}  // namespace

SearchGraph::SearchGraph(const GraphArrays& arrays) : arrays_(arrays) {
  Validate();
  for (uint32_t tid = 1; tid <= arrays.num_transition_ids; ++tid) {
    num_pdfs_ = std::max(num_pdfs_, static_cast<uint32_t>(arrays.pdfs[tid]) + 1);
  }
  states_.resize(static_cast<size_t>(arrays.num_states) + 1);
  for (uint32_t s = 0; s < arrays.num_states; ++s) {
    states_[s].begin = static_cast<uint32_t>(arrays.offsets[s]);
    states_[s].middle = states_[s].begin + arrays.num_emitting[s];
  }
  states_[arrays.num_states] = {arrays.num_arcs, arrays.num_arcs};
  arcs_.resize(arrays.num_arcs);
  for (uint32_t a = 0; a < arrays.num_arcs; ++a) {
    const uint32_t next = static_cast<uint32_t>(arrays.next_states[a]);
    const bool epsilons = states_[next].middle < states_[next + 1].begin;
    const int32_t tid = arrays.ilabels[a];
    arcs_[a] = {next | (epsilons ? kHasEpsilons : 0), tid == 0 ? -1 : arrays.pdfs[tid],
                arrays.costs[a]};
  }
  RankStates();
}

void SearchGraph::Validate() const {
  const GraphArrays& g = arrays_;
  if (g.num_states == 0) Fail("expected at least one state, found none");
  if (g.num_states >= kHasEpsilons) Fail("expected fewer than 2^31 states");
  if (g.start >= g.num_states) {
    Fail("start: expected a state below " + std::to_string(g.num_states) + ", found " +
         std::to_string(g.start));
  }
  if (g.num_transition_ids == 0) Fail("expected at least one transition-id, found none");
  for (uint32_t tid = 1; tid <= g.num_transition_ids; ++tid) {
    if (g.pdfs[tid] < 0) {
      Fail("transition-id " + std::to_string(tid) + ": expected a pdf-id >= 0, found " +
           std::to_string(g.pdfs[tid]));
    }
  }
  if (g.offsets[0] != 0) Fail("offsets: expected to start with 0");
  for (uint32_t s = 0; s < g.num_states; ++s) {
    const auto place = [s] { return "state " + std::to_string(s) + ": "; };
    if (g.offsets[s + 1] < g.offsets[s] || g.offsets[s + 1] > g.num_arcs) {
      Fail(place() + "expected offsets that ascend to the number of arcs");
    }
    if (g.num_emitting[s] > static_cast<uint64_t>(g.offsets[s + 1] - g.offsets[s])) {
      Fail(place() + "expected at most as many emitting arcs as arcs");
    }
    const float final_cost = g.final_costs[s];
    if (std::isnan(final_cost) || final_cost == -std::numeric_limits<float>::infinity()) {
      Fail(place() + "expected a final cost (inf if not final), found " +
           std::to_string(final_cost));
    }
  }
  if (g.offsets[g.num_states] != g.num_arcs) {
    Fail("offsets: expected to end with the number of arcs " + std::to_string(g.num_arcs) +
         ", found " + std::to_string(g.offsets[g.num_states]));
  }
  for (uint32_t s = 0; s < g.num_states; ++s) {
    const uint32_t begin = static_cast<uint32_t>(g.offsets[s]);
    const uint32_t end = static_cast<uint32_t>(g.offsets[s + 1]);
    for (uint32_t a = begin; a < end; ++a) {
      const bool emitting = a - begin < g.num_emitting[s];
      const int32_t label = g.ilabels[a];
      if (emitting ? label < 1 || static_cast<uint32_t>(label) > g.num_transition_ids
                   : label != 0) {
        Fail("arc " + std::to_string(a) + ": expected " +
             (emitting ? "a transition-id of 1 .. " + std::to_string(g.num_transition_ids)
                       : "label 0 after the emitting arcs") +
             ", found " + std::to_string(label));
      }
      if (g.next_states[a] < 0 || static_cast<uint32_t>(g.next_states[a]) >= g.num_states) {
        Fail("arc " + std::to_string(a) + ": expected a next state below " +
             std::to_string(g.num_states) + ", found " + std::to_string(g.next_states[a]));
      }
      if (g.olabels[a] < 0) {
        Fail("arc " + std::to_string(a) + ": expected a word id >= 0, found " +
             std::to_string(g.olabels[a]));
      }
      if (!std::isfinite(g.costs[a])) {
        Fail("arc " + std::to_string(a) + ": expected a finite cost, found " +
             std::to_string(g.costs[a]));
      }
    }
  }
}

// Kahn's algorithm over the non-emitting arcs alone.
void SearchGraph::RankStates() {
  const uint32_t n = arrays_.num_states;
  ranks_.assign(n, 0);
  std::vector<uint32_t> in_degree(n, 0);
  uint64_t remaining = 0;
  for (uint32_t s = 0; s < n; ++s) {
    for (uint32_t a = arcs_middle(s); a < arcs_end(s); ++a) {
      ++in_degree[arcs_[a].next & ~kHasEpsilons];
      ++remaining;
    }
  }
  std::vector<uint32_t> ready;
  for (uint32_t s = 0; s < n; ++s) {
    if (in_degree[s] == 0 && arcs_middle(s) < arcs_end(s)) ready.push_back(s);
  }
  while (!ready.empty()) {
    const uint32_t s = ready.back();
    ready.pop_back();
    for (uint32_t a = arcs_middle(s); a < arcs_end(s); ++a) {
      const uint32_t next = arcs_[a].next & ~kHasEpsilons;
      const uint32_t rank = ranks_[s] + 1u;
      if (rank > std::numeric_limits<uint16_t>::max()) {
        Fail("expected at most 65535 non-emitting arcs in a row");
      }
      if (rank > ranks_[next]) ranks_[next] = static_cast<uint16_t>(rank);
      max_rank_ = std::max(max_rank_, rank);
      --remaining;
      if (--in_degree[next] == 0) ready.push_back(next);
    }
  }
  if (remaining != 0) {
    const auto stuck = std::find_if(in_degree.begin(), in_degree.end(),
                                    [](uint32_t degree) { return degree != 0; });
    Fail("expected no cycle of non-emitting arcs, found one that leads to state " +
         std::to_string(stuck - in_degree.begin()));
  }
}

}  // namespace decoding
