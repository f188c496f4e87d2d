#include "decoding/csrc/lattice/word_closure.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace decoding {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

int CompareStrings(const int32_t* a, size_t a_length, const int32_t* b, size_t b_length) {
  if (a_length != b_length) return a_length < b_length ? 1 : -1;
  for (size_t i = 0; i < a_length; ++i) {
    if (a[i] != b[i]) return a[i] > b[i] ? 1 : -1;
  }
  return 0;
}

template <typename Cost>
WordClosure::WordClosure(const LatticeView<Cost>& lattice, WeightOrder order, double beam)
    : num_states_(lattice.num_states),
      string_offsets_(lattice.string_offsets),
      strings_of_arcs_(lattice.strings),
      order_(order),
      final_costs_(lattice.final_costs, lattice.final_costs + lattice.num_states) {
  const size_t n = static_cast<size_t>(lattice.num_states);
  std::vector<size_t> first_arc(n + 1, 0);
  for (size_t a = 0; a < lattice.num_arcs; ++a) ++first_arc[lattice.sources[a] + 1];
  for (size_t s = 0; s < n; ++s) first_arc[s + 1] += first_arc[s];
  backward_.resize(n);
  for (size_t s = n; s-- > 0;) {
    double cost = lattice.final_costs[s];
    for (size_t a = first_arc[s]; a < first_arc[s + 1]; ++a) {
      cost = std::min(cost, order.Total(ArcWeight(lattice, a)) + backward_[lattice.targets[a]]);
    }
    backward_[s] = cost;
  }
  best_ = backward_[0];
  // An infinite beam must not make dead ends, which are infinitely bad, look alive, and a tiny one
  // must not lose the best path to rounding.
  cutoff_ = best_ + std::min(beam, 1e30) + 1e-9 * (1.0 + std::fabs(best_));
  FindArcsWithinBeam(lattice, first_arc);
  indices_.resize(n);
  waiting_.assign(n / 64 + 1, 0);
}

template WordClosure::WordClosure(const LatticeView<float>&, WeightOrder, double);
template WordClosure::WordClosure(const LatticeView<double>&, WeightOrder, double);

template <typename Cost>
void WordClosure::FindArcsWithinBeam(const LatticeView<Cost>& lattice,
                                     const std::vector<size_t>& first_arc) {
  const size_t n = static_cast<size_t>(lattice.num_states);
  std::vector<double> forward(n, kInfinity);
  forward[0] = 0.0;
  silent_arcs_.reserve(lattice.num_arcs);
  first_word_arc_.resize(n + 1);
  first_silent_arc_.resize(n + 1);
  ends_here_.resize(n);
  for (size_t s = 0; s < n; ++s) {
    first_word_arc_[s] = static_cast<uint32_t>(word_arcs_.size());
    first_silent_arc_[s] = static_cast<uint32_t>(silent_arcs_.size());
    const double final_cost = final_costs_[s];
    for (size_t a = first_arc[s]; a < first_arc[s + 1]; ++a) {
      const int32_t target = lattice.targets[a];
      const Weight weight = ArcWeight(lattice, a);
      const double cost = forward[s] + order_.Total(weight);
      if (cost + backward_[target] > cutoff_) continue;
      forward[target] = std::min(forward[target], cost);
      if (lattice.words[a] != 0) {
        word_arcs_.push_back({weight, lattice.words[a], target, lattice.tids[a]});
      } else {
        silent_arcs_.push_back({weight, target, lattice.tids[a]});
      }
    }
    ends_here_[s] = word_arcs_.size() > first_word_arc_[s] ||
                    (final_cost < kInfinity && forward[s] + final_cost <= cutoff_);
  }
  first_word_arc_[n] = static_cast<uint32_t>(word_arcs_.size());
  first_silent_arc_[n] = static_cast<uint32_t>(silent_arcs_.size());
}

void WordClosure::Clear() {
  roots_.clear();
  reached_.clear();
  ends_.clear();
  first_ = num_states_;
  last_ = 0;
}

void WordClosure::Add(int32_t state, const Weight& weight, const Span& head, int32_t tid,
                      const std::vector<int32_t>& strings) {
  const int32_t root = static_cast<int32_t>(roots_.size());
  roots_.push_back(head);
  first_ = std::min(first_, state);
  Reach(state, {weight, ~root, tid, head.length + Length(tid)}, strings);
}

void WordClosure::Run(const std::vector<int32_t>& strings) {
  // States are in topological order: when one is taken, its best way is known.
  for (size_t block = static_cast<size_t>(first_) / 64; block <= static_cast<size_t>(last_) / 64;
       ++block) {
    while (waiting_[block] != 0) {
      const int32_t state = static_cast<int32_t>(block * 64) + __builtin_ctzll(waiting_[block]);
      waiting_[block] &= waiting_[block] - 1;
      const uint32_t index = indices_[state];
      if (ends_here_[state]) ends_.push_back({state, index});
      const Reached here = reached_[index];
      const uint32_t end = first_silent_arc_[state + 1];
      for (uint32_t a = first_silent_arc_[state]; a < end; ++a) {
        const SilentArc& arc = silent_arcs_[a];
        Reach(arc.target,
              {here.weight + arc.weight, static_cast<int32_t>(index), arc.tid,
               here.length + Length(arc.tid)},
              strings);
      }
    }
  }
}

inline void WordClosure::Reach(int32_t state, const Reached& way,
                               const std::vector<int32_t>& strings) {
  uint64_t& block = waiting_[static_cast<size_t>(state) / 64];
  const uint64_t bit = uint64_t{1} << (state % 64);
  if ((block & bit) == 0) {
    block |= bit;
    last_ = std::max(last_, state);
    indices_[state] = static_cast<uint32_t>(reached_.size());
    reached_.push_back(way);
    return;
  }
  Reached& known = reached_[indices_[state]];
  const int order = order_.Compare(way.weight, known.weight);
  if (order > 0 || (order == 0 && WinsTie(way, known, strings))) known = way;
}

bool WordClosure::WinsTie(const Reached& way, const Reached& known,
                          const std::vector<int32_t>& strings) {
  left_.resize(way.length);
  right_.resize(known.length);
  TraceBack(way, strings.data(), left_.data());
  TraceBack(known, strings.data(), right_.data());
  return CompareStrings(left_.data(), left_.size(), right_.data(), right_.size()) > 0;
}

void WordClosure::TraceBack(const Reached& last, const int32_t* strings, int32_t* out) const {
  const Reached* way = &last;
  int32_t* at = out + way->length;
  const auto write = [&at, this](int32_t tid) {
    if (tid > 0) *--at = tid;
    if (tid >= 0) return;
    at -= Length(tid);
    std::copy_n(strings_of_arcs_ + string_offsets_[~tid], Length(tid), at);
  };
  for (; way->from >= 0; way = &reached_[way->from]) write(way->tid);
  write(way->tid);
  const Span& head = roots_[~way->from];
  std::copy_n(strings + head.offset, head.length, out);
}

}  // namespace decoding
