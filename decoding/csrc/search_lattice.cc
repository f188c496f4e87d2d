// The lattice side of the search: pruning of forward links, and the raw lattice at the end.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "search.h"

namespace decoding {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

// Backwards from the newest frame, drops links and tokens that are on no path within the lattice
// beam of the best (LatticeFasterDecoder::PruneActiveTokens). Stops at frames pruned before, as
// soon as nothing changes by more than delta, unless all are wanted.
void Search::Prune(bool all, float delta) {
  if (!all) remap_.clear();  // nothing in the newest frame moves; PruneLastFrame sets it otherwise
  Frame& newest = frames_.back();
  if (!all) newest.extras.assign(newest.tokens.size(), 0.0f);
  for (size_t f = frames_.size() - 1; f-- > 0;) {
    Frame& frame = frames_[f];
    const bool first_time = !frame.pruned;
    const bool changed = PruneFrame(&frame, frames_[f + 1], delta);
    if (first_time) {
      // What is left is small: it moves to vectors of its size, the big ones are used again.
      Frame kept;
      kept.tokens = frame.tokens;
      kept.extras = frame.extras;
      kept.links = frame.links;
      kept.epsilons = frame.epsilons;
      kept.pruned = true;
      std::swap(frame, kept);
      kept.tokens.clear();
      kept.extras.clear();
      kept.links.clear();
      kept.epsilons.clear();
      kept.pruned = false;
      spare_.push_back(std::move(kept));
    } else if (!changed && !all) {
      break;
    }
  }
}

// Returns whether a token was removed or its extra cost changed by more than delta.
bool Search::PruneFrame(Frame* frame, const Frame& next, float delta) {
  extras_.assign(frame->tokens.size(), kInfinity);
  size_t kept = 0;
  for (const Link& link : frame->links) {
    const uint32_t target = remap_.empty() ? link.next : remap_[link.next];
    if (target == kNone) continue;
    // Rounding may make the difference slightly negative.
    const float extra =
        next.extras[target] + std::max(0.0f, link.total - next.tokens[target].cost);
    if (extra > config_.lattice_beam) continue;
    extras_[link.source] = std::min(extras_[link.source], extra);
    Link& out = frame->links[kept++];
    out = link;
    out.next = target;
  }
  frame->links.resize(kept);
  PruneEpsilons(frame, &extras_);

  bool changed = frame->extras.size() != extras_.size();
  for (size_t i = 0; i < extras_.size() && !changed; ++i) {
    // Infinity here is a removed token: it differs by more than any delta.
    changed = std::fabs(extras_[i] - frame->extras[i]) > delta;
  }
  RemoveTokens(frame);
  return changed;
}

// Sources ascend in rank: backwards, all links of a target are seen before the links into it.
void Search::PruneEpsilons(Frame* frame, std::vector<float>* extras) const {
  std::vector<Link>& links = frame->epsilons;
  for (size_t i = links.size(); i-- > 0;) {
    Link& link = links[i];
    const float extra = (*extras)[link.next] +
                        std::max(0.0f, link.total - frame->tokens[link.next].cost);
    if (extra > config_.lattice_beam) {
      link.arc = kNone;
    } else {
      (*extras)[link.source] = std::min((*extras)[link.source], extra);
    }
  }
  links.erase(std::remove_if(links.begin(), links.end(),
                             [](const Link& link) { return link.arc == kNone; }),
              links.end());
}

// Removes the tokens whose extra cost (in extras_) is above the lattice beam; remap_ tells where
// the others went.
void Search::RemoveTokens(Frame* frame) {
  const size_t n = frame->tokens.size();
  frame->extras.resize(n);
  remap_.resize(n);
  uint32_t kept = 0;
  for (size_t i = 0; i < n; ++i) {
    if (extras_[i] <= config_.lattice_beam) {
      frame->tokens[kept] = frame->tokens[i];
      frame->extras[kept] = extras_[i];
      remap_[i] = kept++;
    } else {
      remap_[i] = kNone;
    }
  }
  if (kept == n) {
    remap_.clear();
    return;
  }
  frame->tokens.resize(kept);
  frame->extras.resize(kept);
  for (Link& link : frame->links) link.source = remap_[link.source];
  for (Link& link : frame->epsilons) {
    link.source = remap_[link.source];
    link.next = remap_[link.next];
  }
}

void Search::PruneLastFrame() {
  Frame& frame = frames_.back();
  const float* const finals = graph_.arrays().final_costs;
  reached_final_ = std::any_of(frame.tokens.begin(), frame.tokens.end(), [&](const Token& token) {
    return finals[token.state] < kInfinity;
  });
  extras_.assign(frame.tokens.size(), kInfinity);
  float best = kInfinity;
  for (size_t i = 0; i < frame.tokens.size(); ++i) {
    const Token& token = frame.tokens[i];
    extras_[i] = token.cost + (reached_final_ ? finals[token.state] : 0.0f);
    best = std::min(best, extras_[i]);
  }
  for (float& extra : extras_) extra -= best;
  PruneEpsilons(&frame, &extras_);
  RemoveTokens(&frame);
}

RawLattice Search::MakeLattice() const {
  const GraphArrays& graph = graph_.arrays();
  RawLattice lattice;
  lattice.reached_final = reached_final_;
  size_t num_states = 0;
  size_t num_arcs = 0;
  for (const Frame& frame : frames_) {
    num_states += frame.tokens.size();
    num_arcs += frame.links.size() + frame.epsilons.size();
  }
  lattice.state_frames.reserve(num_states);
  lattice.final_costs.assign(num_states, kInfinity);
  lattice.sources.reserve(num_arcs);
  lattice.targets.reserve(num_arcs);
  lattice.tids.reserve(num_arcs);
  lattice.words.reserve(num_arcs);
  lattice.graph_costs.reserve(num_arcs);
  lattice.acoustic_costs.reserve(num_arcs);

  // Within a frame the states are numbered by rank, which makes the whole topological.
  struct Numbering {
    std::vector<uint32_t> order;   // token of the k-th state
    std::vector<int32_t> numbers;  // state of a token
  };
  const auto number = [this](const Frame& frame, int32_t first, Numbering* out) {
    const size_t n = frame.tokens.size();
    out->order.resize(n);
    out->numbers.resize(n);
    for (size_t i = 0; i < n; ++i) out->order[i] = static_cast<uint32_t>(i);
    std::stable_sort(out->order.begin(), out->order.end(), [&](uint32_t a, uint32_t b) {
      return graph_.rank(frame.tokens[a].state) < graph_.rank(frame.tokens[b].state);
    });
    for (size_t i = 0; i < n; ++i) {
      out->numbers[out->order[i]] = first + static_cast<int32_t>(i);
    }
  };

  Numbering here;
  Numbering after;
  std::vector<std::vector<const Link*>> leaving;
  int32_t first = 0;
  number(frames_[0], first, &here);
  for (size_t f = 0; f < frames_.size(); ++f) {
    const Frame& frame = frames_[f];
    const size_t n = frame.tokens.size();
    if (f + 1 < frames_.size()) {
      number(frames_[f + 1], first + static_cast<int32_t>(n), &after);
    }
    lattice.state_frames.insert(lattice.state_frames.end(), n, static_cast<int32_t>(f));
    if (leaving.size() < n) leaving.resize(n);
    for (size_t i = 0; i < n; ++i) leaving[i].clear();
    for (const Link& link : frame.links) leaving[link.source].push_back(&link);
    for (const Link& link : frame.epsilons) leaving[link.source].push_back(&link);
    for (size_t i = 0; i < n; ++i) {
      for (const Link* link : leaving[here.order[i]]) {
        const int32_t tid = graph.ilabels[link->arc];
        lattice.sources.push_back(first + static_cast<int32_t>(i));
        lattice.targets.push_back((tid == 0 ? here : after).numbers[link->next]);
        lattice.tids.push_back(tid);
        lattice.words.push_back(graph.olabels[link->arc]);
        lattice.graph_costs.push_back(graph.costs[link->arc]);
        lattice.acoustic_costs.push_back(link->acoustic);
      }
    }
    if (f + 1 == frames_.size()) {
      for (size_t i = 0; i < n; ++i) {
        lattice.final_costs[static_cast<size_t>(first) + i] =
            reached_final_ ? graph.final_costs[frame.tokens[here.order[i]].state] : 0.0f;
      }
    }
    first += static_cast<int32_t>(n);
    std::swap(here, after);
  }
  return lattice;
}

}  // namespace decoding
