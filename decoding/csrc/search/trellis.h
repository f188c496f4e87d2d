// The tokens and links of a beam search, frame by frame, their pruning by the lattice beam, and the
// raw lattice made of what is left. A token's state is a type of the search's own: the static
// search has states of a graph, the on-the-fly search pairs of a graph's state and a history.
//
// The newest frames are raw: all tokens, and links of 16 bytes written in the search's inner loop.
// Every prune_interval frames, Prune goes over them backwards, keeps the few that are on a path
// within the lattice beam, and only then asks the search for their labels and costs.
#ifndef DECODING_TRELLIS_H_
#define DECODING_TRELLIS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "decoding/csrc/search/reusable_array.h"
#include "decoding/csrc/search/raw_lattice.h"

namespace decoding {

// What a link that was kept means.
struct LinkValue {
  int32_t tid;  // 0: within a frame
  int32_t word;
  float graph_cost;
  float acoustic_cost;  // unscaled
};

// Frames that have been pruned; the part of the trellis that does not depend on the search.
class KeptTrellis {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Link {
    uint32_t source;  // token of the frame
    uint32_t next;    // token of the next frame (tid != 0) or of the same frame
    float total;      // cost of the path that ends with this link, in the target's frame
    LinkValue value;
  };
  struct Frame {
    size_t tokens;  // where the frame's begin in costs_ and extras_
    size_t links;   // where the frame's begin in links_: first to the next frame, then epsilons
    uint32_t num_tokens;
    uint32_t num_links;
    uint32_t num_epsilons;
  };

 protected:
  void Clear();
  // Prunes the frames before `end` again, backwards; remap_ tells how the tokens of frame `end`
  // moved. Stops where nothing changes by more than delta, unless all are wanted.
  void PruneKept(size_t end, bool all, float lattice_beam, float delta);
  // Frees what pruning left behind, if that is more than what is in use.
  void Compact();
  // final_costs: of the last frame's tokens.
  RawLattice MakeLattice(const std::vector<float>& final_costs, bool reached_final) const;
  // The link into a token of frame f + 1 (epsilon: of frame f) that has the token's own cost.
  const Link* FindBack(size_t f, bool epsilon, uint32_t token, float cost) const;

  std::vector<Frame> frames_;
  // All frames' tokens and links: arrays that grow once and serve all utterances.
  std::vector<float> costs_;
  std::vector<float> extras_;  // how much worse than the best the best path through a token is
  std::vector<Link> links_;
  std::vector<uint32_t> remap_;  // where the tokens of the frame after went; empty: none moved

 private:
  bool PruneFrame(size_t f, float lattice_beam, float delta);

  std::vector<float> scratch_;
  std::vector<uint32_t> next_remap_;
  std::vector<float> spare_costs_;
  std::vector<float> spare_extras_;
  std::vector<Link> spare_links_;
};

// State: what the search knows a token by.
template <typename State>
class Trellis : public KeptTrellis {
 public:
  struct Token {
    State state;
    float cost;  // relative to the best token of the frame before
  };
  struct RawLink {
    uint32_t source;  // token of the frame
    uint32_t next;    // token of the next frame, or, for epsilons, of the same frame
    uint32_t arc;     // the search's own
    float total;      // cost of the path that ends with this link, in the target's frame
  };
  struct RawFrame {
    ReusableArray<Token> tokens;
    ReusableArray<RawLink> links;     // to the next frame
    ReusableArray<RawLink> epsilons;  // within the frame, sources in topological order
    std::vector<float> row;     // the scores by which the links were made

    void Clear() {
      tokens.clear();
      links.clear();
      epsilons.clear();
      row.clear();
    }
  };

  // Frame f holds the tokens after f frames of scores.
  RawFrame& newest() { return raw_.back(); }
  const RawFrame& newest() const { return raw_.back(); }
  RawFrame& before_newest() { return raw_[raw_.size() - 2]; }

  void Start() {
    while (!raw_.empty()) Recycle();
    Clear();
    AddFrame();
  }

  RawFrame& AddFrame() {
    if (spare_.empty()) {
      raw_.emplace_back();
    } else {
      raw_.push_back(std::move(spare_.back()));
      spare_.pop_back();
    }
    return raw_.back();
  }

  // Keeps what is on a path within lattice_beam of the best to some token of the newest frame.
  // resolve(const RawFrame&, const RawLink&, bool epsilon) -> LinkValue.
  template <typename Resolve>
  void Prune(float lattice_beam, float delta, const Resolve& resolve) {
    if (raw_.size() <= kStayRaw + 1) return;
    next_.clear();
    for (const Token& token : newest().tokens) next_.push_back({token.cost, 0.0f});
    remap_.clear();
    // In the newest frames most tokens still have a future: keeping them would be for nothing.
    const size_t count = raw_.size() - 1;
    const size_t num_kept = count - kStayRaw;
    const size_t base = frames_.size();
    frames_.resize(base + num_kept);
    for (size_t r = count; r-- > num_kept;) {
      FindExtras(raw_[r], lattice_beam);
      SetNext(raw_[r]);
      remap_.clear();
    }
    for (size_t r = num_kept; r-- > 0;) Keep(base, r, lattice_beam, resolve);
    PruneKept(base, false, lattice_beam, delta);
    Compact();
    std::rotate(raw_.begin(), raw_.begin() + static_cast<std::ptrdiff_t>(num_kept), raw_.end());
    for (size_t r = 0; r < num_kept; ++r) Recycle();
  }

  // Prunes with final costs and makes the lattice. final_cost(const Token&) is added to a token's
  // cost; if all are infinite, all last tokens are final at no cost.
  template <typename Resolve, typename FinalCost>
  RawLattice Finish(float lattice_beam, const Resolve& resolve, const FinalCost& final_cost) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const ReusableArray<Token>& last = newest().tokens;
    std::vector<float> finals;
    for (const Token& token : last) finals.push_back(final_cost(token));
    const bool reached_final =
        std::any_of(finals.begin(), finals.end(), [](float cost) { return cost < kInfinity; });
    if (!reached_final) finals.assign(finals.size(), 0.0f);
    float best = kInfinity;
    for (size_t i = 0; i < last.size(); ++i) best = std::min(best, last[i].cost + finals[i]);
    // As if each led with its final cost to one token of a frame after.
    extras_of_raw_.clear();
    for (size_t i = 0; i < last.size(); ++i) {
      extras_of_raw_.push_back(last[i].cost + finals[i] - best);
    }
    survivors_.clear();
    const size_t base = frames_.size();
    frames_.resize(base + raw_.size());
    FindEpsilonExtras(newest(), lattice_beam);
    KeepSurvivors(base, raw_.size() - 1, lattice_beam, resolve);
    std::vector<float> kept_finals;
    for (const uint32_t token : order_) kept_finals.push_back(finals[token]);
    for (size_t r = raw_.size() - 1; r-- > 0;) Keep(base, r, lattice_beam, resolve);
    PruneKept(base, true, lattice_beam, -1.0f);
    // Kept frames' tokens may have moved since, the last frame's have not: nothing comes after it.
    return MakeLattice(kept_finals, reached_final);
  }

  // The links of the best path to the newest frame, newest first: visit(const LinkValue&).
  template <typename Resolve, typename Visit>
  void VisitBestPath(const Resolve& resolve, const Visit& visit) const {
    const ReusableArray<Token>& last = newest().tokens;
    const auto cheaper = [](const Token& a, const Token& b) { return a.cost < b.cost; };
    uint32_t token = static_cast<uint32_t>(std::min_element(last.begin(), last.end(), cheaper) -
                                           last.begin());
    // A token's cost is that of one of the links into it, bit for bit: the one to trace back.
    float cost = last[token].cost;
    for (size_t r = raw_.size(); r-- > 0;) {
      const RawFrame& frame = raw_[r];
      const auto is_best = [&](const RawLink& link) {
        return link.next == token && link.total == cost;
      };
      // Only a token's best epsilon link can have its cost.
      for (const RawLink* link = nullptr;
           (link = std::find_if(frame.epsilons.begin(), frame.epsilons.end(), is_best)) !=
           frame.epsilons.end();) {
        visit(resolve(frame, *link, true));
        token = link->source;
        cost = frame.tokens[token].cost;
      }
      if (r == 0) break;
      const RawFrame& before = raw_[r - 1];
      const RawLink* const link =
          std::find_if(before.links.begin(), before.links.end(), is_best);
      visit(resolve(before, *link, false));
      token = link->source;
      cost = before.tokens[token].cost;
    }
    for (size_t f = frames_.size(); f-- > 0;) {
      const Link* link = FindBack(f, false, token, cost);
      for (; link != nullptr; link = FindBack(f, true, token, cost)) {
        visit(link->value);
        token = link->source;
        cost = costs_[frames_[f].tokens + token];
      }
    }
  }

 private:
  static constexpr size_t kStayRaw = 20;  // frames before the newest

  struct Next {
    float cost;
    float extra;  // infinite: not kept
  };
  void Recycle() {
    raw_.back().Clear();
    spare_.push_back(std::move(raw_.back()));
    raw_.pop_back();
  }

  // Extra costs of a raw frame's tokens, in extras_of_raw_, from those of the frame after, and in
  // survivors_ the links within the lattice beam: num_emitting_, then the epsilons.
  void FindExtras(const RawFrame& frame, float lattice_beam) {
    extras_of_raw_.assign(frame.tokens.size(), std::numeric_limits<float>::infinity());
    survivors_.clear();
    const Next* const next = next_.data();
    for (size_t i = 0; i < frame.links.size(); ++i) {
      const RawLink& link = frame.links[i];
      const float extra = next[link.next].extra + (link.total - next[link.next].cost);
      if (extra > lattice_beam) continue;
      survivors_.push_back(static_cast<uint32_t>(i));
      extras_of_raw_[link.source] = std::min(extras_of_raw_[link.source], extra);
    }
    FindEpsilonExtras(frame, lattice_beam);
  }

  void FindEpsilonExtras(const RawFrame& frame, float lattice_beam) {
    std::vector<float>& extras = extras_of_raw_;
    num_emitting_ = survivors_.size();
    // Sources are in topological order: backwards, a target's extra cost is complete before the
    // links into it are seen.
    for (size_t i = frame.epsilons.size(); i-- > 0;) {
      const RawLink& link = frame.epsilons[i];
      const float extra = extras[link.next] + (link.total - frame.tokens[link.next].cost);
      if (extra > lattice_beam) continue;
      survivors_.push_back(static_cast<uint32_t>(i));
      extras[link.source] = std::min(extras[link.source], extra);
    }
    std::reverse(survivors_.begin() + static_cast<std::ptrdiff_t>(num_emitting_),
                 survivors_.end());
  }

  void SetNext(const RawFrame& frame) {
    const size_t n = frame.tokens.size();
    next_.resize(n);
    for (size_t i = 0; i < n; ++i) next_[i] = {frame.tokens[i].cost, extras_of_raw_[i]};
  }

  // Makes frame base + r of raw frame r. next_ and remap_ describe the tokens of the frame after,
  // and then those of this frame.
  template <typename Resolve>
  void Keep(size_t base, size_t r, float lattice_beam, const Resolve& resolve) {
    FindExtras(raw_[r], lattice_beam);
    KeepSurvivors(base, r, lattice_beam, resolve);
  }

  template <typename Resolve>
  void KeepSurvivors(size_t base, size_t r, float lattice_beam, const Resolve& resolve) {
    const RawFrame& frame = raw_[r];
    const size_t n = frame.tokens.size();
    remap_.swap(remap_of_next_);
    order_.clear();
    remap_.assign(n, kNone);
    Frame& kept = frames_[base + r];
    kept.tokens = costs_.size();
    for (size_t i = 0; i < n; ++i) {
      if (extras_of_raw_[i] > lattice_beam) {
        extras_of_raw_[i] = std::numeric_limits<float>::infinity();
        continue;
      }
      remap_[i] = static_cast<uint32_t>(order_.size());
      order_.push_back(static_cast<uint32_t>(i));
      costs_.push_back(frame.tokens[i].cost);
      extras_.push_back(extras_of_raw_[i]);
    }
    SetNext(frame);
    kept.num_tokens = static_cast<uint32_t>(order_.size());
    kept.links = links_.size();
    kept.num_links = static_cast<uint32_t>(num_emitting_);
    kept.num_epsilons = static_cast<uint32_t>(survivors_.size() - num_emitting_);
    for (size_t i = 0; i < survivors_.size(); ++i) {
      const bool epsilon = i >= num_emitting_;
      const RawLink& link = (epsilon ? frame.epsilons : frame.links)[survivors_[i]];
      uint32_t target = link.next;
      if (epsilon) {
        target = remap_[target];
      } else if (!remap_of_next_.empty()) {
        target = remap_of_next_[target];
      }
      links_.push_back({remap_[link.source], target, link.total, resolve(frame, link, epsilon)});
    }
  }

  std::vector<RawFrame> raw_;
  std::vector<RawFrame> spare_;  // frames whose buffers serve again
  std::vector<float> extras_of_raw_;
  std::vector<Next> next_;
  std::vector<uint32_t> survivors_;
  size_t num_emitting_ = 0;
  std::vector<uint32_t> remap_of_next_;
  std::vector<uint32_t> order_;
};

}  // namespace decoding

#endif  // DECODING_TRELLIS_H_
