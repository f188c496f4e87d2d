#include "decoding/csrc/graph/mapped_graph.h"

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

std::string Where(const char* what, size_t number) {
  return std::string(what) + " " + std::to_string(number) + ": ";
}

}  // namespace

MappedGraph::MappedGraph(const Arrays& arrays, bool validate) : a_(arrays) {
  if (a_.num_states == 0) Fail("expected at least one state, found none");
  if (a_.num_states == UINT32_MAX) Fail("expected fewer than 2^32 - 1 states");
  if (a_.start >= a_.num_states) {
    Fail("start: expected a state below " + std::to_string(a_.num_states) + ", found " +
         std::to_string(a_.start));
  }
  if (a_.num_epsilon_states > a_.num_states) {
    Fail("expected at most as many states with epsilons as states");
  }
  if (a_.num_pdfs == 0 || a_.num_pdfs > kMaxPdfs) {
    Fail("expected 1 to " + std::to_string(kMaxPdfs) + " pdfs, found " +
         std::to_string(a_.num_pdfs));
  }
  if (validate) Validate();
}

void MappedGraph::Validate() const {
  const auto ascending = [](auto value, size_t count, uint64_t end, const char* name) {
    if (value(0) != 0) Fail(std::string(name) + ": expected to start with 0");
    for (size_t i = 0; i < count; ++i) {
      if (value(i + 1) < value(i)) Fail(std::string(name) + ": expected ascending values");
    }
    if (value(count) != end) {
      Fail(std::string(name) + ": expected to end with " + std::to_string(end) + ", found " +
           std::to_string(value(count)));
    }
  };
  ascending([this](size_t i) { return offset(static_cast<uint32_t>(i)); }, a_.num_states,
            a_.num_arcs, "offsets");
  ascending([this](size_t i) { return a_.epsilon_offsets[i]; }, a_.num_epsilon_states,
            a_.num_epsilons, "epsilon offsets");
  ascending([this](size_t i) { return static_cast<uint64_t>(a_.tid_offsets[i]); }, a_.num_pdfs,
            a_.num_tids, "transition-id offsets");
  for (uint32_t s = 0; s < a_.num_states; ++s) {
    if (offset(s + 1) - offset(s) > UINT32_MAX) Fail(Where("state", s) + "too many arcs");
  }
  for (size_t i = 0; i < a_.num_arcs; ++i) {
    const Arc& arc = a_.arcs[i];
    if (arc.next >= a_.num_states) {
      Fail(Where("arc", i) + "expected a next state below " + std::to_string(a_.num_states) +
           ", found " + std::to_string(arc.next));
    }
    const uint32_t pdf = arc.label & kPdfMask;
    if (pdf >= a_.num_pdfs ||
        ((arc.label & ~kHasWord) >> 16) >= a_.tid_offsets[pdf + 1] - a_.tid_offsets[pdf]) {
      Fail(Where("arc", i) + "expected a transition-id of the model");
    }
    if (a_.arc_words[i] >= a_.num_words ||
        (a_.arc_words[i] != 0) != ((arc.label & kHasWord) != 0)) {
      Fail(Where("arc", i) + "expected a word id below " + std::to_string(a_.num_words) +
           ", found " + std::to_string(a_.arc_words[i]));
    }
    if (!std::isfinite(arc.cost)) {
      Fail(Where("arc", i) + "expected a finite cost, found " + std::to_string(arc.cost));
    }
  }
  for (uint32_t s = 0; s < a_.num_epsilon_states; ++s) {
    if (s > 0 && a_.ranks[s] < a_.ranks[s - 1]) {
      Fail(Where("state", s) + "expected ascending ranks");
    }
    for (const Epsilon* arc = epsilons_begin(s); arc != epsilons_end(s); ++arc) {
      if (arc->next >= a_.num_states || arc->word >= a_.num_words || !std::isfinite(arc->cost)) {
        Fail(Where("state", s) + "expected a next state, a word and a finite cost");
      }
      if (arc->next < a_.num_epsilon_states && a_.ranks[arc->next] <= a_.ranks[s]) {
        Fail(Where("state", s) + "expected no cycle of non-emitting arcs");
      }
    }
  }
  for (size_t i = 0; i < a_.num_finals; ++i) {
    if (a_.final_states[i] >= a_.num_states ||
        (i > 0 && a_.final_states[i] <= a_.final_states[i - 1]) ||
        !std::isfinite(a_.final_costs[i])) {
      Fail(Where("final state", i) + "expected ascending states with finite costs");
    }
  }
  for (size_t i = 0; i < a_.num_tids; ++i) {
    if (a_.tids[i] == 0 || a_.tids[i] > a_.num_tids) {
      Fail(Where("transition-id", i) + "expected 1 to " + std::to_string(a_.num_tids) +
           ", found " + std::to_string(a_.tids[i]));
    }
  }
}

float MappedGraph::final_cost(uint32_t state) const {
  const uint32_t* const end = a_.final_states + a_.num_finals;
  const uint32_t* const found = std::lower_bound(a_.final_states, end, state);
  return found != end && *found == state ? a_.final_costs[found - a_.final_states]
                                         : std::numeric_limits<float>::infinity();
}

}  // namespace decoding
