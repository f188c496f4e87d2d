// The tokens and links of a beam search, frame by frame, their pruning by the lattice beam, and the
// raw lattice made of what is left. A token's state is a type of the search's own: the static
// search has states of a graph, the on-the-fly search pairs of a graph's state and a history.
//
// The newest frames are raw: all tokens, and links of 16 bytes written in the search's inner loop.
// Every prune_interval frames, Prune goes over them backwards, keeps the few that are on a path
// within the lattice beam, and only then asks the search for their labels and costs.
#ifndef DECODING_CSRC_SEARCH_TRELLIS_H_
#define DECODING_CSRC_SEARCH_TRELLIS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "decoding/csrc/search/frame_arena.h"
#include "decoding/csrc/lattice/raw_lattice.h"
#include "decoding/csrc/search/reusable_array.h"
#include "decoding/csrc/search/word_histories.h"

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

  size_t Bytes() const;
  // Whether there are more links in several kept frames.
  bool HasMoreLinks(size_t count) const { return num_kept_links_ > count && frames_.size() > 1; }
  // Gives away the kept frames before the one of the later half that the fewest tokens enter.
  LatticePart CutPart();

  // Whether a transition-id is one of a silence phone.
  void SetSilence(std::vector<uint8_t> is_silence) { is_silence_ = std::move(is_silence); }

 protected:
  // The best path to a token.
  struct History {
    uint32_t words = kNone;  // in word_histories_; kNone: nothing leads to the token
    uint32_t silence = 0;    // frames of silence at its end
  };

  void Clear();
  // Prunes the frames before `end` again, backwards; remap_ tells how the tokens of frame `end`
  // moved. Stops where nothing changes by more than delta, unless all are wanted.
  void PruneKept(size_t end, bool all, float lattice_beam, float delta);
  // Frees what pruning left behind, if that is more than what is in use.
  void Compact();
  // Of the frames before `end`; of the tokens of that, where it exists, only the states.
  // final_costs: of the last frame's tokens, where all frames are wanted.
  LatticePart MakePart(size_t end, const std::vector<float>& final_costs) const;
  // The link into a token of frame f + 1 (epsilon: of frame f) that has the token's own cost.
  const Link* FindBack(size_t f, bool epsilon, uint32_t token, float cost) const;
  bool IsSilence(int32_t tid) const {
    return static_cast<size_t>(tid) < is_silence_.size() && is_silence_[tid] != 0;
  }
  // Takes histories_ from the tokens that emitting links lead to in frame `begin` on to those of
  // the frame after the last kept one, whose tokens have these costs.
  void AdvanceHistories(size_t begin, const std::vector<float>& costs_after);

  std::vector<Frame> frames_;
  // All frames' tokens and links: arrays that grow once and serve all utterances.
  std::vector<float> costs_;
  std::vector<float> extras_;  // how much worse than the best the best path through a token is
  std::vector<Link> links_;
  std::vector<uint32_t> remap_;  // where the tokens of the frame after went; empty: none moved
  // Of the first kept frame's tokens: which exit of the part that was cut off they are, kNone: they
  // are entered within the frame. The start is the exit of nothing.
  std::vector<uint32_t> exits_;
  size_t num_exits_ = 1;
  // Of the tokens of the frame after the kept ones that emitting links lead to.
  std::vector<History> histories_;
  WordHistories word_histories_;

 private:
  bool PruneFrame(size_t f, float lattice_beam, float delta);
  // Which tokens emitting links lead to in frame f > 0; returns how many.
  size_t FindEntered(size_t f, std::vector<char>* entered) const;

  size_t num_kept_links_ = 0;
  std::vector<float> scratch_;
  std::vector<uint32_t> next_remap_;
  std::vector<float> spare_costs_;
  std::vector<float> spare_extras_;
  std::vector<Link> spare_links_;
  std::vector<uint8_t> is_silence_;
  std::vector<History> next_histories_;
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
    FrameArray<Token> tokens;
    FrameArray<RawLink> links;     // to the next frame
    FrameArray<RawLink> epsilons;  // within the frame, sources in topological order
    std::vector<float> row;        // the scores by which the links were made
  };

  // Frame f holds the tokens after f frames of scores.
  RawFrame& newest() { return raw_.back(); }
  const RawFrame& newest() const { return raw_.back(); }
  RawFrame& before_newest() { return raw_[raw_.size() - 2]; }
  // In which the newest frame's tokens and epsilons grow, and the links of the frame before it.
  FrameArena<Token>& raw_tokens() { return raw_tokens_; }
  FrameArena<RawLink>& raw_links() { return raw_links_; }
  FrameArena<RawLink>& raw_epsilons() { return raw_epsilons_; }

  void Start() {
    while (!raw_.empty()) Recycle();
    raw_tokens_.Clear();
    raw_links_.Clear();
    raw_epsilons_.Clear();
    Clear();
    path_.clear();
    AddFrame();
  }

  size_t Bytes() const {
    size_t bytes = KeptTrellis::Bytes() + path_.capacity() * sizeof(PathFrame) +
                   next_.capacity() * sizeof(Next) + raw_tokens_.Bytes() + raw_links_.Bytes() +
                   raw_epsilons_.Bytes();
    for (const std::vector<RawFrame>* frames : {&raw_, &spare_}) {
      for (const RawFrame& frame : *frames) bytes += frame.row.capacity() * sizeof(float);
    }
    return bytes;
  }

  RawFrame& AddFrame() {
    if (!raw_.empty()) raw_links_.Open(&raw_.back().links);
    if (spare_.empty()) {
      raw_.emplace_back();
    } else {
      raw_.push_back(std::move(spare_.back()));
      spare_.pop_back();
    }
    raw_tokens_.Open(&raw_.back().tokens);
    raw_epsilons_.Open(&raw_.back().epsilons);
    raw_.back().links = FrameArray<RawLink>();  // opened with the frame after
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
    // Every best path to a token of the newest frame leads through one of these: no link of such a
    // path costs more than its target's own best, so that the extra cost is exactly zero.
    costs_after_.clear();
    is_shared_.clear();
    for (const Next& next : next_) {
      costs_after_.push_back(next.cost);
      is_shared_.push_back(next.extra == 0.0f);
    }
    for (size_t r = num_kept; r-- > 0;) Keep(base, r, lattice_beam, resolve);
    KeepHistories(base);
    PruneKept(base, false, lattice_beam, delta);
    Compact();
    std::rotate(raw_.begin(), raw_.begin() + static_cast<std::ptrdiff_t>(num_kept), raw_.end());
    for (size_t r = 0; r < num_kept; ++r) {
      raw_tokens_.DropOldest();
      raw_links_.DropOldest();
      raw_epsilons_.DropOldest();
      Recycle();
    }
    path_.erase(path_.begin(),
                path_.begin() + static_cast<std::ptrdiff_t>(std::min(num_kept, path_.size())));
  }

  // Prunes with final costs and makes the lattice of what was not cut off.
  // final_cost(const Token&) is added to a token's cost; if all are infinite, all last tokens are final at no cost.
  template <typename Resolve, typename FinalCost>
  LatticePart Finish(float lattice_beam, const Resolve& resolve, const FinalCost& final_cost) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const FrameArray<Token>& last = newest().tokens;
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
    LatticePart part = MakePart(frames_.size(), kept_finals);
    part.lattice.reached_final = reached_final;
    return part;
  }

  // The words of the best path to the newest frame: those that were committed since the last call,
  // which every path to come begins with, and the others. Takes time in proportion to the frames
  // that are new and those in which the best path is another one than at the last call.
  template <typename Resolve>
  PathWords UpdateBestPath(const Resolve& resolve) {
    TraceBestPath(resolve);
    PathWords words;
    words.committed = word_histories_.TakeCommitted();
    word_histories_.AppendWords(histories_[path_.front().entry].words, &words.tentative);
    for (size_t r = 0; r < path_.size(); ++r) {
      const PathFrame& step = path_[r];
      if (r > 0 && step.entry_word != 0) words.tentative.push_back(step.entry_word);
      words.tentative.insert(words.tentative.end(), step.words.begin(), step.words.end());
    }
    return words;
  }

  // Frames of silence at the end of that path.
  template <typename Resolve>
  uint32_t TrailingSilence(const Resolve& resolve) {
    TraceBestPath(resolve);
    uint32_t frames = 0;
    for (size_t r = path_.size(); r-- > 1; ++frames) {
      if (!path_[r].silence) return frames;
    }
    return frames + histories_[path_.front().entry].silence;
  }

  // The links of the best path to the newest frame, newest first: visit(const LinkValue&).
  template <typename Resolve, typename Visit>
  void VisitBestPath(const Resolve& resolve, const Visit& visit) const {
    uint32_t token = BestToken();
    // A token's cost is that of one of the links into it, bit for bit: the one to trace back.
    float cost = newest().tokens[token].cost;
    for (size_t r = raw_.size(); r-- > 0;) {
      const RawFrame& frame = raw_[r];
      while (const RawLink* const link = FindRawBack(frame.epsilons, token, cost)) {
        visit(resolve(frame, *link, true));
        token = link->source;
        cost = frame.tokens[token].cost;
      }
      if (r == 0) break;
      const RawFrame& before = raw_[r - 1];
      const RawLink* const link = FindRawBack(before.links, token, cost);
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
  // The best path in one raw frame.
  struct PathFrame {
    uint32_t token;  // by which it leaves the frame
    uint32_t entry;  // by which it enters the frame
    // Of the link into the frame; of the first raw frame, they are part of the entry's history.
    int32_t entry_word;
    bool silence;
    std::vector<int32_t> words;  // of the links within the frame
  };

  uint32_t BestToken() const {
    const FrameArray<Token>& last = newest().tokens;
    const auto cheaper = [](const Token& a, const Token& b) { return a.cost < b.cost; };
    return static_cast<uint32_t>(std::min_element(last.begin(), last.end(), cheaper) -
                                 last.begin());
  }

  // The link into a token that has the token's own cost; only its best epsilon link can have that.
  static const RawLink* FindRawBack(const FrameArray<RawLink>& links, uint32_t token,
                                    float cost) {
    const RawLink* const link = std::find_if(links.begin(), links.end(), [&](const RawLink& each) {
      return each.next == token && each.total == cost;
    });
    return link == links.end() ? nullptr : link;
  }

  // Brings path_ up to date, backwards from the newest frame to where it is as before.
  template <typename Resolve>
  void TraceBestPath(const Resolve& resolve) {
    size_t r = raw_.size() - 1;
    size_t known = path_.size();
    path_.resize(raw_.size());
    for (uint32_t token = BestToken();; --r) {
      PathFrame& step = path_[r];
      if (r < known && step.token == token) return;
      const RawFrame& frame = raw_[r];
      step = {token, token, 0, false, {}};
      float cost = frame.tokens[token].cost;
      while (const RawLink* const link = FindRawBack(frame.epsilons, token, cost)) {
        const int32_t word = resolve(frame, *link, true).word;
        if (word != 0) step.words.insert(step.words.begin(), word);
        token = link->source;
        cost = frame.tokens[token].cost;
      }
      step.entry = token;
      if (r == 0) return;
      const RawFrame& before = raw_[r - 1];
      const RawLink* const link = FindRawBack(before.links, token, cost);
      const LinkValue value = resolve(before, *link, false);
      step.entry_word = value.word;
      step.silence = IsSilence(value.tid);
      token = link->source;
    }
  }

  // After frames from `base` on were kept: their part of the best paths goes to the histories of
  // the tokens that every best path leads through in the first frame that stays raw.
  void KeepHistories(size_t base) {
    // The tokens of the first of these frames have moved.
    histories_.resize(remap_.size());
    size_t count = 0;
    for (size_t i = 0; i < remap_.size(); ++i) {
      if (remap_[i] != kNone) histories_[count++] = histories_[i];
    }
    histories_.resize(count);
    AdvanceHistories(base, costs_after_);
    in_use_.clear();
    for (size_t i = 0; i < histories_.size(); ++i) {
      if (!is_shared_[i]) histories_[i] = History();
      if (histories_[i].words != kNone) in_use_.push_back(histories_[i].words);
    }
    word_histories_.Commit(&in_use_);
    size_t at = 0;
    for (History& history : histories_) {
      if (history.words != kNone) history.words = in_use_[at++];
    }
  }

  void Recycle() {
    spare_.push_back(std::move(raw_.back()));
    raw_.pop_back();
  }

  // Extra costs of a raw frame's tokens, in extras_of_raw_, from those of the frame after, and in
  // survivors_ the links within the lattice beam: num_emitting_, then the epsilons.
  void FindExtras(const RawFrame& frame, float lattice_beam) {
    extras_of_raw_.assign(frame.tokens.size(), std::numeric_limits<float>::infinity());
    const Next* const next = next_.data();
    const RawLink* const links = frame.links.data();
    const size_t num_links = frame.links.size();
    // Few links survive, but which ones cannot be predicted: no branch depends on it.
    survivors_.clear();
    survivors_.Reserve(num_links);
    uint32_t* const survivors = survivors_.data();
    const auto extra_of = [next](const RawLink& link) {
      return next[link.next].extra + (link.total - next[link.next].cost);
    };
    size_t count = 0;
    for (size_t i = 0; i < num_links; ++i) {
      survivors[count] = static_cast<uint32_t>(i);
      count += extra_of(links[i]) <= lattice_beam;
    }
    survivors_.SetSize(count);
    float* const extras = extras_of_raw_.data();
    for (size_t k = 0; k < count; ++k) {
      const RawLink& link = links[survivors[k]];
      extras[link.source] = std::min(extras[link.source], extra_of(link));
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
    std::reverse(survivors_.begin() + num_emitting_, survivors_.end());
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
    if (base + r == 0) {
      exits_.assign(order_.size(), kNone);
      exits_[0] = 0;  // tokens keep their order, and the start survives
    }
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

  FrameArena<Token> raw_tokens_;
  FrameArena<RawLink> raw_links_;
  FrameArena<RawLink> raw_epsilons_;
  std::vector<RawFrame> raw_;
  std::vector<RawFrame> spare_;  // frames whose rows serve again
  std::vector<float> extras_of_raw_;
  std::vector<Next> next_;
  ReusableArray<uint32_t> survivors_;
  size_t num_emitting_ = 0;
  std::vector<uint32_t> remap_of_next_;
  std::vector<uint32_t> order_;
  std::vector<PathFrame> path_;  // of the raw frames, as of the last call that asked for it
  // Of the tokens of the first frame that stays raw when the others are kept:
  std::vector<float> costs_after_;
  std::vector<char> is_shared_;
  std::vector<uint32_t> in_use_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_SEARCH_TRELLIS_H_
