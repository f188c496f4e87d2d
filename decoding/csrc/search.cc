#include "search.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace decoding {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr uint32_t kStateMask = SearchGraph::kHasEpsilons - 1;
// Looked up in passing, so that tokens and arcs are in the cache when their turn comes.
constexpr size_t kStatesAhead = 16;
constexpr size_t kArcsAhead = 6;
constexpr size_t kLinksAhead = 24;

}  // namespace

Search::Search(const SearchGraph& graph, const SearchConfig& config)
    : graph_(graph), config_(config) {
  // An infinite beam must not make dead ends, which are infinitely bad, look alive.
  config_.beam = std::min(config_.beam, 1e30f);
  config_.lattice_beam = std::min(config_.lattice_beam, 1e30f);
  token_of_state_.assign(graph.arrays().num_states, 0);
  buckets_.resize(static_cast<size_t>(graph.max_rank()) + 1);
  scaled_.resize(graph.num_pdfs());
}

Search::Frame Search::NewFrame() {
  if (spare_.empty()) return Frame();
  Frame frame = std::move(spare_.back());
  spare_.pop_back();
  return frame;
}

void Search::Start() {
  frames_.clear();
  stats_ = SearchStats();
  active_ = true;
  reached_final_ = false;
  Frame frame = NewFrame();
  const uint32_t start = graph_.arrays().start;
  const bool epsilons = graph_.arcs_middle(start) < graph_.arcs_end(start);
  FindOrAdd(start | (epsilons ? SearchGraph::kHasEpsilons : 0), 0.0f, &frame);
  CloseEpsilons(config_.beam, &frame);
  frames_.push_back(std::move(frame));
}

void Search::Advance(const float* scores, size_t num_frames) {
  if (!active_) throw std::logic_error("search: advance before start or after finish");
  for (size_t t = 0; t < num_frames; ++t) Step(scores + t * graph_.num_pdfs());
}

void Search::Step(const float* row) {
  const size_t num_pdfs = scaled_.size();
  for (size_t i = 0; i < num_pdfs; ++i) scaled_[i] = -config_.acoustic_scale * row[i];
  Frame next = NewFrame();
  Frame& frame = frames_.back();
  const float cutoff = Expand(frame);
  MakeTokens(row, cutoff, &frame.links, &next);
  if (next.tokens.empty()) {
    active_ = false;
    throw std::runtime_error("search: no path through the graph goes on after frame " +
                             std::to_string(num_frames()));
  }
  CloseEpsilons(cutoff, &next);
  frames_.push_back(std::move(next));
  ++stats_.frames;
  if (config_.prune_interval > 0 && num_frames() % config_.prune_interval == 0) {
    Prune(false, config_.lattice_beam * config_.prune_scale);
  }
}

// The pruning threshold of LatticeFasterDecoder::GetCutoff: beam, max-active and min-active.
// Counting tells whether the beam decides, as it mostly does; only if not, costs are selected.
float Search::Cutoff(const Frame& frame, float* best, uint32_t* best_token,
                     float* adaptive_beam) {
  const std::vector<Token>& tokens = frame.tokens;
  const size_t n = tokens.size();
  float lowest = kInfinity;
  uint32_t lowest_token = 0;
  for (size_t i = 0; i < n; ++i) {
    if (tokens[i].cost < lowest) {
      lowest = tokens[i].cost;
      lowest_token = static_cast<uint32_t>(i);
    }
  }
  *best = lowest;
  *best_token = lowest_token;
  if (n <= config_.min_active) {
    *adaptive_beam = kInfinity;
    return kInfinity;
  }
  const float beam_cutoff = lowest + config_.beam;
  size_t below = 0;
  size_t not_above = 0;
  for (const Token& token : tokens) {
    below += token.cost < beam_cutoff;
    not_above += token.cost <= beam_cutoff;
  }
  const bool too_many = below > config_.max_active;
  if (!too_many && not_above > config_.min_active) {
    *adaptive_beam = config_.beam;
    return beam_cutoff;
  }
  costs_.clear();
  for (const Token& token : tokens) {
    if (!too_many || token.cost < beam_cutoff) costs_.push_back(token.cost);
  }
  const auto nth = costs_.begin() + (too_many ? config_.max_active : config_.min_active);
  std::nth_element(costs_.begin(), nth, costs_.end());
  *adaptive_beam = *nth - lowest + config_.beam_delta;
  return *nth;
}

// Follows the emitting arcs of all tokens below the cutoff, to candidates for links.
// Returns the cost above which tokens of the next frame are not wanted.
float Search::Expand(const Frame& frame) {
  float best = 0.0f;
  float adaptive_beam = 0.0f;
  uint32_t best_token = 0;
  const float cutoff = Cutoff(frame, &best, &best_token, &adaptive_beam);
  const SearchGraph::Arc* const arcs = graph_.arcs();
  const float* const scaled = scaled_.data();
  const Token* const tokens = frame.tokens.data();
  const size_t num_tokens = frame.tokens.size();

  // The best token's arcs first give a bound that spares most of the other links.
  float bound = kInfinity;
  const uint32_t best_state = tokens[best_token].state;
  for (uint32_t a = graph_.arcs_begin(best_state); a < graph_.arcs_middle(best_state); ++a) {
    bound = std::min(bound, arcs[a].cost + scaled[arcs[a].pdf] + adaptive_beam);
  }

  size_t count = 0;
  for (size_t i = 0; i < num_tokens; ++i) {
    if (i + kStatesAhead < num_tokens) {
      __builtin_prefetch(graph_.state_address(tokens[i + kStatesAhead].state));
    }
    if (i + kArcsAhead < num_tokens) {
      __builtin_prefetch(arcs + graph_.arcs_begin(tokens[i + kArcsAhead].state));
    }
    if (tokens[i].cost > cutoff) continue;
    const uint32_t state = tokens[i].state;
    const uint32_t begin = graph_.arcs_begin(state);
    const uint32_t middle = graph_.arcs_middle(state);
    if (candidates_.size() < count + (middle - begin)) {
      candidates_.resize(std::max<size_t>(2 * candidates_.size(), count + (middle - begin)));
    }
    Candidate* out = candidates_.data() + count;
    const float base = tokens[i].cost - best;
    for (uint32_t a = begin; a < middle; ++a) {
      const SearchGraph::Arc& arc = arcs[a];
      const float total = base + arc.cost + scaled[arc.pdf];
      *out = {static_cast<uint32_t>(i), arc.next, a, total};
      out += total <= bound;
      bound = std::min(bound, total + adaptive_beam);
    }
    count = static_cast<size_t>(out - candidates_.data());
    ++stats_.tokens;
    stats_.arcs += middle - begin;
  }
  num_candidates_ = count;
  return bound;
}

// Turns the candidates' graph states into tokens of the next frame, and those not above the
// cutoff into links.
void Search::MakeTokens(const float* row, float cutoff, std::vector<Link>* links, Frame* next) {
  const SearchGraph::Arc* const arcs = graph_.arcs();
  const Candidate* const all = candidates_.data();
  const size_t n = num_candidates_;
  links->reserve(n);
  for (size_t i = 0; i < n; ++i) {
    if (i + kLinksAhead < n) {
      __builtin_prefetch(&token_of_state_[all[i + kLinksAhead].next & kStateMask], 1);
    }
    const Candidate& candidate = all[i];
    if (candidate.total > cutoff) continue;
    const uint32_t token = FindOrAdd(candidate.next, candidate.total, next);
    // No later improvement of the token can bring such a link into the lattice beam.
    if (candidate.total > next->tokens[token].cost + config_.lattice_beam) continue;
    links->push_back({candidate.source, token, candidate.arc, candidate.total,
                      -row[arcs[candidate.arc].pdf]});
  }
  stats_.links += links->size();
}

inline uint32_t Search::FindOrAdd(uint32_t flagged_state, float cost, Frame* frame) {
  const uint32_t state = flagged_state & kStateMask;
  const uint32_t token = token_of_state_[state];
  if (token < frame->tokens.size() && frame->tokens[token].state == state) {
    if (cost < frame->tokens[token].cost) frame->tokens[token].cost = cost;
    return token;
  }
  const uint32_t added = static_cast<uint32_t>(frame->tokens.size());
  token_of_state_[state] = added;
  frame->tokens.push_back({state, cost});
  if (flagged_state & SearchGraph::kHasEpsilons) buckets_[graph_.rank(state)].push_back(added);
  return added;
}

// Rank by rank, so that every token's cost is final before its arcs are followed, once.
void Search::CloseEpsilons(float cutoff, Frame* frame) {
  const SearchGraph::Arc* const arcs = graph_.arcs();
  for (std::vector<uint32_t>& bucket : buckets_) {
    for (size_t i = 0; i < bucket.size(); ++i) {  // the bucket of a higher rank may grow
      const uint32_t source = bucket[i];
      const Token token = frame->tokens[source];
      if (token.cost > cutoff) continue;
      const uint32_t end = graph_.arcs_end(token.state);
      for (uint32_t a = graph_.arcs_middle(token.state); a < end; ++a) {
        const float total = token.cost + arcs[a].cost;
        if (total > cutoff) continue;
        const uint32_t next = FindOrAdd(arcs[a].next, total, frame);
        if (total > frame->tokens[next].cost + config_.lattice_beam) continue;
        frame->epsilons.push_back({source, next, a, total, 0.0f});
      }
    }
    bucket.clear();
  }
  stats_.links += frame->epsilons.size();
}

RawPath Search::Partial() const {
  if (!active_) throw std::logic_error("search: partial before start or after finish");
  RawPath path;
  const GraphArrays& graph = graph_.arrays();
  size_t f = frames_.size() - 1;
  const std::vector<Token>& last = frames_[f].tokens;
  const auto cheaper = [](const Token& a, const Token& b) { return a.cost < b.cost; };
  uint32_t token =
      static_cast<uint32_t>(std::min_element(last.begin(), last.end(), cheaper) - last.begin());
  // A token's cost is that of one of the links into it, bit for bit: the one to walk back.
  for (;;) {
    const auto leads_here = [&](const Link& link) {
      return link.next == token && link.total == frames_[f].tokens[token].cost;
    };
    const std::vector<Link>& own = frames_[f].epsilons;
    auto link = std::find_if(own.begin(), own.end(), leads_here);
    if (link == own.end()) {
      if (f == 0) break;
      const std::vector<Link>& before = frames_[f - 1].links;
      link = std::find_if(before.begin(), before.end(), leads_here);
      if (link == before.end()) throw std::logic_error("search: a token without a path");
      --f;
    }
    token = link->source;
    if (graph.ilabels[link->arc] != 0) path.tids.push_back(graph.ilabels[link->arc]);
    if (graph.olabels[link->arc] != 0) path.words.push_back(graph.olabels[link->arc]);
    path.graph_cost += graph.costs[link->arc];
    path.acoustic_cost += link->acoustic;
  }
  std::reverse(path.tids.begin(), path.tids.end());
  std::reverse(path.words.begin(), path.words.end());
  return path;
}

RawLattice Search::Finish() {
  if (!active_) throw std::logic_error("search: finish before start or after finish");
  active_ = false;
  PruneLastFrame();
  Prune(true, -1.0f);
  return MakeLattice();
}

}  // namespace decoding
