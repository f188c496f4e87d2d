// Beam search over a graph that is composed with an n-gram automaton while searching.
#ifndef DECODING_CSRC_ON_THE_FLY_ON_THE_FLY_SEARCH_H_
#define DECODING_CSRC_ON_THE_FLY_ON_THE_FLY_SEARCH_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "decoding/csrc/on_the_fly/composition.h"
#include "decoding/csrc/on_the_fly/composition_pool.h"
#include "decoding/csrc/search/beam_search.h"

namespace decoding {

// A token is a state of the graph and a history. Its cost holds the look-ahead, what its next word
// will cost at least. Along a path these cancel out, and where a sentence may end they are zero.
struct OnTheFlyState : ComposedState {
  // Their number in the composition that was used last; TransitionCache::kNone, kUnknown.
  uint32_t transitions;
};

class OnTheFlySearch : public BeamSearch<OnTheFlySearch, OnTheFlyState, uint64_t> {
 public:
  // The pool must outlive this.
  OnTheFlySearch(CompositionPool* pool, const SearchOptions& options, bool best_only)
      : BeamSearch(pool->graph().mapped(), options, best_only),
        graph_(pool->graph()),
        pool_(pool) {}

  void Start() override;
  // Gives the composition back.
  void Rest() override;

 private:
  friend class BeamSearch<OnTheFlySearch, OnTheFlyState, uint64_t>;

  static constexpr uint32_t kIsComposed = 1u << 31;  // flag of a link's arc

  struct ComposedLink {  // along a composed transition, to what is not a token yet
    uint32_t source;
    uint32_t arc;
    float total;
    uint32_t next;  // with its flag
    uint32_t history;
    float look_ahead;
  };

  static uint64_t KeyOf(const OnTheFlyState& state) {
    return static_cast<uint64_t>(state.graph) << 32 | state.history;
  }
  static uint32_t GraphState(const OnTheFlyState& state) { return state.graph; }
  static void Assign(const OnTheFlyState& from, bool is_new, OnTheFlyState* to) {
    // Known numbers are less than kUnknown.
    const uint32_t known = is_new ? from.transitions : to->transitions;
    to->graph = from.graph;
    to->history = from.history;
    to->look_ahead = from.look_ahead;
    to->transitions = std::min(known, from.transitions);
  }
  static OnTheFlyState StateOf(uint32_t flagged_next, uint32_t history, float look_ahead);

  void BeforeStep();
  float Expand(RawFrame* frame);
  template <bool kLattice>
  void MakeTokens(float cutoff, RawFrame* frame, RawFrame* next);
  template <bool kLattice>
  void CloseEpsilons(float cutoff, RawFrame* frame);
  LinkValue Resolve(const RawFrame& frame, const RawLink& link, bool epsilon);
  float FinalCost(const OnTheFlyState& state) { return composition().FinalCost(state); }
  // Without what the composition remembers, which is bounded by itself.
  size_t Bytes() const { return composed_links_.Bytes(); }

  // The composition to work with until Rest.
  Composition& composition() {
    if (!composition_) TakeComposition();
    return *composition_;
  }
  void TakeComposition();
  void ForgetTransitions();

  const HclGraph& graph_;
  CompositionPool* const pool_;
  std::unique_ptr<Composition> composition_;
  uint64_t generation_ = 0;  // of the composition when tokens' numbers were valid
  ReusableArray<ComposedLink> composed_links_;
};

extern template class BeamSearch<OnTheFlySearch, OnTheFlyState, uint64_t>;

}  // namespace decoding

#endif  // DECODING_CSRC_ON_THE_FLY_ON_THE_FLY_SEARCH_H_
