#include "decoding/csrc/on_the_fly/on_the_fly_search.h"

#include <limits>
#include <utility>

namespace decoding {

namespace {

// How many tokens ahead memory is prefetched, so that states, arcs and transitions are in the cache
// when their turn comes.
constexpr size_t kStatesAhead = 24;
constexpr size_t kNumbersAhead = 16;
constexpr size_t kArcsAhead = 8;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr uint32_t kNone = TransitionCache::kNone;
constexpr uint32_t kUnknown = TransitionCache::kUnknown;

}  // namespace

inline OnTheFlyState OnTheFlySearch::StateOf(uint32_t flagged_next, uint32_t history,
                                             float look_ahead) {
  OnTheFlyState state;
  state.graph = flagged_next & ~HclGraph::kHasLmArcs;
  state.history = history;
  state.look_ahead = look_ahead;
  state.transitions = flagged_next & HclGraph::kHasLmArcs ? kUnknown : kNone;
  return state;
}

// A link's arc is its number among its state's arcs of its kind.
LinkValue OnTheFlySearch::Resolve(const RawFrame& frame, const RawLink& link, bool epsilon) {
  const OnTheFlyState& state = frame.tokens[link.source].state;
  if (epsilon) {
    const HclGraph::LmArc& arc = composition().Arc(state.graph, true, link.arc);
    return {0, static_cast<int32_t>(arc.output), composition().Cost(state, true, link.arc), 0.0f};
  }
  if (!(link.arc & kIsComposed)) {
    const HclGraph::PlainArc& arc = graph_.plain()[graph_.state(state.graph).plain + link.arc];
    return {mapped_.tid(arc), 0, arc.cost, -frame.row[arc.label & MappedGraph::kPdfMask]};
  }
  const uint32_t transition_arc = link.arc & ~kIsComposed;
  const HclGraph::LmArc& arc = composition().Arc(state.graph, false, transition_arc);
  return {mapped_.tid({arc.next, arc.label, arc.cost}), static_cast<int32_t>(arc.output),
          composition().Cost(state, false, transition_arc),
          -frame.row[arc.label & MappedGraph::kPdfMask]};
}

void OnTheFlySearch::Start() {
  Clear();
  composition().Trim();
  OnTheFlyState start;
  static_cast<ComposedState&>(start) = composition().Start();
  start.transitions = graph_.HasLmArcs(start.graph) ? kUnknown : kNone;
  RawFrame& frame = trellis_.newest();
  TokenAdder adder(this, &frame, 1);
  bool better = false;
  adder.Add(start, start.look_ahead, &better);
  adder.Close();
  CloseEpsilons<true>(start.look_ahead + options_.beam, &frame);
}

void OnTheFlySearch::TakeComposition() {
  composition_ = pool_->Take();
  if (composition_->generation() != generation_) ForgetTransitions();
}

void OnTheFlySearch::Rest() {
  if (!composition_) return;
  generation_ = composition_->generation();
  pool_->GiveBack(std::move(composition_));
}

void OnTheFlySearch::BeforeStep() {
  if (composition().Trim()) ForgetTransitions();
}

void OnTheFlySearch::ForgetTransitions() {
  for (Token& token : trellis_.newest().tokens) {
    if (token.state.transitions != kNone) token.state.transitions = kUnknown;
  }
}

// Follows the emitting arcs of all tokens below the cutoff, to links whose targets are not tokens
// yet. Returns the cost above which tokens of the next frame are not wanted.
float OnTheFlySearch::Expand(RawFrame* frame) {
  Composition& composition = this->composition();
  FrameArray<Token>& tokens = frame->tokens;
  const Cutoff cutoff = FindCutoff(options_, tokens, &costs_);
  const HclGraph::PlainArc* const plain = graph_.plain();
  const float* const scaled = scaled_.data();
  const float lowest = *std::min_element(scaled_.begin(), scaled_.end());

  // The best token's arcs first give a bound that spares most of the other links.
  const HclGraph::State& best = graph_.state(tokens[cutoff.token].state.graph);
  float bound = FirstBound(plain + best.plain, (&best)[1].plain - best.plain, cutoff.adaptive_beam);

  composed_links_.clear();
  links_.clear();
  ListExpanded(tokens, cutoff.cost);
  const size_t num_expanded = expanded_.size();
  const uint32_t* const expanded = expanded_.data();
  uint64_t num_arcs = 0;
  for (size_t k = 0; k < num_expanded; ++k) {
    if (k + kStatesAhead < num_expanded) {
      __builtin_prefetch(&graph_.state(tokens[expanded[k + kStatesAhead]].state.graph));
    }
    if (k + kNumbersAhead < num_expanded) {
      const OnTheFlyState& ahead = tokens[expanded[k + kNumbersAhead]].state;
      if (ahead.transitions == kUnknown) composition.PrefetchTransitions(ahead);
    }
    if (k + kArcsAhead < num_expanded) {
      OnTheFlyState& ahead = tokens[expanded[k + kArcsAhead]].state;
      __builtin_prefetch(plain + graph_.state(ahead.graph).plain);
      if (ahead.transitions == kUnknown) ahead.transitions = composition.CachedTransitions(ahead);
      if (ahead.transitions < kUnknown) {
        const TransitionList& list = composition.transitions(ahead.transitions);
        __builtin_prefetch(&list);
        __builtin_prefetch(list.epsilons() + 3);
      }
    }
    const uint32_t i = expanded[k];
    OnTheFlyState& state = tokens[i].state;
    const HclGraph::State& here = graph_.state(state.graph);
    const HclGraph::State& after = graph_.state(state.graph + 1);
    const float base = tokens[i].cost - cutoff.best;
    const uint32_t num_plain = after.plain - here.plain;
    bound = AddLinks(i, base, plain + here.plain, num_plain,
                     cutoff.adaptive_beam, bound, &links_);
    num_arcs += num_plain;
    if (after.lm_arcs == here.lm_arcs) continue;
    if (state.transitions == kUnknown) {
      state.transitions = composition.FindTransitions(state.graph, state.history);
    }
    TransitionChain lists = composition.chain(state.transitions);
    for (float lowest_left = -kInfinity; lowest_left <= bound - base - lowest;) {
      const TransitionList& list = lists.list();
      const float before = base - state.look_ahead + lists.backoff();
      const ComposedTransition* const end = list.end();
      const ComposedTransition* transition = list.emitting();
      // Cheapest first: none that follows can pass.
      for (; transition != end && transition->cost <= bound - before - lowest; ++transition) {
        if (lists.IsReplaced(false, transition->arc)) continue;
        const float total = before + transition->cost + scaled[transition->pdf];
        composed_links_.Reserve(1);
        ComposedLink* const link = composed_links_.end();
        link->source = i;
        link->arc = transition->arc;
        link->total = total;
        link->next = transition->next;
        link->history = transition->history;
        link->look_ahead = transition->look_ahead;
        composed_links_.SetSize(composed_links_.size() + (total <= bound));
        bound = std::min(bound, total + cutoff.adaptive_beam);
      }
      num_arcs += static_cast<uint64_t>(transition - list.emitting());
      lowest_left = before - base + list.lowest_shorter;
      if (!lists.Next()) break;
    }
  }
  stats_.tokens += num_expanded;
  stats_.arcs += num_arcs;
  return bound;
}

// Turns the links' targets into tokens of the next frame; keeps the links that matter.
template <bool kLattice>
void OnTheFlySearch::MakeTokens(float cutoff, RawFrame* frame, RawFrame* next) {
  const size_t num_plain = links_.size();
  LinkMaker<kLattice> maker(this, frame, next, num_plain + composed_links_.size());
  const RawLink* const links = links_.data();
  for (size_t i = 0; i < num_plain; ++i) {
    const RawLink link = links[i];
    if (link.total > cutoff) continue;
    const OnTheFlyState& source = frame->tokens[link.source].state;
    OnTheFlyState target = StateOf(link.next, source.history, source.look_ahead);
    target.transitions = target.graph == source.graph ? source.transitions : target.transitions;
    maker.Make(target, link.source, link.arc, link.total);
  }
  for (const ComposedLink& link : composed_links_) {
    if (link.total > cutoff) continue;
    maker.Make(StateOf(link.next, link.history, link.look_ahead), link.source,
               link.arc | kIsComposed, link.total);
  }
  maker.Close();
}

// Rank by rank, so that every token's cost is final before its arcs are followed, once.
template <bool kLattice>
void OnTheFlySearch::CloseEpsilons(float cutoff, RawFrame* frame) {
  Composition& composition = this->composition();
  for (std::vector<uint32_t>& bucket : buckets_) {
    size_t num_transitions = 0;
    for (size_t i = 0; i < bucket.size(); ++i) {
      if (i + kArcsAhead < bucket.size()) {
        composition.PrefetchTransitions(frame->tokens[bucket[i + kArcsAhead]].state);
      }
      Token& token = frame->tokens[bucket[i]];
      if (token.cost > cutoff || token.state.transitions == kNone) continue;
      if (token.state.transitions == kUnknown) {
        token.state.transitions =
            composition.FindTransitions(token.state.graph, token.state.history);
      }
      num_transitions += composition.transitions(token.state.transitions).all_epsilons;
    }
    TokenAdder adder(this, frame, num_transitions);
    for (const uint32_t source : bucket) {  // those of higher ranks may grow
      const Token token = frame->tokens[source];
      // None: words of all of the state's arcs are not in the automaton.
      if (token.cost > cutoff || token.state.transitions == kNone) continue;
      TransitionChain lists = composition.chain(token.state.transitions);
      do {
        const TransitionList& list = lists.list();
        const float before = token.cost - token.state.look_ahead + lists.backoff();
        for (const ComposedTransition* arc = list.epsilons(); arc != list.emitting(); ++arc) {
          const float total = before + arc->cost;
          if (total > cutoff || lists.IsReplaced(true, arc->arc)) continue;
          AddEpsilon<kLattice>(StateOf(arc->next, arc->history, arc->look_ahead), source, arc->arc,
                               total, &adder, frame);
        }
      } while (lists.Next());
    }
    adder.Close();
    bucket.clear();
  }
  stats_.links += frame->epsilons.size();
}

template class BeamSearch<OnTheFlySearch, OnTheFlyState, uint64_t>;

}  // namespace decoding
