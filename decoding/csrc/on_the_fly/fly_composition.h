// What the language model makes of the arcs of a graph that it is composed with.
#ifndef DECODING_FLY_COMPOSITION_H_
#define DECODING_FLY_COMPOSITION_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/csrc/aligned_vector.h"
#include "decoding/csrc/on_the_fly/fly_graph.h"
#include "decoding/csrc/on_the_fly/fly_look_ahead.h"

namespace decoding {

// A state of the composition: of the graph, and a history of the automaton.
struct ComposedState {
  uint32_t graph;  // without flag
  uint32_t history;
  float potential;  // what the state's look-ahead adds to its cost, always the same
};

// A composed arc from a history: what has to be known of it in every frame.
struct Move {
  uint32_t next;     // state of the graph, with its flag
  uint32_t history;  // after the arc
  float potential;   // there
  float cost;        // of the arc and the language model, with the difference of potentials
  uint32_t pdf;
  uint32_t arc;  // number among its state's arcs of the kind; the upper bits are the level
};

// How a graph and an automaton go together, and a memory of the moves from the states that the
// search comes to: a token stays in its state for some frames, and has the same moves in each.
class Composition {
 public:
  // Moves end with one whose cost is not a number.
  static constexpr uint32_t kNoMoves = UINT32_MAX;
  static constexpr uint32_t kUnknown = UINT32_MAX - 1;
  // Automata may have n-grams of this order at most: a level takes the 5 bits below the highest of
  // Move::arc, which is free.
  static constexpr unsigned kMaxOrder = 32;

  // epsilon: whether every word may be reached by backing off first, as by epsilon arcs. Then a
  // word has a move for each back-off of the history where it is explicit, numbered by level, but
  // for those that a move before, to a longer history, can do as cheaply by backing off later.
  // max_bytes bounds what is remembered between frames.
  Composition(const FlyGraph& graph, const LookAheadClasses& classes, bool epsilon,
              size_t max_bytes);
  Composition(const Composition&) = delete;
  Composition& operator=(const Composition&) = delete;

  const FlyGraph& graph() const { return graph_; }
  ComposedState Start();
  // The number of a state's moves: first the non-emitting ones, if the graph's state has such
  // arcs, and their end, then the emitting ones, cheapest first. Valid until Trim.
  uint32_t FindMoves(const ComposedState& state);
  // kUnknown if they have not been asked for before.
  uint32_t KnownMoves(const ComposedState& state) const {
    return table_[FindSlot(state.graph, state.history)].moves;
  }
  void PrefetchMoves(const ComposedState& state) const {
    __builtin_prefetch(&table_[Home(state.graph, state.history)]);
  }
  const Move* moves(uint32_t number) const {
    return chunks_[number >> kChunkBits].data() + (number & (kChunkSize - 1));
  }
  // Cost of the arc of a move and the language model, without potentials.
  float Cost(const ComposedState& state, bool epsilon, uint32_t move_arc);
  const FlyGraph::ComposedArc& Arc(uint32_t state, bool epsilon, uint32_t move_arc) const {
    const FlyGraph::State& place = graph_.state(state);
    const uint32_t number = move_arc & kArcMask;
    return epsilon ? graph_.epsilons()[place.epsilons + number]
                   : graph_.composed()[place.composed + number];
  }
  float FinalCost(const ComposedState& state) const;
  // Forgets everything if it has become too much; returns whether it did, which makes the numbers
  // of moves invalid.
  bool Trim();

 private:
  static constexpr unsigned kChunkBits = 17;  // a few megabytes
  static constexpr uint32_t kChunkSize = 1u << kChunkBits;
  static constexpr unsigned kLevelShift = 26;
  static constexpr uint32_t kArcMask = (1u << kLevelShift) - 1;
  static constexpr unsigned kFirstBits = 12;

  struct Slot {
    uint32_t graph;
    uint32_t history;
    uint32_t moves;  // kUnknown: free
  };
  uint32_t MakeMoves(const ComposedState& state);
  void AddMoves(const ComposedState& state, const FlyGraph::ComposedArc* arcs, uint32_t count);
  void AddMove(const ComposedState& state, const FlyGraph::ComposedArc& arc, uint32_t move_arc,
               float cost, const Outlook& outlook);
  void AddWordMoves(const ComposedState& state, const FlyGraph::ComposedArc& arc, uint32_t number);
  Outlook FindOutlook(uint32_t history, uint32_t of_class);
  float BackOff(uint32_t history, uint32_t to) const;
  size_t Home(uint32_t graph, uint32_t history) const {
    const uint64_t key = (static_cast<uint64_t>(graph) << 32) | history;
    return static_cast<size_t>((key * 0x9E3779B97F4A7C15u) >> shift_);
  }
  size_t FindSlot(uint32_t graph, uint32_t history) const {
    size_t slot = Home(graph, history);
    while (table_[slot].moves != kUnknown &&
           (table_[slot].graph != graph || table_[slot].history != history)) {
      slot = (slot + 1) & mask_;
    }
    return slot;
  }
  void Resize(unsigned bits);
  uint32_t Append(const std::vector<Move>& moves);

  const FlyGraph& graph_;
  const lm::Automaton& automaton_;
  const bool epsilon_;
  const size_t max_moves_;
  LookAhead look_ahead_;
  arrays::AlignedVector<Slot> table_;
  size_t mask_ = 0;
  unsigned shift_ = 0;
  size_t num_slots_ = 0;
  std::vector<arrays::AlignedVector<Move>> chunks_;
  size_t num_moves_ = 0;
  std::vector<Move> scratch_;
  std::vector<uint32_t> asked_;
  std::vector<Outlook> outlooks_;
};

}  // namespace decoding

#endif  // DECODING_FLY_COMPOSITION_H_
