// The composition of a graph without language model with an n-gram automaton, state by state.
#ifndef DECODING_CSRC_ON_THE_FLY_COMPOSITION_H_
#define DECODING_CSRC_ON_THE_FLY_COMPOSITION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "decoding/csrc/on_the_fly/arc_words.h"
#include "decoding/csrc/on_the_fly/hcl_graph.h"
#include "decoding/csrc/look_ahead/look_ahead.h"
#include "decoding/csrc/on_the_fly/phrase_histories.h"
#include "decoding/csrc/on_the_fly/transition_cache.h"

namespace decoding {

// A state of the composition: of the graph, and a history of the automaton. With phrases, a history
// is one of PhraseHistories.
struct ComposedState {
  uint32_t graph;  // without flag
  uint32_t history;
  float look_ahead;  // part of the cost of every path to here: what the next word costs at least
};

// Makes the transitions of composed states that depend on the language model, and caches them.
// Plain arcs, on which neither history nor look-ahead changes, are read from the graph instead.
class Composition {
 public:
  // Automata may have n-grams of this order at most: a level takes the 5 bits below the highest of
  // ComposedTransition::arc, which is free, and a state has a list of transitions for each level.
  static constexpr unsigned kMaxOrder = TransitionChain::kMaxLists;

  // epsilon: whether every word may be reached by backing off first, as by epsilon arcs. Then a
  // word has a transition for each back-off of the history where it is explicit, numbered by level,
  // except where a transition before, to a longer history, is as cheap with backing off later.
  // max_bytes bounds what is cached between frames. histories: where phrases have a bonus, or
  // nullptr; shared by all compositions that a search may use.
  Composition(const HclGraph& graph, const LookAheadClasses& classes, const ArcWords& lm_arc_words,
              const ArcWords& epsilon_words, bool epsilon, size_t max_bytes,
              PhraseHistories* histories);
  Composition(const Composition&) = delete;
  Composition& operator=(const Composition&) = delete;

  ComposedState Start();
  // The number of the state's list of transitions, emitting ones cheapest first. Valid until Trim.
  uint32_t FindTransitions(uint32_t graph_state, uint32_t history);
  // TransitionCache::kUnknown if it has not been asked for before.
  uint32_t CachedTransitions(const ComposedState& state) {
    return cache_.Find(state.graph, state.history);
  }
  void PrefetchTransitions(const ComposedState& state) const {
    cache_.Prefetch(state.graph, state.history);
  }
  const TransitionList& transitions(uint32_t number) const { return cache_.list(number); }
  // With the transitions that the list inherits.
  TransitionChain chain(uint32_t number) const { return TransitionChain(cache_, number); }
  // The graph's arc of a transition.
  const HclGraph::LmArc& Arc(uint32_t graph_state, bool epsilon, uint32_t transition_arc) const {
    const HclGraph::State& state = graph_.state(graph_state);
    const uint32_t number = transition_arc & kArcMask;
    return epsilon ? graph_.epsilons()[state.epsilons + number]
                   : graph_.lm_arcs()[state.lm_arcs + number];
  }
  // Cost of a transition's arc and of the language model, without look-ahead.
  float Cost(const ComposedState& state, bool epsilon, uint32_t transition_arc);
  // Without look-ahead, which is zero where a sentence may end.
  float FinalCost(const ComposedState& state) const;
  // Empties the caches if they have become too large; returns whether numbers of transitions
  // became invalid.
  bool Trim();
  // Another one, in the whole process, whenever numbers of transitions became invalid.
  uint64_t generation() const { return generation_; }

 private:
  static constexpr unsigned kLevelShift = 26;
  static constexpr uint32_t kArcMask = (1u << kLevelShift) - 1;
  using Transitions = std::vector<ComposedTransition>;

  struct Arcs {  // of one kind, that leave a state
    const HclGraph::LmArc* begin;
    uint32_t count;
  };

  bool MarkOwn(uint32_t history, const LookAhead::Range& words, const ArcWords& arc_words,
               uint32_t first, const Arcs& arcs, uint64_t* bits);
  void Compose(uint32_t graph_state, uint32_t history, const Arcs& arcs, const uint64_t* bits,
               Transitions* out);
  void ComposeWord(uint32_t state_history, const HclGraph::LmArc& arc, uint32_t number,
                   Transitions* out);
  void Add(const HclGraph::LmArc& arc, uint32_t transition_arc, float cost,
           const LookAheadScore& score, Transitions* out);
  LookAheadScore FindScore(uint32_t history, uint32_t of_class);
  float BackOff(uint32_t history, uint32_t to) const;
  const ComposedTransition& Find(const ComposedState& state, bool epsilon,
                                 uint32_t transition_arc);
  void AddWord(uint32_t state_history, const HclGraph::LmArc& arc, uint32_t transition_arc,
               float cost, uint32_t history, Transitions* out);
  uint32_t LmHistory(uint32_t history) const {
    return histories_ == nullptr ? history : histories_->lm_history(history);
  }

  const HclGraph& graph_;
  const LookAheadClasses& classes_;
  const lm::Automaton& automaton_;
  const ArcWords& lm_arc_words_;
  const ArcWords& epsilon_words_;
  const bool epsilon_;
  uint64_t generation_;
  PhraseHistories* const histories_;  // nullptr: there are no phrases
  LookAhead look_ahead_;
  TransitionCache cache_;
  Transitions epsilons_;
  Transitions emitting_;
  std::vector<uint64_t> bits_;
  std::vector<uint32_t> asked_;
  std::vector<LookAheadScore> scores_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_ON_THE_FLY_COMPOSITION_H_
