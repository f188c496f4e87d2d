// Beam search over a graph that is composed with an n-gram automaton while searching.
#ifndef DECODING_FLY_SEARCH_H_
#define DECODING_FLY_SEARCH_H_

#include <cstddef>
#include <cstdint>

#include "decoding/csrc/search/beam_search.h"
#include "decoding/csrc/on_the_fly/fly_composition.h"

namespace decoding {

// A token is a state of the graph and a history. Its cost holds a potential, the look-ahead: what
// its next word will cost at least. Potentials cancel out along a path, and are zero where a
// sentence may end.
struct FlyState : ComposedState {
  uint32_t moves;  // Composition's number of them
};

class FlySearch : public BeamSearch<FlySearch, FlyState, uint64_t> {
 public:
  FlySearch(const FlyGraph& graph, const LookAheadClasses& classes, const SearchConfig& config,
            bool epsilon, size_t look_ahead_bytes)
      : BeamSearch(graph.mapped(), config),
        graph_(graph),
        composition_(graph, classes, epsilon, look_ahead_bytes) {}

  void Start();

 private:
  friend class BeamSearch<FlySearch, FlyState, uint64_t>;

  static FlyState StateOf(uint32_t flagged_next, uint32_t history, float potential) {
    FlyState state;
    state.graph = flagged_next & ~FlyGraph::kHasComposed;
    state.history = history;
    state.potential = potential;
    state.moves =
        flagged_next & FlyGraph::kHasComposed ? Composition::kUnknown : Composition::kNoMoves;
    return state;
  }

  static constexpr uint32_t kIsMove = 1u << 31;  // flag of a link's arc

  struct MoveLink {  // of a move, to what is not a token yet
    uint32_t source;
    uint32_t arc;
    float total;
    uint32_t next;  // with its flag
    uint32_t history;
    float potential;
  };

  class Adder;  // of tokens to a frame

  void BeforeStep();
  float Expand(RawFrame* frame);
  template <bool kLattice>
  void MakeTokens(float cutoff, RawFrame* frame, RawFrame* next);
  template <bool kLattice>
  void CloseEpsilons(float cutoff, RawFrame* frame);
  LinkValue Resolve(const RawFrame& frame, const RawLink& link, bool epsilon);
  float FinalCost(const FlyState& state) { return composition_.FinalCost(state); }

  const FlyGraph& graph_;
  Composition composition_;
  Growing<MoveLink> moves_;
};

extern template class BeamSearch<FlySearch, FlyState, uint64_t>;

}  // namespace decoding

#endif  // DECODING_FLY_SEARCH_H_
