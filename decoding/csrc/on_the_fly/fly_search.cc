#include "decoding/csrc/on_the_fly/fly_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace decoding {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Looked up in passing, so that states, arcs and moves are in the cache when their turn comes.
constexpr size_t kStatesAhead = 24;
constexpr size_t kNumbersAhead = 16;
constexpr size_t kArcsAhead = 8;

}  // namespace

// A link's arc is its number among its state's arcs of its kind.
LinkValue FlySearch::Resolve(const RawFrame& frame, const RawLink& link, bool epsilon) {
  const FlyState& state = frame.tokens[link.source].state;
  if (epsilon) {
    const FlyGraph::ComposedArc& arc = composition_.Arc(state.graph, true, link.arc);
    return {0, static_cast<int32_t>(arc.output), composition_.Cost(state, true, link.arc), 0.0f};
  }
  if (!(link.arc & kIsMove)) {
    const FlyGraph::PlainArc& arc = graph_.plain()[graph_.state(state.graph).plain + link.arc];
    return {mapped_.tid(arc), 0, arc.cost, -frame.row[arc.label & MappedGraph::kPdfMask]};
  }
  const uint32_t move = link.arc & ~kIsMove;
  const FlyGraph::ComposedArc& arc = composition_.Arc(state.graph, false, move);
  return {mapped_.tid({arc.next, arc.label, arc.cost}), static_cast<int32_t>(arc.output),
          composition_.Cost(state, false, move), -frame.row[arc.label & MappedGraph::kPdfMask]};
}

// Finds or adds up to `more` tokens; holds what the inner loops need, so that they can keep it in
// registers, until Close.
class FlySearch::Adder {
 public:
  Adder(FlySearch* search, RawFrame* frame, size_t more)
      : search_(search), frame_(frame), count_(static_cast<uint32_t>(frame->tokens.size())) {
    frame->tokens.Reserve(more);
    tokens_ = frame->tokens.data();
    run_ = search->table_.Begin(count_, more);
  }

  // The state's token; its cost is now at most this. *better: it was more before, or there was
  // none.
  uint32_t Add(const FlyState& state, float cost, bool* better) {
    const uint64_t key = static_cast<uint64_t>(state.graph) << 32 | state.history;
    bool is_new = false;
    const uint32_t token = run_.FindOrAdd(key, count_, &is_new);
    Token* const place = tokens_ + token;
    const float before = is_new ? kInfinity : place->cost;
    const uint32_t moves = is_new ? state.moves : place->state.moves;
    *better = cost < before;
    place->state.graph = state.graph;
    place->state.history = state.history;
    place->state.potential = state.potential;
    place->state.moves = std::min(moves, state.moves);
    place->cost = std::min(cost, before);
    count_ += is_new;
    if (is_new && search_->mapped_.has_epsilons(state.graph)) {
      search_->buckets_[search_->mapped_.rank(state.graph)].push_back(token);
    }
    return token;
  }

  float cost(uint32_t token) const { return tokens_[token].cost; }

  void Close() { frame_->tokens.SetSize(count_); }

 private:
  FlySearch* search_;
  RawFrame* frame_;
  Token* tokens_;
  uint32_t count_;
  TokenTable<uint64_t>::Run run_;
};

void FlySearch::Start() {
  Clear();
  composition_.Trim();
  FlyState start;
  static_cast<ComposedState&>(start) = composition_.Start();
  start.moves =
      graph_.HasComposed(start.graph) ? Composition::kUnknown : Composition::kNoMoves;
  RawFrame& frame = trellis_.newest();
  Adder adder(this, &frame, 1);
  bool better = false;
  adder.Add(start, start.potential, &better);
  adder.Close();
  CloseEpsilons<true>(start.potential + config_.beam, &frame);
}

void FlySearch::BeforeStep() {
  if (!composition_.Trim()) return;
  for (Token& token : trellis_.newest().tokens) {
    if (token.state.moves != Composition::kNoMoves) token.state.moves = Composition::kUnknown;
  }
}

// Follows the emitting arcs of all tokens below the cutoff, to links whose targets are not tokens
// yet. Returns the cost above which tokens of the next frame are not wanted.
float FlySearch::Expand(RawFrame* frame) {
  Growing<Token>& tokens = frame->tokens;
  const Cutoff cutoff = FindCutoff(config_, tokens, &costs_);
  const FlyGraph::PlainArc* const plain = graph_.plain();
  const float* const scaled = scaled_.data();
  const size_t num_tokens = tokens.size();
  const float lowest = *std::min_element(scaled_.begin(), scaled_.end());

  // The best token's arcs first give a bound that spares most of the other links.
  float bound = kInfinity;
  const uint32_t best_state = tokens[cutoff.token].state.graph;
  for (uint32_t a = graph_.state(best_state).plain; a < graph_.state(best_state + 1).plain; ++a) {
    const float total = plain[a].cost + scaled[plain[a].label & MappedGraph::kPdfMask];
    bound = std::min(bound, total + cutoff.adaptive_beam);
  }

  Growing<RawLink>& links = frame->links;
  moves_.clear();
  uint64_t num_arcs = 0;
  uint64_t num_expanded = 0;
  for (size_t i = 0; i < num_tokens; ++i) {
    if (i + kStatesAhead < num_tokens) {
      __builtin_prefetch(&graph_.state(tokens[i + kStatesAhead].state.graph));
    }
    if (i + kNumbersAhead < num_tokens) {
      const Token& ahead = tokens[i + kNumbersAhead];
      if (ahead.state.moves == Composition::kUnknown && ahead.cost <= cutoff.cost) {
        composition_.PrefetchMoves(ahead.state);
      }
    }
    if (i + kArcsAhead < num_tokens) {
      Token& ahead = tokens[i + kArcsAhead];
      __builtin_prefetch(plain + graph_.state(ahead.state.graph).plain);
      if (ahead.state.moves == Composition::kUnknown && ahead.cost <= cutoff.cost) {
        ahead.state.moves = composition_.KnownMoves(ahead.state);
      }
      if (ahead.state.moves < Composition::kUnknown) {
        const Move* const moves = composition_.moves(ahead.state.moves);
        __builtin_prefetch(moves);
        __builtin_prefetch(moves + 3);
      }
    }
    if (tokens[i].cost > cutoff.cost) continue;
    FlyState& state = tokens[i].state;
    const FlyGraph::State& place = graph_.state(state.graph);
    const FlyGraph::State& after = graph_.state(state.graph + 1);
    const float base = tokens[i].cost - cutoff.best;
    const uint32_t num_plain = after.plain - place.plain;
    const FlyGraph::PlainArc* const arcs = plain + place.plain;
    links.Reserve(num_plain);
    RawLink* out = links.end();
    for (uint32_t a = 0; a < num_plain; ++a) {
      const float total = base + arcs[a].cost + scaled[arcs[a].label & MappedGraph::kPdfMask];
      out->source = static_cast<uint32_t>(i);
      out->next = arcs[a].next;
      out->arc = a;
      out->total = total;
      out += total <= bound;
      bound = std::min(bound, total + cutoff.adaptive_beam);
    }
    links.SetSize(static_cast<size_t>(out - links.data()));
    ++num_expanded;
    num_arcs += num_plain;
    if (after.composed == place.composed) continue;
    if (state.moves == Composition::kUnknown) state.moves = composition_.FindMoves(state);
    const Move* moves = composition_.moves(state.moves);
    if (after.epsilons != place.epsilons) {
      while (!std::isnan(moves->cost)) ++moves;
      ++moves;
    }
    // Cheapest first: none that follows can pass.
    const Move* move = moves;
    for (; move->cost <= bound - base - lowest; ++move) {
      const float total = base + move->cost + scaled[move->pdf];
      moves_.Reserve(1);
      MoveLink* const link = moves_.end();
      link->source = static_cast<uint32_t>(i);
      link->arc = move->arc;
      link->total = total;
      link->next = move->next;
      link->history = move->history;
      link->potential = move->potential;
      moves_.SetSize(moves_.size() + (total <= bound));
      bound = std::min(bound, total + cutoff.adaptive_beam);
    }
    num_arcs += static_cast<uint64_t>(move - moves);
  }
  stats_.tokens += num_expanded;
  stats_.arcs += num_arcs;
  return bound;
}

// Turns the links' targets into tokens of the next frame; keeps the links that matter.
template <bool kLattice>
void FlySearch::MakeTokens(float cutoff, RawFrame* frame, RawFrame* next) {
  const size_t num_plain = frame->links.size();
  Adder adder(this, next, num_plain + moves_.size());
  frame->links.Reserve(moves_.size());
  RawLink* const links = frame->links.data();
  RawLink* out = links;
  RawLink unwanted;
  const auto make = [&](const FlyState& target, uint32_t source, uint32_t arc, float total) {
    bool better = false;
    const uint32_t token = adder.Add(target, total, &better);
    if (!kLattice) {
      // Link k leads to token k: there are never more tokens than links looked at.
      out = better ? links + token : &unwanted;
    }
    out->source = source;
    out->next = token;
    out->arc = arc;
    out->total = total;
    // No later improvement of the token can bring a worse link into the lattice beam.
    if (kLattice) out += total <= adder.cost(token) + config_.lattice_beam;
  };
  for (size_t i = 0; i < num_plain; ++i) {
    const RawLink link = links[i];
    if (link.total > cutoff) continue;
    const FlyState& source = frame->tokens[link.source].state;
    FlyState target = StateOf(link.next, source.history, source.potential);
    target.moves = target.graph == source.graph ? source.moves : target.moves;
    make(target, link.source, link.arc, link.total);
  }
  for (const MoveLink& link : moves_) {
    if (link.total > cutoff) continue;
    make(StateOf(link.next, link.history, link.potential), link.source, link.arc | kIsMove,
         link.total);
  }
  adder.Close();
  frame->links.SetSize(kLattice ? static_cast<size_t>(out - links) : next->tokens.size());
  stats_.links += frame->links.size();
}

// Rank by rank, so that every token's cost is final before its arcs are followed, once.
template <bool kLattice>
void FlySearch::CloseEpsilons(float cutoff, RawFrame* frame) {
  for (std::vector<uint32_t>& bucket : buckets_) {
    size_t num_moves = 0;
    for (size_t i = 0; i < bucket.size(); ++i) {
      if (i + kArcsAhead < bucket.size()) {
        composition_.PrefetchMoves(frame->tokens[bucket[i + kArcsAhead]].state);
      }
      Token& token = frame->tokens[bucket[i]];
      if (token.cost > cutoff) continue;
      if (token.state.moves == Composition::kUnknown) {
        token.state.moves = composition_.FindMoves(token.state);
      }
      const Move* move = composition_.moves(token.state.moves);
      for (; !std::isnan(move->cost); ++move) ++num_moves;
    }
    Adder adder(this, frame, num_moves);
    for (const uint32_t source : bucket) {  // those of higher ranks may grow
      const Token token = frame->tokens[source];
      if (token.cost > cutoff) continue;
      const Move* move = composition_.moves(token.state.moves);
      for (; !std::isnan(move->cost); ++move) {
        const float total = token.cost + move->cost;
        if (total > cutoff) continue;
        bool better = false;
        const uint32_t next =
            adder.Add(StateOf(move->next, move->history, move->potential), total, &better);
        if (kLattice ? total > adder.cost(next) + config_.lattice_beam : !better) continue;
        frame->epsilons.push_back({source, next, move->arc, total});
      }
    }
    adder.Close();
    bucket.clear();
  }
  stats_.links += frame->epsilons.size();
}

template class BeamSearch<FlySearch, FlyState, uint64_t>;

}  // namespace decoding
