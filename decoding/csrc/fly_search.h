// Beam search over a graph that is composed with an n-gram automaton while searching.
#ifndef DECODING_FLY_SEARCH_H_
#define DECODING_FLY_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoding/csrc/fly_composition.h"
#include "decoding/csrc/growing.h"
#include "decoding/csrc/raw_lattice.h"
#include "decoding/csrc/search_config.h"
#include "decoding/csrc/token_table.h"
#include "decoding/csrc/trellis.h"

namespace decoding {

// One utterance at a time, as Search. A token is a state of the graph and a history. Its cost holds
// a potential, the look-ahead: what its next word will cost at least. Potentials cancel out along a
// path, and are zero where a sentence may end.
class FlySearch {
 public:
  FlySearch(const FlyGraph& graph, const LookAheadClasses& classes, const SearchConfig& config,
            bool epsilon, size_t look_ahead_bytes);

  void Start();
  // scores: [num_frames, graph.num_pdfs()], row-major, finite natural-log likelihoods.
  // Throws std::runtime_error if no path through the graph is that long.
  void Advance(const float* scores, size_t num_frames);
  // Best path to any state, final or not, by cost with look-ahead.
  RawPath Partial();
  RawLattice Finish();

  size_t num_frames() const { return stats_.frames; }
  const SearchStats& stats() const { return stats_; }
  uint32_t num_pdfs() const { return mapped_.num_pdfs(); }
  const Composition& composition() const { return composition_; }

 private:
  struct State : ComposedState {
    uint32_t moves;  // Composition's number of them
  };
  using Tokens = Trellis<State>;
  using RawFrame = Tokens::RawFrame;
  using RawLink = Tokens::RawLink;

  static State StateOf(uint32_t flagged_next, uint32_t history, float potential) {
    State state;
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

  struct Resolve;  // labels and costs of a link
  class Adder;     // of tokens to a frame

  void Step(const float* row);
  float Expand(RawFrame* frame);
  template <bool kLattice>
  void MakeTokens(float cutoff, RawFrame* frame, RawFrame* next);
  template <bool kLattice>
  void CloseEpsilons(float cutoff, RawFrame* frame);

  const FlyGraph& graph_;
  const MappedGraph& mapped_;
  Composition composition_;
  SearchConfig config_;
  SearchStats stats_;
  bool active_ = false;
  Tokens trellis_;
  TokenTable<uint64_t> table_;  // of the newest frame
  Growing<MoveLink> moves_;
  std::vector<float> scaled_;
  std::vector<float> costs_;
  std::vector<std::vector<uint32_t>> buckets_;  // new tokens with non-emitting arcs, by rank
};

}  // namespace decoding

#endif  // DECODING_FLY_SEARCH_H_
