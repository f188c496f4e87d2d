#include "decoding/csrc/on_the_fly/fly_composition.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace decoding {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kEnd = std::numeric_limits<float>::quiet_NaN();

}  // namespace

Composition::Composition(const FlyGraph& graph, const LookAheadClasses& classes, bool epsilon,
                         size_t max_bytes)
    : graph_(graph),
      automaton_(classes.automaton()),
      epsilon_(epsilon),
      max_moves_(max_bytes / 2 / sizeof(Move)),
      look_ahead_(classes, max_bytes / 2) {
  Resize(kFirstBits);
}

ComposedState Composition::Start() {
  const uint32_t start = graph_.mapped().start();
  const uint32_t history = automaton_.start();
  const Outlook outlook = FindOutlook(history, graph_.state(start).of_class);
  // The history stays as it is, even if every word has to back off: there is no link yet to carry
  // what that costs.
  const float potential = outlook.best < kInfinity ? outlook.backoff + outlook.best : 0.0f;
  return {start, history, potential};
}

bool Composition::Trim() {
  look_ahead_.Trim();
  if (num_moves_ <= max_moves_) return false;
  num_moves_ = 0;
  num_slots_ = 0;
  std::fill(table_.begin(), table_.end(), Slot{0, 0, kUnknown});
  return true;
}

void Composition::Resize(unsigned bits) {
  const arrays::AlignedVector<Slot> old = std::move(table_);
  table_ = arrays::AlignedVector<Slot>();
  table_.assign(size_t{1} << bits, Slot{0, 0, kUnknown});
  mask_ = table_.size() - 1;
  shift_ = 64 - bits;
  for (const Slot& slot : old) {
    if (slot.moves != kUnknown) table_[FindSlot(slot.graph, slot.history)] = slot;
  }
}

uint32_t Composition::FindMoves(const ComposedState& state) {
  size_t slot = FindSlot(state.graph, state.history);
  if (table_[slot].moves != kUnknown) return table_[slot].moves;
  const uint32_t number = MakeMoves(state);
  if (2 * ++num_slots_ > table_.size()) {
    Resize(65 - shift_);
    slot = FindSlot(state.graph, state.history);
  }
  table_[slot] = {state.graph, state.history, number};
  return number;
}

uint32_t Composition::MakeMoves(const ComposedState& state) {
  constexpr Move kEndOfMoves{0, 0, 0.0f, kEnd, 0, 0};
  const FlyGraph::State& place = graph_.state(state.graph);
  const FlyGraph::State& after = graph_.state(state.graph + 1);
  scratch_.clear();
  if (after.epsilons != place.epsilons) {
    AddMoves(state, graph_.epsilons() + place.epsilons, after.epsilons - place.epsilons);
    scratch_.push_back(kEndOfMoves);
  }
  const auto num_epsilons = static_cast<std::ptrdiff_t>(scratch_.size());
  AddMoves(state, graph_.composed() + place.composed, after.composed - place.composed);
  std::sort(scratch_.begin() + num_epsilons, scratch_.end(), [](const Move& a, const Move& b) {
    return a.cost < b.cost || (a.cost == b.cost && a.arc < b.arc);
  });
  scratch_.push_back(kEndOfMoves);
  return Append(scratch_);
}

void Composition::AddMoves(const ComposedState& state, const FlyGraph::ComposedArc* arcs,
                           uint32_t count) {
  // The look-ahead of all arcs without a word at once.
  asked_.clear();
  for (uint32_t i = 0; i < count; ++i) {
    if (arcs[i].word & FlyGraph::kIsClass) asked_.push_back(arcs[i].word & ~FlyGraph::kIsClass);
  }
  outlooks_.resize(asked_.size());
  if (!asked_.empty()) {
    look_ahead_.Find(state.history, graph_.state(state.graph).of_class, asked_.data(),
                     asked_.size(), outlooks_.data());
  }
  const Outlook* outlook = outlooks_.data();
  for (uint32_t i = 0; i < count; ++i) {
    if (arcs[i].word & FlyGraph::kIsClass) {
      AddMove(state, arcs[i], i, 0.0f, *outlook++);
    } else {
      AddWordMoves(state, arcs[i], i);
    }
  }
}

inline Outlook Composition::FindOutlook(uint32_t history, uint32_t of_class) {
  Outlook outlook;
  look_ahead_.Find(history, of_class, &of_class, 1, &outlook);
  return outlook;
}

inline void Composition::AddMove(const ComposedState& state, const FlyGraph::ComposedArc& arc,
                                 uint32_t move_arc, float cost, const Outlook& outlook) {
  if (outlook.best == kInfinity) return;
  const float total = arc.cost + (cost + outlook.backoff + (outlook.best - state.potential));
  scratch_.push_back({arc.next, outlook.state, outlook.best, total,
                      arc.label & MappedGraph::kPdfMask, move_arc});
}

void Composition::AddWordMoves(const ComposedState& state, const FlyGraph::ComposedArc& arc,
                               uint32_t number) {
  const uint32_t of_class = graph_.state(arc.next & ~FlyGraph::kHasComposed).of_class;
  uint32_t history = state.history;
  if (!epsilon_) {
    uint32_t next = 0;
    const float cost = -automaton_.Advance(history, arc.word, &next);
    AddMove(state, arc, number, cost, FindOutlook(next, of_class));
    return;
  }
  float backoff = 0.0f;
  float floor = kInfinity;  // cost of the move before, backed off to floor_history
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
        AddMove(state, arc, number | level << kLevelShift, cost,
                FindOutlook(floor_history, of_class));
      }
    }
    if (history == lm::Automaton::kEmpty) return;
    backoff -= automaton_.backoff(history);
    history = automaton_.backoff_state(history);
  }
}

// Copies moves to where they stay, all in one chunk; returns their number.
uint32_t Composition::Append(const std::vector<Move>& moves) {
  const size_t left = kChunkSize - (num_moves_ & (kChunkSize - 1));
  if (moves.size() > left) num_moves_ += left;
  const size_t chunk = num_moves_ >> kChunkBits;
  if (chunk >= chunks_.size()) chunks_.emplace_back();
  if (chunks_[chunk].empty() || moves.size() > kChunkSize) {
    chunks_[chunk].resize(std::max<size_t>(moves.size(), kChunkSize));
  }
  const auto number = static_cast<uint32_t>(num_moves_);
  std::copy(moves.begin(), moves.end(), chunks_[chunk].data() + (number & (kChunkSize - 1)));
  num_moves_ += std::min<size_t>(moves.size(), kChunkSize);
  return number;
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

float Composition::Cost(const ComposedState& state, bool epsilon, uint32_t move_arc) {
  const FlyGraph::ComposedArc& arc = Arc(state.graph, epsilon, move_arc);
  const Move* move = moves(FindMoves(state));
  if (!epsilon && graph_.HasEpsilons(state.graph)) {
    while (!std::isnan(move->cost)) ++move;
    ++move;
  }
  while (move->arc != move_arc) ++move;
  if (arc.word & FlyGraph::kIsClass) return arc.cost + BackOff(state.history, move->history);
  uint32_t history = state.history;
  uint32_t next = 0;
  float cost = 0.0f;
  if (epsilon_) {
    for (uint32_t level = move_arc >> kLevelShift; level > 0; --level) {
      cost -= automaton_.backoff(history);
      history = automaton_.backoff_state(history);
    }
  }
  cost -= automaton_.Advance(history, arc.word, &next);
  return arc.cost + (cost + BackOff(next, move->history));
}

// Without potentials: they are zero where a sentence may end.
float Composition::FinalCost(const ComposedState& state) const {
  const float cost = graph_.mapped().final_cost(state.graph);
  if (cost == kInfinity) return kInfinity;
  if (!epsilon_) return cost - automaton_.Final(state.history);
  float best = kInfinity;
  float backoff = 0.0f;
  for (uint32_t history = state.history;; history = automaton_.backoff_state(history)) {
    const float log_prob = automaton_.explicit_final(history);
    if (!std::isnan(log_prob)) best = std::min(best, backoff - log_prob);
    if (history == lm::Automaton::kEmpty) return cost + best;
    backoff -= automaton_.backoff(history);
  }
}

}  // namespace decoding
