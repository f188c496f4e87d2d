#include "word_closures.h"

#include <algorithm>
#include <limits>

namespace decoding {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

int CompareStrings(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? 1 : -1;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return a[i] > b[i] ? 1 : -1;
  }
  return 0;
}

WordClosures::WordClosures(const LatticeView& lattice, WeightOrder order, double beam)
    : lattice_(lattice), order_(order) {
  const size_t n = static_cast<size_t>(lattice.num_states);
  first_arc_.assign(n + 1, 0);
  for (size_t a = 0; a < lattice.num_arcs; ++a) ++first_arc_[lattice.sources[a] + 1];
  for (size_t s = 0; s < n; ++s) first_arc_[s + 1] += first_arc_[s];
  backward_.assign(n, kInfinity);
  for (size_t s = n; s-- > 0;) {
    double cost = lattice.final_costs[s];
    for (size_t a = first_arc_[s]; a < first_arc_[s + 1]; ++a) {
      cost = std::min(cost, order.Total(ArcWeight(lattice, a)) + backward_[lattice.targets[a]]);
    }
    backward_[s] = cost;
  }
  best_ = backward_[0];
  // An infinite beam must not make dead ends, which are infinitely bad, look alive.
  cutoff_ = best_ + std::min(beam, 1e30);
  FindArcsWithinBeam();
  closures_.assign(n, {0, kNotMade});
  stamps_.assign(n, 0);
  places_.assign(n, 0);
}

void WordClosures::FindArcsWithinBeam() {
  const size_t n = static_cast<size_t>(lattice_.num_states);
  forward_.assign(n, kInfinity);
  forward_[0] = 0.0;
  arc_speaks_.assign(lattice_.num_arcs, 0);
  state_speaks_.assign(n, 0);
  first_silent_.assign(n + 1, 0);
  for (size_t s = 0; s < n; ++s) {
    const float final_cost = lattice_.final_costs[s];
    if (final_cost < kInfinity && forward_[s] + final_cost <= cutoff_) state_speaks_[s] = 1;
    for (size_t a = first_arc_[s]; a < first_arc_[s + 1]; ++a) {
      const int32_t target = lattice_.targets[a];
      const Weight weight = ArcWeight(lattice_, a);
      const double cost = forward_[s] + order_.Total(weight);
      forward_[target] = std::min(forward_[target], cost);
      if (cost + backward_[target] > cutoff_) continue;
      if (lattice_.words[a] != 0) {
        arc_speaks_[a] = 1;
        state_speaks_[s] = 1;
      } else {
        silent_.push_back({weight, target, static_cast<uint32_t>(a)});
      }
    }
    first_silent_[s + 1] = silent_.size();
  }
}

Span WordClosures::Of(int32_t from) {
  Span& closure = closures_[from];
  if (closure.length != kNotMade) return closure;
  ++stamp_;
  reached_.clear();
  furthest_ = from;
  Reach(from, Weight(), kNoArc, 0);
  const size_t first = elements_.size();
  const size_t root = strings_.size();
  // Whatever comes before the state costs at least its forward cost.
  const double limit = cutoff_ - forward_[from];
  // States are in topological order, and those reached lie close together.
  for (int32_t state = from; state <= furthest_; ++state) {
    if (stamps_[state] != stamp_) continue;
    const uint32_t place = places_[state];
    const Weight weight = reached_[place].weight;
    if (state_speaks_[state]) {
      elements_.push_back({state, weight, {root + place, reached_[place].length}});
    }
    for (size_t i = first_silent_[state]; i < first_silent_[state + 1]; ++i) {
      const SilentArc& arc = silent_[i];
      const Weight total = weight + arc.weight;
      if (order_.Total(total) + backward_[arc.target] > limit) continue;
      Reach(arc.target, total, arc.arc, place);
    }
  }
  closure = {first, static_cast<uint32_t>(elements_.size() - first)};
  for (size_t place = 0; place < reached_.size(); ++place) {
    const Reached& reached = reached_[place];
    if (reached.arc == kNoArc) {
      strings_.push_back({0, 0});
    } else {
      strings_.push_back({static_cast<int32_t>(reached.from) - static_cast<int32_t>(place),
                          lattice_.tids[reached.arc]});
    }
  }
  return closure;
}

void WordClosures::Reach(int32_t state, const Weight& weight, uint32_t arc, uint32_t from) {
  const bool takes_frame = arc != kNoArc && lattice_.tids[arc] != 0;
  const uint32_t length = (arc == kNoArc ? 0 : reached_[from].length) + takes_frame;
  if (stamps_[state] != stamp_) {
    stamps_[state] = stamp_;
    places_[state] = static_cast<uint32_t>(reached_.size());
    reached_.push_back({weight, arc, from, length});
    furthest_ = std::max(furthest_, state);
    return;
  }
  Reached& known = reached_[places_[state]];
  int order = order_.Compare(weight, known.weight);
  if (order == 0) {
    left_.clear();
    right_.clear();
    TraceBack(from, &left_);
    if (takes_frame) left_.push_back(lattice_.tids[arc]);
    TraceBack(places_[state], &right_);
    order = CompareStrings(left_, right_);
  }
  if (order > 0) known = {weight, arc, from, length};
}

// Appends the transition-ids of the path by which the closure in the making reached a state.
void WordClosures::TraceBack(size_t place, std::vector<int32_t>* out) const {
  out->resize(out->size() + reached_[place].length);
  int32_t* at = out->data() + out->size();
  for (; reached_[place].arc != kNoArc; place = reached_[place].from) {
    const int32_t tid = lattice_.tids[reached_[place].arc];
    if (tid != 0) *--at = tid;
  }
}

void WordClosures::AppendString(const Span& string, std::vector<int32_t>* out) const {
  if (string.length == 0) return;
  out->resize(out->size() + string.length);
  int32_t* at = out->data() + out->size();
  for (size_t node = string.offset; strings_[node].step != 0;
       node = static_cast<size_t>(static_cast<std::ptrdiff_t>(node) + strings_[node].step)) {
    if (strings_[node].tid != 0) *--at = strings_[node].tid;
  }
}

}  // namespace decoding
