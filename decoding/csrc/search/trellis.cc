#include "decoding/csrc/search/trellis.h"

namespace decoding {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr size_t kSmall = 1 << 14;  // so few elements are not worth compacting

}  // namespace

void KeptTrellis::Clear() {
  frames_.clear();
  costs_.clear();
  extras_.clear();
  links_.clear();
  remap_.clear();
  num_kept_links_ = 0;
  num_exits_ = 1;
  histories_.assign(1, {WordHistories::kCommitted, 0});  // of the start
  word_histories_.Clear();
}

size_t KeptTrellis::Bytes() const {
  return frames_.capacity() * sizeof(Frame) +
         (costs_.capacity() + extras_.capacity() + spare_costs_.capacity() +
          spare_extras_.capacity()) * sizeof(float) +
         (links_.capacity() + spare_links_.capacity()) * sizeof(Link) + word_histories_.Bytes();
}

// After LatticeFasterDecoder::PruneActiveTokens.
void KeptTrellis::PruneKept(size_t end, bool all, float lattice_beam, float delta) {
  for (size_t f = end; f-- > 0;) {
    if (!PruneFrame(f, lattice_beam, delta) && !all) break;
  }
}

void KeptTrellis::Compact() {
  size_t num_links = 0;
  size_t num_tokens = 0;
  for (const Frame& frame : frames_) {
    num_links += frame.num_links + frame.num_epsilons;
    num_tokens += frame.num_tokens;
  }
  num_kept_links_ = num_links;
  if (links_.size() <= 2 * num_links + kSmall && costs_.size() <= 2 * num_tokens + kSmall) return;
  spare_costs_.clear();
  spare_extras_.clear();
  spare_links_.clear();
  for (Frame& frame : frames_) {
    const auto move = [](size_t* begin, size_t count, auto& from, auto* to) {
      const auto first = from.begin() + static_cast<std::ptrdiff_t>(*begin);
      *begin = to->size();
      to->insert(to->end(), first, first + static_cast<std::ptrdiff_t>(count));
    };
    size_t tokens = frame.tokens;
    move(&tokens, frame.num_tokens, extras_, &spare_extras_);
    move(&frame.tokens, frame.num_tokens, costs_, &spare_costs_);
    move(&frame.links, frame.num_links + size_t{frame.num_epsilons}, links_, &spare_links_);
  }
  costs_.swap(spare_costs_);
  extras_.swap(spare_extras_);
  links_.swap(spare_links_);
}

// Returns whether a token was removed or its extra cost changed by more than delta.
bool KeptTrellis::PruneFrame(size_t f, float lattice_beam, float delta) {
  Frame& frame = frames_[f];
  const float* const next_costs = costs_.data() + frames_[f + 1].tokens;
  const float* const next_extras = extras_.data() + frames_[f + 1].tokens;
  float* const costs = costs_.data() + frame.tokens;
  float* const extras = extras_.data() + frame.tokens;
  Link* const links = links_.data() + frame.links;
  scratch_.assign(frame.num_tokens, kInfinity);

  uint32_t kept_links = 0;
  for (uint32_t i = 0; i < frame.num_links; ++i) {
    Link link = links[i];
    if (!remap_.empty()) link.next = remap_[link.next];
    if (link.next == kNone) continue;
    const float extra = next_extras[link.next] + (link.total - next_costs[link.next]);
    if (extra > lattice_beam) continue;
    scratch_[link.source] = std::min(scratch_[link.source], extra);
    links[kept_links++] = link;
  }
  // Backwards, as sources are in topological order; those kept move to the end, then down.
  Link* const epsilons = links + frame.num_links;
  uint32_t first = frame.num_epsilons;
  for (uint32_t i = frame.num_epsilons; i-- > 0;) {
    const Link link = epsilons[i];
    const float extra = scratch_[link.next] + (link.total - costs[link.next]);
    if (extra > lattice_beam) continue;
    scratch_[link.source] = std::min(scratch_[link.source], extra);
    epsilons[--first] = link;
  }
  const uint32_t kept_epsilons = frame.num_epsilons - first;
  std::copy(epsilons + first, epsilons + frame.num_epsilons, links + kept_links);
  frame.num_links = kept_links;
  frame.num_epsilons = kept_epsilons;

  bool changed = false;
  uint32_t kept_tokens = 0;
  next_remap_.resize(frame.num_tokens);
  for (uint32_t i = 0; i < frame.num_tokens; ++i) {
    // Infinity minus a number is more than any delta.
    if (std::fabs(scratch_[i] - extras[i]) > delta) changed = true;
    if (scratch_[i] > lattice_beam) {
      next_remap_[i] = kNone;
      continue;
    }
    next_remap_[i] = kept_tokens;
    if (f == 0) exits_[kept_tokens] = exits_[i];
    costs[kept_tokens] = costs[i];
    extras[kept_tokens++] = scratch_[i];
  }
  if (kept_tokens == frame.num_tokens) {
    remap_.clear();
    return changed;
  }
  frame.num_tokens = kept_tokens;
  if (f == 0) exits_.resize(kept_tokens);
  for (uint32_t i = 0; i < kept_links + kept_epsilons; ++i) {
    links[i].source = next_remap_[links[i].source];
    if (i >= kept_links) links[i].next = next_remap_[links[i].next];
  }
  remap_.swap(next_remap_);
  return true;
}

const KeptTrellis::Link* KeptTrellis::FindBack(size_t f, bool epsilon, uint32_t token,
                                               float cost) const {
  const Frame& frame = frames_[f];
  const Link* const begin = links_.data() + frame.links + (epsilon ? frame.num_links : 0);
  const Link* const end = begin + (epsilon ? frame.num_epsilons : frame.num_links);
  const Link* const link = std::find_if(begin, end, [&](const Link& candidate) {
    return candidate.next == token && candidate.total == cost;
  });
  return link == end ? nullptr : link;
}

void KeptTrellis::AdvanceHistories(size_t begin, const std::vector<float>& costs_after) {
  for (size_t f = begin; f < frames_.size(); ++f) {
    const Frame& frame = frames_[f];
    const bool is_last = f + 1 == frames_.size();
    const float* const costs = costs_.data() + frame.tokens;
    const float* const next_costs =
        is_last ? costs_after.data() : costs_.data() + frames_[f + 1].tokens;
    next_histories_.assign(is_last ? costs_after.size() : frames_[f + 1].num_tokens, History());
    const Link* const links = links_.data() + frame.links;
    const auto follow = [this](const Link& link, float cost, History* next) {
      const History& source = histories_[link.source];
      if (link.total != cost || next->words != kNone || source.words == kNone) return false;
      *next = {word_histories_.Extend(source.words, link.value.word), source.silence};
      return true;
    };
    // Within the frame first: sources are in topological order.
    for (uint32_t i = frame.num_links; i < frame.num_links + frame.num_epsilons; ++i) {
      follow(links[i], costs[links[i].next], &histories_[links[i].next]);
    }
    for (uint32_t i = 0; i < frame.num_links; ++i) {
      History& next = next_histories_[links[i].next];
      if (follow(links[i], next_costs[links[i].next], &next)) {
        next.silence = IsSilence(links[i].value.tid) ? next.silence + 1 : 0;
      }
    }
    histories_.swap(next_histories_);
  }
}

size_t KeptTrellis::FindEntered(size_t f, std::vector<char>* entered) const {
  entered->assign(frames_[f].num_tokens, 0);
  const Link* const links = links_.data() + frames_[f - 1].links;
  size_t count = 0;
  for (uint32_t i = 0; i < frames_[f - 1].num_links; ++i) {
    char& seen = (*entered)[links[i].next];
    count += !seen;
    seen = 1;
  }
  return count;
}

LatticePart KeptTrellis::CutPart() {
  // The newest kept frame is entered by links of which many will still be pruned.
  std::vector<char> entered;
  size_t cut = frames_.size() - 1;
  size_t fewest = FindEntered(cut, &entered);
  for (size_t f = cut; f-- > (frames_.size() + 1) / 2;) {
    const size_t count = FindEntered(f, &entered);
    if (count >= fewest) continue;
    fewest = count;
    cut = f;
  }
  LatticePart part = MakePart(cut, {});
  // The states of that frame's tokens are the last ones, in the same order.
  FindEntered(cut, &entered);
  const Frame& frame = frames_[cut];
  const int32_t first = static_cast<int32_t>(part.lattice.final_costs.size() - frame.num_tokens);
  exits_.assign(frame.num_tokens, kNone);
  for (uint32_t i = 0; i < frame.num_tokens; ++i) {
    if (!entered[i]) continue;
    exits_[i] = static_cast<uint32_t>(part.exits.size());
    part.exits.push_back(first + static_cast<int32_t>(i));
    part.exit_extras.push_back(extras_[frame.tokens + i]);
  }
  num_exits_ = part.exits.size();
  frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(cut));
  num_kept_links_ -= part.lattice.sources.size();
  return part;
}

LatticePart KeptTrellis::MakePart(size_t end, const std::vector<float>& final_costs) const {
  LatticePart part;
  RawLattice& lattice = part.lattice;
  const size_t num_frames = std::min(end + 1, frames_.size());
  size_t num_states = 0;
  size_t num_arcs = 0;
  for (size_t f = 0; f < num_frames; ++f) {
    num_states += frames_[f].num_tokens;
    num_arcs += f < end ? frames_[f].num_links + frames_[f].num_epsilons : 0;
  }
  lattice.state_frames.reserve(num_states);
  lattice.sources.reserve(num_arcs);
  lattice.targets.reserve(num_arcs);
  lattice.tids.reserve(num_arcs);
  lattice.words.reserve(num_arcs);
  lattice.graph_costs.reserve(num_arcs);
  lattice.acoustic_costs.reserve(num_arcs);
  // Within a frame, sources of epsilons first, in the order of these links, then the others: so
  // the whole is topological.
  struct Numbering {
    std::vector<int32_t> states;    // lattice state of a token
    std::vector<uint32_t> tokens;  // in the order of their states
  };
  const auto number = [this, end](size_t f, size_t first, Numbering* out) {
    const Frame& frame = frames_[f];
    out->states.assign(frame.num_tokens, -1);
    out->tokens.clear();
    const auto take = [&](uint32_t token) {
      if (out->states[token] >= 0) return;
      out->states[token] = static_cast<int32_t>(first + out->tokens.size());
      out->tokens.push_back(token);
    };
    const Link* const epsilons = links_.data() + frame.links + frame.num_links;
    for (uint32_t i = 0; f < end && i < frame.num_epsilons; ++i) take(epsilons[i].source);
    for (uint32_t i = 0; i < frame.num_tokens; ++i) take(i);
  };
  Numbering current;
  Numbering next;
  std::vector<const Link*> by_source;
  std::vector<uint32_t> counts;
  size_t first = 0;
  number(0, first, &current);
  part.entries.assign(num_exits_, -1);
  for (size_t i = 0; i < exits_.size(); ++i) {
    if (exits_[i] != kNone) part.entries[exits_[i]] = current.states[i];
  }
  for (size_t f = 0; f < num_frames; ++f) {
    const Frame& frame = frames_[f];
    if (f + 1 < num_frames) number(f + 1, first + frame.num_tokens, &next);
    lattice.state_frames.insert(lattice.state_frames.end(), frame.num_tokens,
                                static_cast<int32_t>(f));
    // A counting sort by source.
    const Link* const links = links_.data() + frame.links;
    const uint32_t count = f < end ? frame.num_links + frame.num_epsilons : 0;
    counts.assign(frame.num_tokens, 0);
    for (uint32_t i = 0; i < count; ++i) ++counts[links[i].source];
    uint32_t begin = 0;
    for (const uint32_t token : current.tokens) begin += std::exchange(counts[token], begin);
    by_source.resize(count);
    for (uint32_t i = 0; i < count; ++i) by_source[counts[links[i].source]++] = links + i;
    for (const Link* const link : by_source) {
      lattice.sources.push_back(current.states[link->source]);
      lattice.targets.push_back((link->value.tid == 0 ? current : next).states[link->next]);
      lattice.tids.push_back(link->value.tid);
      lattice.words.push_back(link->value.word);
      lattice.graph_costs.push_back(link->value.graph_cost);
      lattice.acoustic_costs.push_back(link->value.acoustic_cost);
    }
    first += frame.num_tokens;
    if (f + 1 < num_frames) std::swap(current, next);
  }
  lattice.final_costs.assign(num_states, kInfinity);
  for (size_t i = 0; i < final_costs.size(); ++i) {
    lattice.final_costs[static_cast<size_t>(current.states[i])] = final_costs[i];
  }
  return part;
}

}  // namespace decoding
