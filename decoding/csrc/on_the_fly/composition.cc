#include "decoding/csrc/on_the_fly/composition.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

namespace decoding {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

uint64_t NextGeneration() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace

Composition::Composition(const HclGraph& graph, const LookAheadClasses& classes, bool epsilon,
                         size_t max_bytes, PhraseHistories* histories)
    : graph_(graph),
      automaton_(classes.automaton()),
      epsilon_(epsilon),
      generation_(NextGeneration()),
      histories_(histories),
      look_ahead_(classes, max_bytes / 2),
      cache_(max_bytes / 2) {}

ComposedState Composition::Start() {
  const uint32_t start = graph_.mapped().start();
  const uint32_t history = automaton_.start();
  const LookAheadScore score = FindScore(history, graph_.state(start).of_class);
  // The history stays as it is, even if every word has to back off: there is no link yet to carry
  // what that costs.
  const float look_ahead = score.best < kInfinity ? score.backoff + score.best : 0.0f;
  return {start, history, look_ahead};
}

bool Composition::Trim() {
  look_ahead_.Trim();
  if (!cache_.Trim()) return false;
  generation_ = NextGeneration();
  return true;
}

uint32_t Composition::FindTransitions(const ComposedState& state) {
  const uint32_t cached = cache_.Find(state.graph, state.history);
  if (cached != TransitionCache::kUnknown) return cached;
  const HclGraph::State& here = graph_.state(state.graph);
  const HclGraph::State& after = graph_.state(state.graph + 1);
  epsilons_.clear();
  emitting_.clear();
  Compose(state, graph_.epsilons() + here.epsilons, after.epsilons - here.epsilons, &epsilons_);
  Compose(state, graph_.lm_arcs() + here.lm_arcs, after.lm_arcs - here.lm_arcs, &emitting_);
  std::sort(emitting_.begin(), emitting_.end(),
            [](const ComposedTransition& a, const ComposedTransition& b) {
              return a.cost < b.cost || (a.cost == b.cost && a.arc < b.arc);
            });
  return cache_.Add(state.graph, state.history, epsilons_, emitting_);
}

void Composition::Compose(const ComposedState& state, const HclGraph::LmArc* arcs, uint32_t count,
                          Transitions* out) {
  // The look-ahead of all arcs without a word at once.
  asked_.clear();
  for (uint32_t i = 0; i < count; ++i) {
    if (arcs[i].word & HclGraph::kIsClass) asked_.push_back(arcs[i].word & ~HclGraph::kIsClass);
  }
  scores_.resize(asked_.size());
  if (!asked_.empty()) {
    look_ahead_.Find(LmHistory(state.history), graph_.state(state.graph).of_class,
                     asked_.data(), asked_.size(), scores_.data());
  }
  const LookAheadScore* score = scores_.data();
  for (uint32_t i = 0; i < count; ++i) {
    if (arcs[i].word & HclGraph::kIsClass) {
      LookAheadScore after = *score++;
      if (histories_ != nullptr) {
        after.state = histories_->Find(after.state, histories_->node(state.history));
      }
      Add(state, arcs[i], i, 0.0f, after, out);
    } else {
      ComposeWord(state, arcs[i], i, out);
    }
  }
}

inline LookAheadScore Composition::FindScore(uint32_t history, uint32_t of_class) {
  LookAheadScore score;
  look_ahead_.Find(history, of_class, &of_class, 1, &score);
  return score;
}

inline void Composition::Add(const ComposedState& state, const HclGraph::LmArc& arc,
                             uint32_t transition_arc, float cost, const LookAheadScore& score,
                             Transitions* out) {
  if (score.best == kInfinity) return;
  const float total = arc.cost + (cost + score.backoff + (score.best - state.look_ahead));
  out->push_back({arc.next, score.state, score.best, total, arc.label & MappedGraph::kPdfMask,
                  transition_arc});
}

// A transition of a word that leads to a history of the automaton at this cost.
inline void Composition::AddWord(const ComposedState& state, const HclGraph::LmArc& arc,
                                 uint32_t transition_arc, float cost, uint32_t history,
                                 Transitions* out) {
  LookAheadScore score =
      FindScore(history, graph_.state(arc.next & ~HclGraph::kHasLmArcs).of_class);
  if (histories_ != nullptr) {
    const Phrases::Step step = histories_->Next(state.history, arc.output);
    cost -= step.bonus;
    score.state = histories_->Find(score.state, step.node);
  }
  Add(state, arc, transition_arc, cost, score, out);
}

void Composition::ComposeWord(const ComposedState& state, const HclGraph::LmArc& arc,
                              uint32_t number, Transitions* out) {
  uint32_t history = LmHistory(state.history);
  if (!epsilon_) {
    uint32_t next = 0;
    const float cost = -automaton_.Advance(history, arc.word, &next);
    AddWord(state, arc, number, cost, next, out);
    return;
  }
  float backoff = 0.0f;
  float floor = kInfinity;  // cost of the transition before, backed off to floor_history
  uint32_t floor_history = 0;
  for (uint32_t level = 0;; ++level) {
    if (const lm::Arc* const explicit_arc = automaton_.Find(history, arc.word)) {
      const float cost = backoff - explicit_arc->log_prob;
      // Both are suffixes of the same words, and back-offs descend.
      while (floor < kInfinity && floor_history > explicit_arc->next) {
        floor -= automaton_.backoff(floor_history);
        floor_history = automaton_.backoff_state(floor_history);
      }
      if (!(floor_history == explicit_arc->next && floor <= cost)) {
        floor = cost;
        floor_history = explicit_arc->next;
        AddWord(state, arc, number | level << kLevelShift, cost, floor_history, out);
      }
    }
    if (history == lm::Automaton::kEmpty) return;
    backoff -= automaton_.backoff(history);
    history = automaton_.backoff_state(history);
  }
}

// Cost of backing off from a history to one of its suffixes.
float Composition::BackOff(uint32_t history, uint32_t to) const {
  float cost = 0.0f;
  while (history != to) {
    cost -= automaton_.backoff(history);
    history = automaton_.backoff_state(history);
  }
  return cost;
}

float Composition::Cost(const ComposedState& state, bool epsilon, uint32_t transition_arc) {
  const HclGraph::LmArc& arc = Arc(state.graph, epsilon, transition_arc);
  const TransitionList& list = transitions(FindTransitions(state));
  const ComposedTransition* transition = epsilon ? list.epsilons() : list.emitting();
  while (transition->arc != transition_arc) ++transition;
  const uint32_t target = LmHistory(transition->history);
  uint32_t history = LmHistory(state.history);
  if (arc.word & HclGraph::kIsClass) return arc.cost + BackOff(history, target);
  uint32_t next = 0;
  float cost = 0.0f;
  if (epsilon_) {
    for (uint32_t level = transition_arc >> kLevelShift; level > 0; --level) {
      cost -= automaton_.backoff(history);
      history = automaton_.backoff_state(history);
    }
  }
  cost -= automaton_.Advance(history, arc.word, &next);
  cost += BackOff(next, target);
  if (histories_ != nullptr) cost -= histories_->Next(state.history, arc.output).bonus;
  return arc.cost + cost;
}

float Composition::FinalCost(const ComposedState& state) const {
  float cost = graph_.mapped().final_cost(state.graph);
  if (cost == kInfinity) return kInfinity;
  if (histories_ != nullptr) cost += histories_->advance(state.history);
  const uint32_t last = LmHistory(state.history);
  if (!epsilon_) return cost - automaton_.Final(last);
  float best = kInfinity;
  float backoff = 0.0f;
  for (uint32_t history = last;; history = automaton_.backoff_state(history)) {
    const float log_prob = automaton_.explicit_final(history);
    if (!std::isnan(log_prob)) best = std::min(best, backoff - log_prob);
    if (history == lm::Automaton::kEmpty) return cost + best;
    backoff -= automaton_.backoff(history);
  }
}

}  // namespace decoding
