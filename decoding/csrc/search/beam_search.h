// What the static and the on-the-fly search have in common: frames go by one at a time, after
// Kaldi's LatticeFasterDecoder, over contiguous arrays.
#ifndef DECODING_BEAM_SEARCH_H_
#define DECODING_BEAM_SEARCH_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "decoding/csrc/search/growing.h"
#include "decoding/csrc/graph/mapped_graph.h"
#include "decoding/csrc/search/raw_lattice.h"
#include "decoding/csrc/search/search_config.h"
#include "decoding/csrc/search/token_table.h"
#include "decoding/csrc/search/trellis.h"

namespace decoding {

// One utterance at a time: Start (Derived's), any number of Advance, Finish; then Start again.
// Results do not depend on how the frames are cut into calls of Advance. With a lattice beam of 0
// every token keeps one link only, the best one into it, and the lattice is the best path.
//
// State: what a token is known by; Key: the same as an integer. Derived has, for its frames,
//   void BeforeStep()                                    before a frame's tokens are expanded
//   float Expand(RawFrame* frame)                        arcs to links; the next frame's cutoff
//   void MakeTokens<kLattice>(cutoff, frame, next)       links' targets to tokens
//   void CloseEpsilons<kLattice>(cutoff, frame)          non-emitting arcs within a frame
//   LinkValue Resolve(frame, link, epsilon)              a link's labels and costs
//   float FinalCost(state)
template <typename Derived, typename State, typename Key>
class BeamSearch {
 public:
  // scores: [num_frames, num_pdfs()], row-major, finite natural-log likelihoods.
  // Throws std::runtime_error if no path through the graph is that long.
  void Advance(const float* scores, size_t num_frames) {
    if (!active_) throw std::logic_error("search: advance before start or after finish");
    for (size_t t = 0; t < num_frames; ++t) Step(scores + t * scaled_.size());
  }

  // Best path to any state, final or not, by the tokens' costs.
  RawPath Partial() {
    if (!active_) throw std::logic_error("search: partial before start or after finish");
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

  // Prunes with the final costs; if no final state was reached, all last states count as final.
  RawLattice Finish() {
    if (!active_) throw std::logic_error("search: finish before start or after finish");
    active_ = false;
    return trellis_.Finish(config_.lattice_beam, Resolver{derived()}, [this](const Token& token) {
      return derived()->FinalCost(token.state);
    });
  }

  size_t num_pdfs() const { return scaled_.size(); }
  size_t num_frames() const { return stats_.frames; }
  const SearchStats& stats() const { return stats_; }

 protected:
  using Tokens = Trellis<State>;
  using Token = typename Tokens::Token;
  using RawFrame = typename Tokens::RawFrame;
  using RawLink = typename Tokens::RawLink;

  BeamSearch(const MappedGraph& mapped, const SearchConfig& config)
      : mapped_(mapped), config_(config) {
    // An infinite beam must not make dead ends, which are infinitely bad, look alive.
    config_.beam = std::min(config_.beam, 1e30f);
    config_.lattice_beam = std::min(config_.lattice_beam, 1e30f);
    buckets_.resize(static_cast<size_t>(mapped.max_rank()) + 1);
    scaled_.resize(mapped.num_pdfs());
  }

  // Empties everything; the frame before the first one is then trellis_.newest().
  void Clear() {
    trellis_.Start();
    stats_ = SearchStats();
    active_ = true;
    table_.Clear(0);
  }

  const MappedGraph& mapped_;
  SearchConfig config_;
  SearchStats stats_;
  Tokens trellis_;
  TokenTable<Key> table_;      // of the newest frame
  std::vector<float> scaled_;  // costs of the frame's pdfs
  std::vector<float> costs_;
  std::vector<std::vector<uint32_t>> buckets_;  // new tokens with non-emitting arcs, by rank

 private:
  struct Resolver {
    Derived* search;
    LinkValue operator()(const RawFrame& frame, const RawLink& link, bool epsilon) const {
      return search->Resolve(frame, link, epsilon);
    }
  };

  Derived* derived() { return static_cast<Derived*>(this); }

  void Step(const float* row) {
    const size_t num_pdfs = scaled_.size();
    for (size_t i = 0; i < num_pdfs; ++i) scaled_[i] = -config_.acoustic_scale * row[i];
    trellis_.newest().row.assign(row, row + num_pdfs);
    derived()->BeforeStep();
    table_.Clear(trellis_.newest().tokens.size());
    RawFrame& next = trellis_.AddFrame();
    RawFrame& frame = trellis_.before_newest();
    const float cutoff = derived()->Expand(&frame);
    if (config_.lattice_beam > 0.0f) {
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
    if (stats_.frames % config_.prune_interval == 0) {
      trellis_.Prune(config_.lattice_beam, config_.lattice_beam * config_.prune_scale,
                     Resolver{derived()});
    }
  }

  bool active_ = false;
};

}  // namespace decoding

#endif  // DECODING_BEAM_SEARCH_H_
