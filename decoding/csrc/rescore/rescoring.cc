#include "decoding/csrc/rescore/rescoring.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace decoding {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kFirstFiniteBeam = 16.0;
constexpr double kSmallestBeam = 1e-3;

uint64_t Hash(uint32_t a, uint32_t b) { return MixHash(static_cast<uint64_t>(a) << 32 | b); }

}  // namespace

uint32_t Rescoring::Memo::Find(uint32_t history, int32_t word) {
  return numbers_.FindOrAdd(
      Hash(history, static_cast<uint32_t>(word)),
      [&](uint32_t i) { return answers_[i].history == history && answers_[i].word == word; },
      [&] {
        Answer answer = {history, word, 0, 0.0};
        answer.log_prob = word == ScoreError::kEnd ? model_.Final(history)
                                                   : model_.Score(history, word, &answer.next);
        answers_.push_back(answer);
        return static_cast<uint32_t>(answers_.size() - 1);
      });
}

double Rescoring::Memo::Score(uint32_t history, int32_t word, uint32_t* next) {
  const Answer& answer = answers_[Find(history, word)];
  *next = answer.next;
  return answer.log_prob;
}

double Rescoring::Memo::Final(uint32_t history) {
  return answers_[Find(history, ScoreError::kEnd)].log_prob;
}

void Rescoring::Expand(const RescoreConfig& config) {
  RescoreConfig tried = config;
  stats_ = {};
  // Every state keeps a history, so that there are no fewer arcs than the lattice has.
  if (static_cast<size_t>(lattice_.arc_offsets[lattice_.num_states]) > config.max_arcs) {
    stats_.hit_max_arcs = tried.beam > kSmallestBeam;
    tried.beam = std::min(tried.beam, kSmallestBeam);
  }
  while (!TryToExpand(tried)) {
    stats_.hit_max_arcs = true;
    tried.beam = tried.beam == kInfinity ? kFirstFiniteBeam : tried.beam / 2;
  }
  stats_.beam = tried.beam;
  stats_.states = expanded_.size();
  stats_.arcs = arcs_.size();
}

bool Rescoring::TryToExpand(const RescoreConfig& config) {
  const bool may_shrink = config.beam > kSmallestBeam;
  nodes_.clear();
  arcs_.clear();
  expanded_.clear();
  numbers_.Clear();
  first_.assign(lattice_.num_states, kNone);
  last_.assign(lattice_.num_states, kNone);
  best_final_ = kNone;
  best_cost_ = kInfinity;
  stats_.dropped = 0;
  nodes_[FindOrAddNode(0, old_.Start(), new_.Start())].cost = 0.0;
  for (int32_t state = 0; state < lattice_.num_states; ++state) {
    double limit = kInfinity;
    for (uint32_t node = first_[state]; node != kNone; node = nodes_[node].next) {
      limit = std::min(limit, nodes_[node].cost + config.beam);
    }
    for (uint32_t node = first_[state]; node != kNone; node = nodes_[node].next) {
      if (nodes_[node].cost > limit) {
        ++stats_.dropped;
        continue;
      }
      expanded_.push_back(node);
      ExpandNode(node, config);
      if (may_shrink && arcs_.size() > config.max_arcs) return false;
    }
  }
  return true;
}

void Rescoring::ExpandNode(uint32_t node, const RescoreConfig& config) {
  // A copy: nodes_ grows.
  const Node source = nodes_[node];
  if (lattice_.final_graph_costs[source.state] < kInfinity) Finish(node, config);
  nodes_[node].first_arc = static_cast<uint32_t>(arcs_.size());
  const int64_t last_arc = lattice_.arc_offsets[source.state + 1];
  for (int64_t arc = lattice_.arc_offsets[source.state]; arc < last_arc; ++arc) {
    const int32_t word = lattice_.words[arc];
    uint32_t old_next = source.old_history;
    uint32_t new_next = source.new_history;
    double graph_cost = lattice_.graph_costs[arc];
    if (word != WordLatticeView::kNoWord) {
      const double old_log_prob = old_.Score(source.old_history, word, &old_next);
      const double new_log_prob = new_.Score(source.new_history, word, &new_next);
      graph_cost += old_log_prob - config.lm_scale * new_log_prob + config.word_insertion_penalty;
      if (!std::isfinite(graph_cost)) throw ScoreError(word, old_log_prob, new_log_prob);
    }
    const double cost =
        source.cost + graph_cost + config.acoustic_scale * lattice_.acoustic_costs[arc];
    const uint32_t target = FindOrAddNode(lattice_.targets[arc], old_next, new_next);
    if (arcs_.size() == kNone) {
      throw std::overflow_error("rescoring: expected fewer than 2^32 - 1 arcs");
    }
    if (cost < nodes_[target].cost) {
      nodes_[target].cost = cost;
      nodes_[target].back = static_cast<uint32_t>(arcs_.size());
    }
    arcs_.push_back({node, target, arc, graph_cost});
  }
}

void Rescoring::Finish(uint32_t node, const RescoreConfig& config) {
  Node& ending = nodes_[node];
  ending.final_cost = lattice_.final_graph_costs[ending.state];
  if (lattice_.ends) {
    const double old_log_prob = old_.Final(ending.old_history);
    const double new_log_prob = new_.Final(ending.new_history);
    ending.final_cost += old_log_prob - config.lm_scale * new_log_prob;
    if (!std::isfinite(ending.final_cost)) {
      throw ScoreError(ScoreError::kEnd, old_log_prob, new_log_prob);
    }
  }
  const double cost = ending.cost + ending.final_cost +
                      config.acoustic_scale * lattice_.final_acoustic_costs[ending.state];
  if (cost < best_cost_) {
    best_cost_ = cost;
    best_final_ = node;
  }
}

uint32_t Rescoring::FindOrAddNode(int32_t state, uint32_t old_history, uint32_t new_history) {
  const uint64_t hash =
      MixHash(Hash(old_history, new_history) + static_cast<uint32_t>(state));
  return numbers_.FindOrAdd(
      hash,
      [&](uint32_t i) {
        const Node& node = nodes_[i];
        return node.state == state && node.old_history == old_history &&
               node.new_history == new_history;
      },
      [&] {
        const uint32_t node = static_cast<uint32_t>(nodes_.size());
        nodes_.push_back(
            {state, old_history, new_history, kNone, kNone, 0, kInfinity, kInfinity});
        (first_[state] == kNone ? first_[state] : nodes_[last_[state]].next) = node;
        last_[state] = node;
        return node;
      });
}

ExpandedPath Rescoring::BestPath() const {
  if (best_final_ == kNone) {
    throw std::invalid_argument("lattice: expected a path from the start to a final state");
  }
  ExpandedPath path;
  path.graph_cost = nodes_[best_final_].final_cost;
  for (uint32_t node = best_final_; nodes_[node].back != kNone;) {
    const ExpandedArc& arc = arcs_[nodes_[node].back];
    path.graph_cost += arc.graph_cost;
    path.arcs.push_back(arc.arc);
    node = arc.source;
  }
  std::reverse(path.arcs.begin(), path.arcs.end());
  return path;
}

ExpandedLattice Rescoring::Lattice() const {
  ExpandedLattice lattice;
  // Nodes that lead to an end; what the beam dropped leads nowhere.
  std::vector<char> ends(nodes_.size(), 0);
  size_t arc = arcs_.size();
  for (auto node = expanded_.rbegin(); node != expanded_.rend(); ++node) {
    bool reached = nodes_[*node].final_cost < kInfinity;
    for (; arc > nodes_[*node].first_arc; --arc) reached |= ends[arcs_[arc - 1].target] != 0;
    ends[*node] = reached;
  }
  std::vector<int32_t> numbers(nodes_.size(), -1);
  for (const uint32_t node : expanded_) {
    if (!ends[node]) continue;
    numbers[node] = static_cast<int32_t>(lattice.states.size());
    lattice.states.push_back(nodes_[node].state);
    lattice.final_costs.push_back(nodes_[node].final_cost);
  }
  for (const ExpandedArc& each : arcs_) {
    if (!ends[each.source] || !ends[each.target]) continue;
    lattice.sources.push_back(numbers[each.source]);
    lattice.targets.push_back(numbers[each.target]);
    lattice.arcs.push_back(each.arc);
    lattice.graph_costs.push_back(each.graph_cost);
  }
  return lattice;
}

}  // namespace decoding
