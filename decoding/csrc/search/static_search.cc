#include "decoding/csrc/search/static_search.h"

namespace decoding {

namespace {

// How many tokens or links ahead memory is prefetched, so that states and arcs are in the cache
// when their turn comes.
constexpr size_t kStatesAhead = 32;
constexpr size_t kArcsAhead = 12;
constexpr size_t kLinksAhead = 12;

}  // namespace

// A link's arc is its number among its state's arcs, so that graphs may have more than 2^32.
LinkValue StaticSearch::Resolve(const RawFrame& frame, const RawLink& link, bool epsilon) const {
  const uint32_t state = frame.tokens[link.source].state;
  if (epsilon) {
    const MappedGraph::Epsilon& arc = mapped_.epsilons_begin(state)[link.arc];
    return {0, static_cast<int32_t>(arc.word), arc.cost, 0.0f};
  }
  const MappedGraph::Arc* const arc = mapped_.arcs_begin(state) + link.arc;
  return {mapped_.tid(*arc), static_cast<int32_t>(mapped_.word(arc)), arc->cost,
          -frame.row[arc->label & MappedGraph::kPdfMask]};
}

void StaticSearch::Start() {
  Clear();
  RawFrame& frame = trellis_.newest();
  TokenAdder adder(this, &frame, 1);
  bool better = false;
  adder.Add(mapped_.start(), 0.0f, &better);
  adder.Close();
  CloseEpsilons<true>(options_.beam, &frame);
}

// Follows the emitting arcs of all tokens below the cutoff, to links whose targets are still
// states of the graph. Returns the cost above which tokens of the next frame are not wanted.
float StaticSearch::Expand(RawFrame* frame) {
  const FrameArray<Token>& tokens = frame->tokens;
  const Cutoff cutoff = FindCutoff(options_, tokens, &costs_);
  // The best token's arcs first give a bound that spares most of the other links.
  const uint32_t best_state = tokens[cutoff.token].state;
  float bound = FirstBound(mapped_.arcs_begin(best_state), mapped_.num_arcs_of(best_state),
                           cutoff.adaptive_beam);
  links_.clear();
  ListExpanded(tokens, cutoff.cost);
  const size_t num_expanded = expanded_.size();
  const uint32_t* const expanded = expanded_.data();
  uint64_t num_arcs = 0;
  for (size_t k = 0; k < num_expanded; ++k) {
    if (k + kStatesAhead < num_expanded) {
      mapped_.PrefetchOffset(tokens[expanded[k + kStatesAhead]].state);
    }
    if (k + kArcsAhead < num_expanded) {
      __builtin_prefetch(mapped_.arcs_begin(tokens[expanded[k + kArcsAhead]].state));
    }
    const Token& token = tokens[expanded[k]];
    const uint32_t n = mapped_.num_arcs_of(token.state);
    bound = AddLinks(expanded[k], token.cost - cutoff.best, mapped_.arcs_begin(token.state), n,
                     cutoff.adaptive_beam, bound, &links_);
    num_arcs += n;
  }
  stats_.tokens += num_expanded;
  stats_.arcs += num_arcs;
  return bound;
}

// Turns the links' graph states into tokens of the next frame; keeps the links that matter.
template <bool kLattice>
void StaticSearch::MakeTokens(float cutoff, RawFrame* frame, RawFrame* next) {
  const size_t n = links_.size();
  LinkMaker<kLattice> maker(this, frame, next, n);
  const RawLink* const links = links_.data();
  for (size_t i = 0; i < n; ++i) {
    const RawLink link = links[i];
    if (i + kLinksAhead < n) maker.Prefetch(links[i + kLinksAhead].next);
    if (link.total > cutoff) continue;
    maker.Make(link.next, link.source, link.arc, link.total);
  }
  maker.Close();
}

// Rank by rank, so that every token's cost is final before its arcs are followed, once.
template <bool kLattice>
void StaticSearch::CloseEpsilons(float cutoff, RawFrame* frame) {
  for (std::vector<uint32_t>& bucket : buckets_) {
    if (bucket.empty()) continue;
    size_t num_arcs = 0;
    for (const uint32_t source : bucket) {
      const uint32_t state = frame->tokens[source].state;
      __builtin_prefetch(mapped_.epsilons_begin(state));
      num_arcs += static_cast<size_t>(mapped_.epsilons_end(state) - mapped_.epsilons_begin(state));
    }
    TokenAdder adder(this, frame, num_arcs);
    for (const uint32_t source : bucket) {  // only buckets of higher rank grow
      const Token token = frame->tokens[source];
      if (token.cost > cutoff) continue;
      const MappedGraph::Epsilon* const begin = mapped_.epsilons_begin(token.state);
      const MappedGraph::Epsilon* const end = mapped_.epsilons_end(token.state);
      for (const MappedGraph::Epsilon* arc = begin; arc != end; ++arc) {
        const float total = token.cost + arc->cost;
        if (total > cutoff) continue;
        AddEpsilon<kLattice>(arc->next, source, static_cast<uint32_t>(arc - begin), total, &adder,
                             frame);
      }
    }
    adder.Close();
    bucket.clear();
  }
  stats_.links += frame->epsilons.size();
}

template class BeamSearch<StaticSearch, uint32_t, uint32_t>;

}  // namespace decoding
