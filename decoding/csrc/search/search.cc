#include "decoding/csrc/search/search.h"

#include <algorithm>
#include <limits>

namespace decoding {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Looked up in passing, so that states and arcs are in the cache when their turn comes.
constexpr size_t kStatesAhead = 20;
constexpr size_t kArcsAhead = 8;
constexpr size_t kLinksAhead = 12;

}  // namespace

// A link's arc is its number among its state's arcs, so that graphs may have more than 2^32.
LinkValue Search::Resolve(const RawFrame& frame, const RawLink& link, bool epsilon) const {
  const uint32_t state = frame.tokens[link.source].state;
  if (epsilon) {
    const MappedGraph::Epsilon& arc = mapped_.epsilons_begin(state)[link.arc];
    return {0, static_cast<int32_t>(arc.word), arc.cost, 0.0f};
  }
  const MappedGraph::Arc* const arc = mapped_.arcs_begin(state) + link.arc;
  return {mapped_.tid(*arc), static_cast<int32_t>(mapped_.word(arc)), arc->cost,
          -frame.row[arc->label & MappedGraph::kPdfMask]};
}

// Finds or adds up to `more` tokens; holds what the inner loops need, so that they can keep it in
// registers, until Close.
class Search::Adder {
 public:
  Adder(Search* search, RawFrame* frame, size_t more)
      : search_(search), frame_(frame), count_(static_cast<uint32_t>(frame->tokens.size())) {
    frame->tokens.Reserve(more);
    tokens_ = frame->tokens.data();
    run_ = search->table_.Begin(count_, more);
  }

  // The state's token; its cost is now at most this. *better: it was more before, or there was none.
  uint32_t Add(uint32_t state, float cost, bool* better) {
    bool is_new = false;
    const uint32_t token = run_.FindOrAdd(state, count_, &is_new);
    const float before = is_new ? kInfinity : tokens_[token].cost;
    *better = cost < before;
    tokens_[token].state = state;
    tokens_[token].cost = std::min(cost, before);
    count_ += is_new;
    if (is_new && search_->mapped_.has_epsilons(state)) {
      search_->mapped_.PrefetchEpsilons(state);
      search_->buckets_[search_->mapped_.rank(state)].push_back(token);
    }
    return token;
  }

  void Prefetch(uint32_t state) const { run_.Prefetch(state); }
  float cost(uint32_t token) const { return tokens_[token].cost; }

  void Close() { frame_->tokens.SetSize(count_); }

 private:
  Search* search_;
  RawFrame* frame_;
  Token* tokens_;
  uint32_t count_;
  TokenTable<uint32_t>::Run run_;
};

void Search::Start() {
  Clear();
  RawFrame& frame = trellis_.newest();
  Adder adder(this, &frame, 1);
  bool better = false;
  adder.Add(mapped_.start(), 0.0f, &better);
  adder.Close();
  CloseEpsilons<true>(config_.beam, &frame);
}

// Follows the emitting arcs of all tokens below the cutoff, to links whose targets are still
// states of the graph. Returns the cost above which tokens of the next frame are not wanted.
float Search::Expand(RawFrame* frame) {
  const Growing<Token>& tokens = frame->tokens;
  const Cutoff cutoff = FindCutoff(config_, tokens, &costs_);
  const float* const scaled = scaled_.data();
  const size_t num_tokens = tokens.size();

  // The best token's arcs first give a bound that spares most of the other links.
  float bound = kInfinity;
  const uint32_t best_state = tokens[cutoff.token].state;
  const MappedGraph::Arc* best_arcs = mapped_.arcs_begin(best_state);
  for (uint32_t a = 0; a < mapped_.num_arcs_of(best_state); ++a) {
    const float total = best_arcs[a].cost + scaled[best_arcs[a].label & MappedGraph::kPdfMask];
    bound = std::min(bound, total + cutoff.adaptive_beam);
  }

  Growing<RawLink>& links = frame->links;
  uint64_t num_arcs = 0;
  uint64_t num_expanded = 0;
  for (size_t i = 0; i < num_tokens; ++i) {
    if (i + kStatesAhead < num_tokens) mapped_.PrefetchOffset(tokens[i + kStatesAhead].state);
    if (i + kArcsAhead < num_tokens) {
      __builtin_prefetch(mapped_.arcs_begin(tokens[i + kArcsAhead].state));
    }
    if (tokens[i].cost > cutoff.cost) continue;
    const MappedGraph::Arc* const arcs = mapped_.arcs_begin(tokens[i].state);
    const uint32_t n = mapped_.num_arcs_of(tokens[i].state);
    links.Reserve(n);
    RawLink* out = links.end();
    const float base = tokens[i].cost - cutoff.best;
    for (uint32_t a = 0; a < n; ++a) {
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
    num_arcs += n;
  }
  stats_.tokens += num_expanded;
  stats_.arcs += num_arcs;
  return bound;
}

// Turns the links' graph states into tokens of the next frame; keeps the links that matter.
template <bool kLattice>
void Search::MakeTokens(float cutoff, RawFrame* frame, RawFrame* next) {
  const size_t n = frame->links.size();
  Adder adder(this, next, n);
  RawLink* const links = frame->links.data();
  RawLink* out = links;
  RawLink unwanted;
  for (size_t i = 0; i < n; ++i) {
    const RawLink link = links[i];
    if (i + kLinksAhead < n) adder.Prefetch(links[i + kLinksAhead].next);
    if (link.total > cutoff) continue;
    bool better = false;
    const uint32_t token = adder.Add(link.next, link.total, &better);
    if (!kLattice) {
      // Link k leads to token k: there are never more tokens than links looked at.
      out = better ? links + token : &unwanted;
    }
    out->source = link.source;
    out->next = token;
    out->arc = link.arc;
    out->total = link.total;
    // No later improvement of the token can bring a worse link into the lattice beam.
    if (kLattice) out += link.total <= adder.cost(token) + config_.lattice_beam;
  }
  adder.Close();
  frame->links.SetSize(kLattice ? static_cast<size_t>(out - links) : next->tokens.size());
  stats_.links += frame->links.size();
}

// Rank by rank, so that every token's cost is final before its arcs are followed, once.
template <bool kLattice>
void Search::CloseEpsilons(float cutoff, RawFrame* frame) {
  for (std::vector<uint32_t>& bucket : buckets_) {
    if (bucket.empty()) continue;
    size_t num_arcs = 0;
    for (const uint32_t source : bucket) {
      const uint32_t state = frame->tokens[source].state;
      __builtin_prefetch(mapped_.epsilons_begin(state));
      num_arcs += static_cast<size_t>(mapped_.epsilons_end(state) - mapped_.epsilons_begin(state));
    }
    Adder adder(this, frame, num_arcs);
    for (const uint32_t source : bucket) {  // only buckets of higher rank grow
      const Token token = frame->tokens[source];
      if (token.cost > cutoff) continue;
      const MappedGraph::Epsilon* const begin = mapped_.epsilons_begin(token.state);
      const MappedGraph::Epsilon* const end = mapped_.epsilons_end(token.state);
      for (const MappedGraph::Epsilon* arc = begin; arc != end; ++arc) {
        const float total = token.cost + arc->cost;
        if (total > cutoff) continue;
        bool better = false;
        const uint32_t next = adder.Add(arc->next, total, &better);
        if (kLattice ? total > adder.cost(next) + config_.lattice_beam : !better) continue;
        frame->epsilons.push_back({source, next, static_cast<uint32_t>(arc - begin), total});
      }
    }
    adder.Close();
    bucket.clear();
  }
  stats_.links += frame->epsilons.size();
}

template class BeamSearch<Search, uint32_t, uint32_t>;

}  // namespace decoding
