#include "decoding/csrc/graph/graph_packing.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

namespace decoding {

namespace {

constexpr uint32_t kUnseen = UINT32_MAX;

[[noreturn]] void Fail(const std::string& message) {
  throw std::invalid_argument("graph: " + message);
}

void Validate(const GraphArrays& g) {
  if (g.num_states == 0) Fail("expected at least one state, found none");
  if (g.start >= g.num_states) {
    Fail("start: expected a state below " + std::to_string(g.num_states) + ", found " +
         std::to_string(g.start));
  }
  if (g.num_transition_ids == 0) Fail("expected at least one transition-id, found none");
  for (size_t tid = 1; tid <= g.num_transition_ids; ++tid) {
    if (g.pdfs[tid] < 0 || static_cast<uint32_t>(g.pdfs[tid]) >= MappedGraph::kMaxPdfs) {
      Fail("transition-id " + std::to_string(tid) + ": expected a pdf-id of 0 .. " +
           std::to_string(MappedGraph::kMaxPdfs - 1) + ", found " + std::to_string(g.pdfs[tid]));
    }
  }
  const int64_t num_arcs = static_cast<int64_t>(g.num_arcs);
  if (g.offsets[0] != 0) Fail("offsets: expected to start with 0");
  for (uint32_t s = 0; s < g.num_states; ++s) {
    const auto where = [s] { return "state " + std::to_string(s) + ": "; };
    if (g.offsets[s + 1] < g.offsets[s] || g.offsets[s + 1] > num_arcs) {
      Fail(where() + "expected offsets that ascend to the number of arcs");
    }
    if (g.num_emitting[s] > static_cast<uint64_t>(g.offsets[s + 1] - g.offsets[s])) {
      Fail(where() + "expected at most as many emitting arcs as arcs");
    }
    const float final_cost = g.final_costs[s];
    if (std::isnan(final_cost) || final_cost == -std::numeric_limits<float>::infinity()) {
      Fail(where() + "expected a final cost (inf if not final), found " +
           std::to_string(final_cost));
    }
  }
  if (g.offsets[g.num_states] != num_arcs) {
    Fail("offsets: expected to end with the number of arcs " + std::to_string(num_arcs) +
         ", found " + std::to_string(g.offsets[g.num_states]));
  }
  for (uint32_t s = 0; s < g.num_states; ++s) {
    for (int64_t a = g.offsets[s]; a < g.offsets[s + 1]; ++a) {
      const bool emitting = a - g.offsets[s] < g.num_emitting[s];
      const int32_t label = g.ilabels[a];
      const auto where = [a] { return "arc " + std::to_string(a) + ": expected "; };
      if (emitting ? label < 1 || static_cast<size_t>(label) > g.num_transition_ids
                   : label != 0) {
        Fail(where() +
             (emitting ? "a transition-id of 1 .. " + std::to_string(g.num_transition_ids)
                       : "label 0 after the emitting arcs") +
             ", found " + std::to_string(label));
      }
      if (g.next_states[a] < 0 || static_cast<uint32_t>(g.next_states[a]) >= g.num_states) {
        Fail(where() + "a next state below " + std::to_string(g.num_states) + ", found " +
             std::to_string(g.next_states[a]));
      }
      if (g.olabels[a] < 0) {
        Fail(where() + "a word id >= 0, found " + std::to_string(g.olabels[a]));
      }
      if (!std::isfinite(g.costs[a])) {
        Fail(where() + "a finite cost, found " + std::to_string(g.costs[a]));
      }
    }
  }
}

// Kahn's algorithm over the non-emitting arcs alone.
std::vector<uint16_t> RankStates(const GraphArrays& g) {
  const auto epsilons_begin = [&](uint32_t s) { return g.offsets[s] + g.num_emitting[s]; };
  std::vector<uint16_t> ranks(g.num_states, 0);
  std::vector<uint32_t> in_degree(g.num_states, 0);
  uint64_t remaining = 0;
  for (uint32_t s = 0; s < g.num_states; ++s) {
    for (int64_t a = epsilons_begin(s); a < g.offsets[s + 1]; ++a) {
      ++in_degree[static_cast<uint32_t>(g.next_states[a])];
      ++remaining;
    }
  }
  std::vector<uint32_t> ready;
  for (uint32_t s = 0; s < g.num_states; ++s) {
    if (in_degree[s] == 0 && epsilons_begin(s) < g.offsets[s + 1]) ready.push_back(s);
  }
  while (!ready.empty()) {
    const uint32_t s = ready.back();
    ready.pop_back();
    for (int64_t a = epsilons_begin(s); a < g.offsets[s + 1]; ++a) {
      const uint32_t next = static_cast<uint32_t>(g.next_states[a]);
      if (ranks[s] == std::numeric_limits<uint16_t>::max()) {
        Fail("expected at most 65535 non-emitting arcs in a row");
      }
      ranks[next] = std::max<uint16_t>(ranks[next], static_cast<uint16_t>(ranks[s] + 1));
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
  return ranks;
}

// States in the order of a depth-first search; then those that it does not reach.
std::vector<uint32_t> DepthFirstOrder(const GraphArrays& g) {
  std::vector<uint32_t> order;
  order.reserve(g.num_states);
  std::vector<bool> seen(g.num_states, false);
  std::vector<uint32_t> stack;
  for (uint32_t i = 0; i <= g.num_states; ++i) {
    stack.push_back(i == 0 ? g.start : i - 1);
    while (!stack.empty()) {
      const uint32_t s = stack.back();
      stack.pop_back();
      if (seen[s]) continue;
      seen[s] = true;
      order.push_back(s);
      for (int64_t a = g.offsets[s + 1]; a-- > g.offsets[s];) {
        const uint32_t next = static_cast<uint32_t>(g.next_states[a]);
        if (!seen[next]) stack.push_back(next);
      }
    }
  }
  return order;
}

uint32_t Bits(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

}  // namespace

PackedGraph PackGraph(const GraphArrays& g) {
  Validate(g);
  PackedGraph out;

  uint32_t num_pdfs = 0;
  for (size_t tid = 1; tid <= g.num_transition_ids; ++tid) {
    num_pdfs = std::max(num_pdfs, static_cast<uint32_t>(g.pdfs[tid]) + 1);
  }
  out.tid_offsets.assign(num_pdfs + 1, 0);
  std::vector<uint32_t> number_of_tid(g.num_transition_ids + 1, 0);
  for (size_t tid = 1; tid <= g.num_transition_ids; ++tid) {
    number_of_tid[tid] = out.tid_offsets[static_cast<size_t>(g.pdfs[tid]) + 1]++;
    if (number_of_tid[tid] >= MappedGraph::kMaxTidsOfPdf) {
      Fail("expected at most " + std::to_string(MappedGraph::kMaxTidsOfPdf) +
           " transition-ids with the pdf-id " + std::to_string(g.pdfs[tid]));
    }
  }
  for (uint32_t pdf = 0; pdf < num_pdfs; ++pdf) out.tid_offsets[pdf + 1] += out.tid_offsets[pdf];
  out.tids.resize(g.num_transition_ids);
  for (size_t tid = 1; tid <= g.num_transition_ids; ++tid) {
    out.tids[out.tid_offsets[static_cast<size_t>(g.pdfs[tid])] + number_of_tid[tid]] =
        static_cast<uint32_t>(tid);
  }

  const std::vector<uint16_t> ranks = RankStates(g);
  const auto has_epsilons = [&](uint32_t s) {
    return g.offsets[s] + g.num_emitting[s] < g.offsets[s + 1];
  };
  std::vector<uint32_t> order = DepthFirstOrder(g);
  const auto middle = std::stable_partition(order.begin(), order.end(), has_epsilons);
  std::stable_sort(order.begin(), middle,
                   [&](uint32_t a, uint32_t b) { return ranks[a] < ranks[b]; });
  const size_t num_epsilon_states = static_cast<size_t>(middle - order.begin());
  std::vector<uint32_t> number(g.num_states);
  for (uint32_t i = 0; i < g.num_states; ++i) number[order[i]] = i;

  out.start = number[g.start];
  out.offsets.push_back(0);
  out.epsilon_offsets.push_back(0);
  uint64_t num_emitting = 0;
  for (uint32_t s = 0; s < g.num_states; ++s) num_emitting += g.num_emitting[s];
  out.arcs.reserve(3 * num_emitting);
  out.arc_words.reserve(num_emitting);
  out.epsilons.reserve(3 * (g.num_arcs - num_emitting));
  for (uint32_t i = 0; i < g.num_states; ++i) {
    const uint32_t s = order[i];
    for (int64_t a = g.offsets[s]; a < g.offsets[s + 1]; ++a) {
      const uint32_t next = number[static_cast<uint32_t>(g.next_states[a])];
      const uint32_t word = static_cast<uint32_t>(g.olabels[a]);
      const int32_t tid = g.ilabels[a];
      if (tid == 0) {
        out.epsilons.insert(out.epsilons.end(), {next, word, Bits(g.costs[a])});
        continue;
      }
      const uint32_t label = static_cast<uint32_t>(g.pdfs[tid]) |
                             number_of_tid[static_cast<size_t>(tid)] << 16 |
                             (word != 0 ? MappedGraph::kHasWord : 0);
      out.arcs.insert(out.arcs.end(), {next, label, Bits(g.costs[a])});
      out.arc_words.push_back(word);
    }
    out.offsets.push_back(out.arc_words.size());
    if (i < num_epsilon_states) {
      out.epsilon_offsets.push_back(out.epsilons.size() / 3);
      out.ranks.push_back(ranks[s]);
    }
    if (g.final_costs[s] < std::numeric_limits<float>::infinity()) {
      out.final_states.push_back(i);
      out.final_costs.push_back(g.final_costs[s]);
    }
  }
  return out;
}

}  // namespace decoding
