// What the static and the on-the-fly search have in common: frames go by one at a time, after
// Kaldi's LatticeFasterDecoder, over contiguous arrays.
#ifndef DECODING_CSRC_SEARCH_BEAM_SEARCH_H_
#define DECODING_CSRC_SEARCH_BEAM_SEARCH_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "decoding/csrc/graph/mapped_graph.h"
#include "decoding/csrc/lattice/incremental_determinizer.h"
#include "decoding/csrc/search/cutoff.h"
#include "decoding/csrc/lattice/raw_lattice.h"
#include "decoding/csrc/search/reusable_array.h"
#include "decoding/csrc/search/search.h"
#include "decoding/csrc/search/search_options.h"
#include "decoding/csrc/search/token_table.h"
#include "decoding/csrc/search/trellis.h"

namespace decoding {

// State: what a token stands for; Key: the same as an integer. Derived has, for its frames,
//   void BeforeStep()                                    before a frame's tokens are expanded
//   float Expand(RawFrame* frame)                        arcs to links; the next frame's cutoff
//   void MakeTokens<kLattice>(cutoff, frame, next)       links' targets to tokens
//   void CloseEpsilons<kLattice>(cutoff, frame)          non-emitting arcs within a frame
//   LinkValue Resolve(frame, link, epsilon)              a link's labels and costs
//   float FinalCost(state)
//   size_t Bytes()                                       memory of its own buffers
// and for its states
//   static Key KeyOf(const State&)
//   static uint32_t GraphState(const State&)
//   static void Assign(const State& from, bool is_new, State* to)   of a token that is found again
//                                                        or (is_new) that nothing is known of yet
// With kLattice, all links within the lattice beam of a token's best one are kept; without, the
// best one only, so that the lattice is the best path.
template <typename Derived, typename State, typename Key>
class BeamSearch : public Search {
 public:
  void Advance(const float* scores, size_t num_frames) override {
    CheckActive();
    for (size_t t = 0; t < num_frames; ++t) Step(scores + t * scaled_.size());
  }

  RawPath Partial() override {
    CheckActive();
    RawPath path;
    trellis_.VisitBestPath(Resolver{derived()}, [&](const LinkValue& value) {
      if (value.tid != 0) path.tids.push_back(value.tid);
      if (value.word != 0) path.words.push_back(value.word);
      path.graph_cost += value.graph_cost;
      path.acoustic_cost += value.acoustic_cost;
    });
    std::reverse(path.tids.begin(), path.tids.end());
    std::reverse(path.words.begin(), path.words.end());
    return path;
  }

  PathWords UpdateBestPath() override {
    CheckActive();
    return trellis_.UpdateBestPath(Resolver{derived()});
  }

  uint32_t TrailingSilence() override {
    CheckActive();
    return trellis_.TrailingSilence(Resolver{derived()});
  }

  // As LatticeFasterDecoder::FinalRelativeCost.
  float FinalRelativeCost() override {
    CheckActive();
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    float best = kInfinity;
    float best_final = kInfinity;
    for (const Token& token : trellis_.newest().tokens) {
      best = std::min(best, token.cost);
      best_final = std::min(best_final, token.cost + derived()->FinalCost(token.state));
    }
    return best_final == kInfinity ? kInfinity : best_final - best;
  }

  void SetSilence(std::vector<uint8_t> is_silence) override {
    trellis_.SetSilence(std::move(is_silence));
  }

  void StartCompact(const DeterminizeConfig& config) override {
    Start();
    determinizer_.emplace(config);
  }

  RawLattice Finish() override { return FinishPart().lattice; }

  CompactResult FinishCompact() override {
    if (!determinizer_) throw std::logic_error("search: expected a start with determinisation");
    const LatticePart part = FinishPart();
    CompactResult result{determinizer_->Finish(part), part.lattice.reached_final};
    determinizer_.reset();
    return result;
  }

  SearchMemory Memory() const override {
    const size_t buffers = trellis_.Bytes() + table_.Bytes() + links_.Bytes() +
                           expanded_.Bytes() + derived()->Bytes() +
                           (costs_.capacity() + scaled_.capacity()) * sizeof(float);
    if (!determinizer_) return {buffers, 0, 0};
    return {buffers, determinizer_->open_bytes(), determinizer_->done_bytes()};
  }

 protected:
  using Tokens = Trellis<State>;
  using Token = typename Tokens::Token;
  using RawFrame = typename Tokens::RawFrame;
  using RawLink = typename Tokens::RawLink;

  // Finds or adds up to `more` tokens of a frame; holds what the inner loops need, so that they can
  // keep it in registers, until Close.
  class TokenAdder {
   public:
    TokenAdder(Derived* search, RawFrame* frame, size_t more)
        : search_(search), frame_(frame), count_(static_cast<uint32_t>(frame->tokens.size())) {
      search->trellis_.raw_tokens().Reserve(&frame->tokens, more);
      tokens_ = frame->tokens.data();
      run_ = search->table_.Begin(count_, more);
    }

    // The state's token; its cost is now at most this. *better: it was more before, or there was
    // none.
    uint32_t Add(const State& state, float cost, bool* better) {
      bool is_new = false;
      const uint32_t number = run_.FindOrAdd(Derived::KeyOf(state), count_, &is_new);
      Token* const token = tokens_ + number;
      const float before = is_new ? std::numeric_limits<float>::infinity() : token->cost;
      *better = cost < before;
      Derived::Assign(state, is_new, &token->state);
      token->cost = std::min(cost, before);
      count_ += is_new;
      const uint32_t graph_state = Derived::GraphState(state);
      if (is_new && search_->mapped_.has_epsilons(graph_state)) {
        search_->mapped_.PrefetchEpsilons(graph_state);
        search_->unranked_.push_back(number);
      }
      return number;
    }

    void Prefetch(const State& state) const { run_.Prefetch(Derived::KeyOf(state)); }
    float cost(uint32_t token) const { return tokens_[token].cost; }

    void Close() {
      search_->trellis_.raw_tokens().SetSize(&frame_->tokens, count_);
      // By now the ranks, which are all over the memory, have arrived in the cache.
      for (const uint32_t number : search_->unranked_) {
        const uint32_t graph_state = Derived::GraphState(tokens_[number].state);
        search_->buckets_[search_->mapped_.rank(graph_state)].push_back(number);
      }
      search_->unranked_.clear();
    }

   private:
    Derived* search_;
    RawFrame* frame_;
    Token* tokens_;
    uint32_t count_;
    typename TokenTable<Key>::Run run_;
  };

  // Makes links to tokens of the next frame from up to `count` links whose targets are states, and
  // keeps those that matter, in frame->links.
  template <bool kLattice>
  class LinkMaker {
   public:
    LinkMaker(Derived* search, RawFrame* frame, RawFrame* next, size_t count)
        : search_(search),
          frame_(frame),
          next_(next),
          adder_(search, next, count),
          lattice_beam_(search->options_.lattice_beam) {
      search->trellis_.raw_links().Reserve(&frame->links, count + 1);
      links_ = out_ = frame->links.data();
      unwanted_ = links_ + count;
    }

    void Make(const State& target, uint32_t source, uint32_t arc, float total) {
      bool better = false;
      const uint32_t token = adder_.Add(target, total, &better);
      if (!kLattice) {
        // Link k leads to token k: there are never more tokens than links looked at.
        out_ = better ? links_ + token : unwanted_;
      }
      out_->source = source;
      out_->next = token;
      out_->arc = arc;
      out_->total = total;
      // No later improvement of the token can bring a worse link into the lattice beam.
      if (kLattice) out_ += total <= adder_.cost(token) + lattice_beam_;
    }

    void Prefetch(const State& target) const { adder_.Prefetch(target); }

    void Close() {
      adder_.Close();
      const size_t size =
          kLattice ? static_cast<size_t>(out_ - links_) : next_->tokens.size();
      search_->trellis_.raw_links().SetSize(&frame_->links, size);
      search_->stats_.links += size;
    }

   private:
    Derived* search_;
    RawFrame* frame_;
    RawFrame* next_;
    TokenAdder adder_;
    float lattice_beam_;
    RawLink* links_;
    RawLink* out_;
    RawLink* unwanted_;  // where links go that are not kept
  };

  // best_only: one link into every token, the best one.
  BeamSearch(const MappedGraph& mapped, const SearchOptions& options, bool best_only)
      : Search(mapped.num_pdfs()), mapped_(mapped), options_(options) {
    // An infinite beam must not make dead ends, which are infinitely bad, look alive.
    options_.beam = std::min(options.beam, 1e30f);
    options_.lattice_beam = best_only ? 0.0f : std::min(options.lattice_beam, 1e30f);
    buckets_.resize(static_cast<size_t>(mapped.max_rank()) + 1);
    scaled_.resize(mapped.num_pdfs());
  }

  // Empties everything; the frame before the first one is then trellis_.newest().
  void Clear() {
    trellis_.Start();
    determinizer_.reset();
    stats_ = SearchStats();
    active_ = true;
    table_.Clear(0);
  }

  // A bound for the costs of the next frame's tokens, from the arcs of the best token.
  float FirstBound(const MappedGraph::Arc* arcs, size_t num_arcs, float adaptive_beam) const {
    const float* const scaled = scaled_.data();
    float bound = std::numeric_limits<float>::infinity();
    for (size_t a = 0; a < num_arcs; ++a) {
      const float total = arcs[a].cost + scaled[arcs[a].label & MappedGraph::kPdfMask];
      bound = std::min(bound, total + adaptive_beam);
    }
    return bound;
  }

  // Lists, in expanded_, the tokens whose cost is at most this. Which ones they are cannot be
  // predicted: listed first, without a branch, they leave the loop that expands them without one,
  // and memory is prefetched for them alone.
  void ListExpanded(const FrameArray<Token>& tokens, float cost) {
    const size_t n = tokens.size();
    expanded_.clear();
    expanded_.Reserve(n);
    uint32_t* const expanded = expanded_.data();
    size_t count = 0;
    for (size_t i = 0; i < n; ++i) {
      expanded[count] = static_cast<uint32_t>(i);
      count += tokens[i].cost <= cost;
    }
    expanded_.SetSize(count);
  }

  // Appends links along a token's arcs, whose targets are still states of the graph, as far as
  // their costs do not exceed the bound; returns the bound, which they may lower.
  float AddLinks(uint32_t source, float base, const MappedGraph::Arc* arcs, uint32_t num_arcs,
                 float adaptive_beam, float bound, ReusableArray<RawLink>* links) const {
    const float* const scaled = scaled_.data();
    links->Reserve(num_arcs);
    RawLink* out = links->end();
    for (uint32_t a = 0; a < num_arcs; ++a) {
      const float total = base + arcs[a].cost + scaled[arcs[a].label & MappedGraph::kPdfMask];
      out->source = source;
      out->next = arcs[a].next;
      out->arc = a;
      out->total = total;
      out += total <= bound;
      bound = std::min(bound, total + adaptive_beam);
    }
    links->SetSize(static_cast<size_t>(out - links->data()));
    return bound;
  }

  // A link within the frame, if it matters.
  template <bool kLattice>
  void AddEpsilon(const State& target, uint32_t source, uint32_t arc, float total,
                  TokenAdder* adder, RawFrame* frame) {
    bool better = false;
    const uint32_t next = adder->Add(target, total, &better);
    if (kLattice ? total > adder->cost(next) + options_.lattice_beam : !better) return;
    trellis_.raw_epsilons().PushBack(&frame->epsilons, {source, next, arc, total});
  }

  const MappedGraph& mapped_;
  SearchOptions options_;
  Tokens trellis_;
  TokenTable<Key> table_;      // of the newest frame
  std::vector<float> scaled_;  // costs of the frame's pdfs
  std::vector<float> costs_;
  ReusableArray<uint32_t> expanded_;  // tokens of one frame
  ReusableArray<RawLink> links_;  // of one frame, in the making
  std::vector<uint32_t> unranked_;              // new tokens with non-emitting arcs
  std::vector<std::vector<uint32_t>> buckets_;  // the same, by rank

 private:
  struct Resolver {
    Derived* search;
    LinkValue operator()(const RawFrame& frame, const RawLink& link, bool epsilon) const {
      return search->Resolve(frame, link, epsilon);
    }
  };

  Derived* derived() { return static_cast<Derived*>(this); }
  const Derived* derived() const { return static_cast<const Derived*>(this); }

  void CheckActive() const {
    if (!active_) throw std::logic_error("search: expected an utterance in progress");
  }

  void Step(const float* row) {
    const size_t num_pdfs = scaled_.size();
    for (size_t i = 0; i < num_pdfs; ++i) scaled_[i] = -options_.acoustic_scale * row[i];
    trellis_.newest().row.assign(row, row + num_pdfs);
    derived()->BeforeStep();
    table_.Clear(trellis_.newest().tokens.size());
    RawFrame& next = trellis_.AddFrame();
    RawFrame& frame = trellis_.before_newest();
    const float cutoff = derived()->Expand(&frame);
    if (options_.lattice_beam > 0.0f) {
      derived()->template MakeTokens<true>(cutoff, &frame, &next);
      derived()->template CloseEpsilons<true>(cutoff, &next);
    } else {
      derived()->template MakeTokens<false>(cutoff, &frame, &next);
      derived()->template CloseEpsilons<false>(cutoff, &next);
    }
    if (next.tokens.empty()) {
      active_ = false;
      throw std::runtime_error("search: no path through the graph goes on after frame " +
                               std::to_string(num_frames()));
    }
    ++stats_.frames;
    if (stats_.frames % options_.prune_interval == 0) {
      trellis_.Prune(options_.lattice_beam, options_.lattice_beam * options_.prune_scale,
                     Resolver{derived()});
      if (determinizer_ && trellis_.HasMoreLinks(options_.max_kept_links)) {
        determinizer_->Add(trellis_.CutPart());
      }
    }
  }

  LatticePart FinishPart() {
    CheckActive();
    active_ = false;
    return trellis_.Finish(options_.lattice_beam, Resolver{derived()}, [this](const Token& token) {
      return derived()->FinalCost(token.state);
    });
  }

  std::optional<IncrementalDeterminizer> determinizer_;
  bool active_ = false;
};

}  // namespace decoding

#endif  // DECODING_CSRC_SEARCH_BEAM_SEARCH_H_
