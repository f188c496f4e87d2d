#include "decoding/csrc/lattice/incremental_determinizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace decoding {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Labels stand where words do: of open states on arcs from the start, of exits on all others.
int32_t LabelOf(int32_t number) { return ~number; }
bool IsLabel(int32_t word) { return word < 0; }
int32_t NumberOf(int32_t label) { return ~label; }

}  // namespace

// State 0 is the start; then come the open states, those of the part, and a final one for each
// exit.
struct IncrementalDeterminizer::Graph {
  std::vector<int32_t> sources;
  std::vector<int32_t> targets;
  std::vector<int32_t> tids;
  std::vector<int32_t> words;
  std::vector<double> graph_costs;
  std::vector<double> acoustic_costs;
  std::vector<double> final_costs;
  std::vector<size_t> string_offsets{0};
  std::vector<int32_t> strings;

  void AddArc(int32_t source, int32_t target, int32_t tid, int32_t word, const Weight& weight) {
    sources.push_back(source);
    targets.push_back(target);
    tids.push_back(tid);
    words.push_back(word);
    graph_costs.push_back(weight.graph);
    acoustic_costs.push_back(weight.acoustic);
  }

  // What stands for a string of transition-ids in LatticeView.
  int32_t AddString(const std::vector<int32_t>& string) {
    if (string.size() <= 1) return string.empty() ? 0 : string[0];
    strings.insert(strings.end(), string.begin(), string.end());
    string_offsets.push_back(strings.size());
    return ~static_cast<int32_t>(string_offsets.size() - 2);
  }

  LatticeView<double> View() const {
    return {static_cast<int32_t>(final_costs.size()),
            sources.size(),
            sources.data(),
            targets.data(),
            tids.data(),
            words.data(),
            graph_costs.data(),
            acoustic_costs.data(),
            final_costs.data(),
            string_offsets.data(),
            strings.data()};
  }
};

IncrementalDeterminizer::IncrementalDeterminizer(const DeterminizeConfig& config)
    : config_(config),
      order_{config.acoustic_scale},
      beam_(config.beam),
      // Nothing but a state before the first part.
      open_arcs_{{0, 0, 0, Weight(), {}}},
      pending_{{kStart, 0, 0, 0.0, Weight(), {}}},
      before_start_{kStart, 0, 0, 0.0, Weight(), {}} {}

void IncrementalDeterminizer::Add(const LatticePart& part) {
  Process(part, false);
  is_first_ = false;
}

CompactArrays IncrementalDeterminizer::Finish(const LatticePart& part) {
  if (is_first_) return Determinize(part.lattice.View(), config_);
  Process(part, true);
  return Output();
}

void IncrementalDeterminizer::Process(const LatticePart& part, bool last) {
  std::vector<double> forward(static_cast<size_t>(num_open_), kInfinity);
  for (const PendingArc& arc : pending_) {
    forward[arc.target] = std::min(forward[arc.target], arc.forward);
  }
  const Graph graph = MakeGraph(part, forward, last);
  const CompactArrays chunk = Determinize(graph.View(), config_);
  beam_ = std::min(beam_, chunk.beam);
  Take(chunk, forward, last);
}

IncrementalDeterminizer::Graph IncrementalDeterminizer::MakeGraph(
    const LatticePart& part, const std::vector<double>& forward, bool last) const {
  const RawLattice& lattice = part.lattice;
  const int32_t first_of_part = 1 + num_open_;
  const int32_t num_of_part = static_cast<int32_t>(lattice.final_costs.size());
  Graph graph;
  for (int32_t k = 0; k < num_open_; ++k) {
    if (forward[k] < kInfinity) graph.AddArc(0, 1 + k, 0, LabelOf(k), {forward[k], 0.0});
  }
  for (const OpenArc& arc : open_arcs_) {
    int32_t target = 1 + arc.target;
    if (arc.word == 0) {
      if (part.entries[arc.target] < 0) continue;
      target = first_of_part + part.entries[arc.target];
    }
    graph.AddArc(1 + arc.source, target, graph.AddString(arc.tids), arc.word, arc.weight);
  }
  for (size_t a = 0; a < lattice.sources.size(); ++a) {
    graph.AddArc(first_of_part + lattice.sources[a], first_of_part + lattice.targets[a],
                 lattice.tids[a], lattice.words[a],
                 {lattice.graph_costs[a], lattice.acoustic_costs[a]});
  }
  graph.final_costs.assign(static_cast<size_t>(first_of_part), kInfinity);
  graph.final_costs.insert(graph.final_costs.end(), lattice.final_costs.begin(),
                           lattice.final_costs.end());
  if (last) return graph;
  // The final cost of an exit makes the best path through it as much worse than the best as the
  // search found: so the beam leaves out only what would be left out at the end, too.
  std::vector<double> costs(graph.final_costs.size(), kInfinity);
  costs[0] = 0.0;
  for (size_t a = 0; a < graph.sources.size(); ++a) {
    double& cost = costs[graph.targets[a]];
    const Weight weight{graph.graph_costs[a], graph.acoustic_costs[a]};
    cost = std::min(cost, costs[graph.sources[a]] + order_.Total(weight));
  }
  for (size_t i = 0; i < part.exits.size(); ++i) {
    const int32_t state = first_of_part + part.exits[i];
    const int32_t exit = static_cast<int32_t>(i);
    graph.AddArc(state, first_of_part + num_of_part + exit, 0, LabelOf(exit), Weight());
    const double cost = costs[state];
    graph.final_costs.push_back(cost < kInfinity ? part.exit_extras[i] - cost : kInfinity);
  }
  return graph;
}

// States are in topological order, arcs sorted by source.
void IncrementalDeterminizer::Take(const CompactArrays& chunk,
                                   const std::vector<double>& forward_of_open, bool last) {
  const size_t num_states = chunk.state_frames.size();
  const size_t num_arcs = chunk.sources.size();
  const auto weight_of = [&chunk](size_t a) {
    return Weight{chunk.graph_costs[a], chunk.acoustic_costs[a]};
  };
  std::vector<char> is_exit(num_states, 0);
  std::vector<char> is_open(num_states, 0);
  std::vector<double> forward(num_states, kInfinity);
  forward[0] = 0.0;
  for (size_t a = 0; a < num_arcs; ++a) {
    const int32_t source = chunk.sources[a];
    const int32_t target = chunk.targets[a];
    forward[target] = std::min(forward[target], forward[source] + order_.Total(weight_of(a)));
    if (source == 0 || !IsLabel(chunk.words[a])) continue;
    is_exit[target] = 1;
    is_open[source] = 1;
  }
  for (size_t a = 0; a < num_arcs; ++a) {
    if (is_open[chunk.sources[a]]) is_open[chunk.targets[a]] = 1;
  }
  std::vector<int32_t> number(num_states, -1);  // among the open states or those that are done
  int32_t num_open = 0;
  for (size_t s = 1; s < num_states; ++s) {
    if (!is_exit[s]) number[s] = is_open[s] ? num_open++ : num_done_++;
  }

  // Arcs from states that are done to the open ones that were determinised again.
  std::vector<size_t> entry(forward_of_open.size(), num_arcs);
  for (size_t a = 0; a < num_arcs && chunk.sources[a] == 0; ++a) {
    entry[NumberOf(chunk.words[a])] = a;
  }
  const auto tids_begin = [&chunk](size_t a) { return chunk.tids.begin() + chunk.tid_offsets[a]; };
  std::vector<PendingArc> pending;
  const auto add = [&](PendingArc&& arc, int32_t target) {
    arc.target = number[target];
    if (is_open[target]) {
      pending.push_back(std::move(arc));
    } else if (arc.source == kStart) {
      before_start_ = std::move(arc);
    } else {
      AddDone(arc);
    }
  };
  for (PendingArc& arc : pending_) {
    const size_t a = entry[arc.target];
    if (a == num_arcs) continue;
    const Weight weight = weight_of(a) - Weight{forward_of_open[arc.target], 0.0};
    arc.weight = arc.weight + weight;
    arc.forward += order_.Total(weight);
    arc.tids.insert(arc.tids.end(), tids_begin(a), tids_begin(a + 1));
    add(std::move(arc), chunk.targets[a]);
  }
  open_arcs_.clear();
  for (size_t a = 0; a < num_arcs; ++a) {
    const int32_t source = chunk.sources[a];
    const int32_t word = chunk.words[a];
    if (source == 0) continue;
    std::vector<int32_t> tids(tids_begin(a), tids_begin(a + 1));
    if (is_open[source]) {
      const bool leaves = IsLabel(word);
      open_arcs_.push_back({number[source], leaves ? NumberOf(word) : number[chunk.targets[a]],
                            leaves ? 0 : word, weight_of(a), std::move(tids)});
    } else {
      const double cost = forward[source] + order_.Total(weight_of(a));
      add({number[source], 0, word, cost, weight_of(a), std::move(tids)}, chunk.targets[a]);
    }
  }
  if (last) {
    for (size_t s = 1; s < num_states; ++s) {
      if (chunk.final_graph_costs[s] == kInfinity) continue;
      const auto begin = chunk.final_tids.begin();
      const int64_t first = chunk.final_tid_offsets[s];
      const int64_t end = chunk.final_tid_offsets[s + 1];
      done_finals_.push_back({number[s],
                              {chunk.final_graph_costs[s], chunk.final_acoustic_costs[s]},
                              done_tids_.size(),
                              static_cast<uint32_t>(end - first)});
      done_tids_.insert(done_tids_.end(), begin + first, begin + end);
    }
  }
  // Only differences count: small numbers are exact.
  double least = kInfinity;
  for (const PendingArc& arc : pending) least = std::min(least, arc.forward);
  for (PendingArc& arc : pending) arc.forward -= least;
  pending_ = std::move(pending);
  num_open_ = num_open;
}

void IncrementalDeterminizer::AddDone(const PendingArc& arc) {
  done_arcs_.push_back({arc.source, arc.target, arc.word, arc.weight, done_tids_.size(),
                        static_cast<uint32_t>(arc.tids.size())});
  done_tids_.insert(done_tids_.end(), arc.tids.begin(), arc.tids.end());
}

// What lies on paths within the beam. The start is state 0: as long as it is open, all others are.
CompactArrays IncrementalDeterminizer::Output() const {
  const size_t n = static_cast<size_t>(num_done_);
  std::vector<size_t> first(n + 1, 0);
  for (const DoneArc& arc : done_arcs_) ++first[arc.source + 1];
  for (size_t s = 0; s < n; ++s) first[s + 1] += first[s];
  std::vector<const DoneArc*> arcs(done_arcs_.size());
  {
    std::vector<size_t> next(first.begin(), first.end() - 1);
    for (const DoneArc& arc : done_arcs_) arcs[next[arc.source]++] = &arc;
  }
  std::vector<const DoneFinal*> finals(n, nullptr);
  for (const DoneFinal& final : done_finals_) finals[final.state] = &final;
  // What comes before the start state goes to all that leaves it.
  const auto weight_of = [this](int32_t state, const Weight& weight) {
    return state == 0 ? before_start_.weight + weight : weight;
  };
  std::vector<double> backward(n, kInfinity);
  for (size_t s = n; s-- > 0;) {
    const int32_t state = static_cast<int32_t>(s);
    if (finals[s] != nullptr) backward[s] = order_.Total(weight_of(state, finals[s]->weight));
    for (size_t a = first[s]; a < first[s + 1]; ++a) {
      const double cost = order_.Total(weight_of(state, arcs[a]->weight));
      backward[s] = std::min(backward[s], cost + backward[arcs[a]->target]);
    }
  }
  // How much more than the best the best path with a way out of a state costs: beside what the
  // state costs (extras), what the way costs more than the state's best one, which is exactly zero
  // for that. So all that is kept lies on a path that is kept.
  const double beam = std::min(config_.beam, 1e30) + 1e-9 * (1.0 + std::fabs(backward[0]));
  std::vector<double> extras(n, kInfinity);
  extras[0] = 0.0;
  const auto extra_of_arc = [&](size_t s, const DoneArc& arc) {
    const double cost = order_.Total(weight_of(static_cast<int32_t>(s), arc.weight));
    return extras[s] + (cost + backward[arc.target] - backward[s]);
  };

  CompactArrays out;
  out.beam = beam_;
  std::vector<int32_t> number(n, -1);
  std::vector<int32_t> frames(n, 0);
  int32_t count = 0;
  for (size_t s = 0; s < n; ++s) {
    if (extras[s] > beam) continue;
    number[s] = count++;
    for (size_t a = first[s]; a < first[s + 1]; ++a) {
      double& extra = extras[arcs[a]->target];
      extra = std::min(extra, extra_of_arc(s, *arcs[a]));
    }
  }
  const auto append = [this](int32_t state, size_t begin, uint32_t length,
                             std::vector<int32_t>* tids) {
    if (state == 0) {
      tids->insert(tids->end(), before_start_.tids.begin(), before_start_.tids.end());
    }
    const auto from = done_tids_.begin() + static_cast<std::ptrdiff_t>(begin);
    tids->insert(tids->end(), from, from + length);
  };
  out.tid_offsets.push_back(0);
  out.final_tid_offsets.push_back(0);
  for (size_t s = 0; s < n; ++s) {
    if (number[s] < 0) continue;
    const int32_t state = static_cast<int32_t>(s);
    out.state_frames.push_back(frames[s]);
    Weight final_weight{kInfinity, 0.0};
    if (finals[s] != nullptr) {
      const Weight weight = weight_of(state, finals[s]->weight);
      if (extras[s] + (order_.Total(weight) - backward[s]) <= beam) {
        final_weight = weight;
        append(state, finals[s]->tids, finals[s]->num_tids, &out.final_tids);
      }
    }
    out.final_graph_costs.push_back(final_weight.graph);
    out.final_acoustic_costs.push_back(final_weight.acoustic);
    out.final_tid_offsets.push_back(static_cast<int64_t>(out.final_tids.size()));
    for (size_t a = first[s]; a < first[s + 1]; ++a) {
      const DoneArc& arc = *arcs[a];
      if (extra_of_arc(s, arc) > beam) continue;
      const Weight weight = weight_of(state, arc.weight);
      out.sources.push_back(number[s]);
      out.targets.push_back(number[arc.target]);
      out.words.push_back(arc.word);
      out.graph_costs.push_back(weight.graph);
      out.acoustic_costs.push_back(weight.acoustic);
      append(state, arc.tids, arc.num_tids, &out.tids);
      const int64_t end = static_cast<int64_t>(out.tids.size());
      frames[arc.target] = frames[s] + static_cast<int32_t>(end - out.tid_offsets.back());
      out.tid_offsets.push_back(end);
    }
  }
  return out;
}

size_t IncrementalDeterminizer::open_bytes() const {
  size_t bytes = open_arcs_.capacity() * sizeof(OpenArc) + pending_.capacity() * sizeof(PendingArc);
  for (const OpenArc& arc : open_arcs_) bytes += arc.tids.capacity() * sizeof(int32_t);
  for (const PendingArc& arc : pending_) bytes += arc.tids.capacity() * sizeof(int32_t);
  return bytes;
}

size_t IncrementalDeterminizer::done_bytes() const {
  return done_arcs_.capacity() * sizeof(DoneArc) + done_finals_.capacity() * sizeof(DoneFinal) +
         done_tids_.capacity() * sizeof(int32_t);
}

}  // namespace decoding
