#include "decoding/csrc/on_the_fly/composition.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace decoding {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

uint64_t NextGeneration() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace

Composition::Composition(const HclGraph& graph, const LookAheadClasses& classes,
                         const ArcWords& lm_arc_words, const ArcWords& epsilon_words, bool epsilon,
                         size_t max_bytes, PhraseHistories* histories)
    : graph_(graph),
      classes_(classes),
      automaton_(classes.automaton()),
      lm_arc_words_(lm_arc_words),
      epsilon_words_(epsilon_words),
      epsilon_(epsilon),
      generation_(NextGeneration()),
      histories_(histories),
      look_ahead_(classes, max_bytes / 4),
      cache_(max_bytes / 4 * 3) {}

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

// Most arcs' words are not explicit after most histories: what such arcs cost differs from what they
// cost after a shorter history only in the cost of backing off to it.
uint32_t Composition::FindTransitions(uint32_t graph_state, uint32_t history) {
  const uint32_t cached = cache_.Find(graph_state, history);
  if (cached != TransitionCache::kUnknown) return cached;
  const HclGraph::State& here = graph_.state(graph_state);
  const HclGraph::State& after = graph_.state(graph_state + 1);
  const Arcs epsilons{graph_.epsilons() + here.epsilons, after.epsilons - here.epsilons};
  const Arcs emitting{graph_.lm_arcs() + here.lm_arcs, after.lm_arcs - here.lm_arcs};
  const size_t emitting_words = (emitting.count + 63) / 64;
  bits_.assign(emitting_words + (epsilons.count + 63) / 64, 0);
  // Within a phrase, every transition leads to a history of its own.
  const bool may_inherit = !epsilon_ && LmHistory(history) == history &&
                           history != lm::Automaton::kEmpty &&
                           emitting.count <= TransitionCache::kMaxArcs &&
                           epsilons.count <= TransitionCache::kMaxArcs;
  bool all_own = !may_inherit;
  if (may_inherit) {
    const LookAhead::Range words = look_ahead_.FindExplicit(history, here.of_class);
    const bool all_emitting =
        MarkOwn(history, words, lm_arc_words_, here.lm_arcs, emitting, bits_.data());
    const bool all_epsilons = MarkOwn(history, words, epsilon_words_, here.epsilons, epsilons,
                                      bits_.data() + emitting_words);
    all_own = all_emitting && all_epsilons;
  }
  const uint64_t* const bits = all_own ? nullptr : bits_.data();
  epsilons_.clear();
  emitting_.clear();
  Compose(graph_state, history, epsilons, all_own ? nullptr : bits + emitting_words, &epsilons_);
  Compose(graph_state, history, emitting, bits, &emitting_);
  std::sort(emitting_.begin(), emitting_.end(),
            [](const ComposedTransition& a, const ComposedTransition& b) {
              return a.cost < b.cost || (a.cost == b.cost && a.arc < b.arc);
            });
  if (all_own) bits_.clear();
  const uint32_t number =
      cache_.Add(graph_state, history, epsilons_, emitting_, bits_, all_own ? 0 : emitting_words);
  if (!all_own) {
    const uint32_t shorter = FindTransitions(graph_state, automaton_.backoff_state(history));
    cache_.Inherit(number, shorter, -automaton_.backoff(history));
  }
  return number;
}

// Sets the bits of the arcs, from arc `first` of all on, whose transitions are not those after a
// shorter history; returns whether all are set. words: those that are explicit after the history.
bool Composition::MarkOwn(uint32_t history, const LookAhead::Range& words,
                          const ArcWords& arc_words, uint32_t first, const Arcs& arcs,
                          uint64_t* bits) {
  arc_words.Mark(first, arcs.count, words, bits);
  uint32_t num_own = 0;
  for (uint32_t i = 0; i < arcs.count; ++i) {
    uint64_t& bits_of_arc = bits[i / 64];
    const uint64_t bit = uint64_t{1} << i % 64;
    const uint32_t word = arcs.begin[i].word;
    const bool is_class = word & HclGraph::kIsClass;
    if (bits_of_arc & bit) {
      // The words of a class may have gaps.
      const uint32_t of_class = word & ~HclGraph::kIsClass;
      if (is_class && classes_.end(of_class) - classes_.begin(of_class) > 1 &&
          !look_ahead_.HasExplicit(history, words, of_class)) {
        bits_of_arc &= ~bit;
      }
    } else if (histories_ != nullptr && !is_class && histories_->Begins(arcs.begin[i].output)) {
      bits_of_arc |= bit;
    }
    num_own += (bits_of_arc & bit) != 0;
  }
  return num_own == arcs.count;
}

// The transitions of the arcs whose bits are set; bits: nullptr for all.
void Composition::Compose(uint32_t graph_state, uint32_t history, const Arcs& arcs,
                          const uint64_t* bits, Transitions* out) {
  const auto is_wanted = [bits](uint32_t i) { return bits == nullptr || (bits[i / 64] >> i % 64 & 1); };
  // The look-ahead of all arcs without a word at once.
  asked_.clear();
  for (uint32_t i = 0; i < arcs.count; ++i) {
    const uint32_t word = arcs.begin[i].word;
    if (is_wanted(i) && (word & HclGraph::kIsClass)) asked_.push_back(word & ~HclGraph::kIsClass);
  }
  scores_.resize(asked_.size());
  if (!asked_.empty()) {
    look_ahead_.Find(LmHistory(history), graph_.state(graph_state).of_class, asked_.data(),
                     asked_.size(), scores_.data());
  }
  const LookAheadScore* score = scores_.data();
  for (uint32_t i = 0; i < arcs.count; ++i) {
    if (!is_wanted(i)) continue;
    const HclGraph::LmArc& arc = arcs.begin[i];
    if (arc.word & HclGraph::kIsClass) {
      LookAheadScore after = *score++;
      if (histories_ != nullptr) {
        after.state = histories_->Find(after.state, histories_->node(history));
      }
      Add(arc, i, 0.0f, after, out);
    } else {
      ComposeWord(history, arc, i, out);
    }
  }
}

inline LookAheadScore Composition::FindScore(uint32_t history, uint32_t of_class) {
  LookAheadScore score;
  look_ahead_.Find(history, of_class, &of_class, 1, &score);
  return score;
}

inline void Composition::Add(const HclGraph::LmArc& arc, uint32_t transition_arc, float cost,
                             const LookAheadScore& score, Transitions* out) {
  if (score.best == kInfinity) return;
  const float total = arc.cost + (cost + score.backoff + score.best);
  out->push_back({arc.next, score.state, score.best, total, arc.label & MappedGraph::kPdfMask,
                  transition_arc});
}

// A transition of a word that leads to a history of the automaton at this cost.
inline void Composition::AddWord(uint32_t state_history, const HclGraph::LmArc& arc,
                                 uint32_t transition_arc, float cost, uint32_t history,
                                 Transitions* out) {
  LookAheadScore score =
      FindScore(history, graph_.state(arc.next & ~HclGraph::kHasLmArcs).of_class);
  if (histories_ != nullptr) {
    const Phrases::Step step = histories_->Next(state_history, arc.output);
    cost -= step.bonus;
    score.state = histories_->Find(score.state, step.node);
  }
  Add(arc, transition_arc, cost, score, out);
}

void Composition::ComposeWord(uint32_t state_history, const HclGraph::LmArc& arc, uint32_t number,
                              Transitions* out) {
  uint32_t history = LmHistory(state_history);
  if (!epsilon_) {
    uint32_t next = 0;
    const float cost = -automaton_.Advance(history, arc.word, &next);
    AddWord(state_history, arc, number, cost, next, out);
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
        AddWord(state_history, arc, number | level << kLevelShift, cost, floor_history, out);
      }
    }
    if (history == lm::Automaton::kEmpty) return;
    backoff -= automaton_.backoff(history);
    history = automaton_.backoff_state(history);
  }
}

// A transition that the state has.
const ComposedTransition& Composition::Find(const ComposedState& state, bool epsilon,
                                            uint32_t transition_arc) {
  TransitionChain lists = chain(FindTransitions(state.graph, state.history));
  do {
    const TransitionList& list = lists.list();
    const ComposedTransition* const end = epsilon ? list.emitting() : list.end();
    const ComposedTransition* transition = epsilon ? list.epsilons() : list.emitting();
    for (; transition != end; ++transition) {
      if (transition->arc == transition_arc) return *transition;
    }
  } while (lists.Next());
  throw std::logic_error("composition: expected a transition of the state");
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
  const uint32_t target = LmHistory(Find(state, epsilon, transition_arc).history);
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
