#include "decoding/csrc/vocabulary/word_boundaries.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

namespace decoding {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int8_t kUnknown = -1;

}  // namespace

WordBoundaries::WordBoundaries(const GraphArrays& graph, HmmUnits* units, const PhoneRoles& roles,
                               const SilenceCosts& silence)
    : graph_(graph), units_(units), roles_(roles), silence_(silence) {
  FindLeads();
  FindBoundaries();
  FindOpenings();
  for (size_t i = 0; i < boundaries_.size(); ++i) {
    const Boundary& boundary = boundaries_[i];
    if (!roles_.ends[boundary.phone]) continue;
    const auto [found, is_new] = of_units_.try_emplace(Units(boundary.left, boundary.phone), i);
    // The simplest: its arcs can be copied as they are.
    if (!is_new && boundary.word == 0 && boundaries_[found->second].word != 0) found->second = i;
  }
}

float WordBoundaries::CostWithoutTransition(size_t arc) const {
  return graph_.costs[arc] - units_->transitions().cost[graph_.ilabels[arc]];
}

void WordBoundaries::FindLeads() {
  leads_.assign(graph_.num_states, kUnknown);
  lefts_.assign(graph_.num_states, kEdge);
  std::vector<uint32_t> open{static_cast<uint32_t>(graph_.start)};
  leads_[open.front()] = 0;
  while (!open.empty()) {
    const uint32_t state = open.back();
    open.pop_back();
    const auto end = static_cast<size_t>(graph_.offsets[state + 1]);
    for (auto arc = static_cast<size_t>(graph_.offsets[state]); arc < end; ++arc) {
      const int32_t tid = graph_.ilabels[arc];
      if (units_->IsSelfLoop(tid)) continue;
      const auto next = static_cast<uint32_t>(graph_.next_states[arc]);
      const bool ends = units_->Enters(tid) && roles_.ends[units_->PhoneOf(tid)];
      const int lead = leads_[state] + (graph_.olabels[arc] != 0 ? 1 : 0) - (ends ? 1 : 0);
      // A label never comes after the beginning of its word's last phone, and no earlier than the
      // last phone of the word before.
      if (lead < 0 || lead > 1 || (leads_[next] != kUnknown && leads_[next] != lead)) {
        throw std::invalid_argument(
            "graph: state " + std::to_string(state) +
            ": expected the labels of words before their last phones, as HCL of whole words has");
      }
      if (leads_[next] != kUnknown) continue;
      leads_[next] = static_cast<int8_t>(lead);
      lefts_[next] =
          units_->Leaves(tid) ? static_cast<int32_t>(units_->PhoneOf(tid)) : lefts_[state];
      open.push_back(next);
    }
  }
}

void WordBoundaries::FindBoundaries() {
  for (uint32_t state = 0; state < graph_.num_states; ++state) {
    offsets_.push_back(boundaries_.size());
    if (leads_[state] == kUnknown) continue;
    const size_t first = boundaries_.size();
    const auto end = static_cast<size_t>(graph_.offsets[state + 1]);
    for (auto arc = static_cast<size_t>(graph_.offsets[state]); arc < end; ++arc) {
      const int32_t tid = graph_.ilabels[arc];
      if (!units_->Enters(tid)) continue;
      const auto phone = static_cast<int32_t>(units_->PhoneOf(tid));
      if (!roles_.ends[phone] && phone != roles_.silence) continue;
      const int32_t word =
          phone != roles_.silence && leads_[state] == 0 ? graph_.olabels[arc] : 0;
      const float cost = CostWithoutTransition(arc);
      const auto same = [&](const Boundary& other) {
        return other.phone == phone && other.word == word;
      };
      const auto found = std::find_if(
          boundaries_.begin() + static_cast<std::ptrdiff_t>(first), boundaries_.end(), same);
      if (found == boundaries_.end()) {
        boundaries_.push_back({state, lefts_[state], phone, word, cost});
      } else {
        // One of the ways on costs nothing: the sentence may end, or a silence may follow.
        found->cost = std::min(found->cost, cost);
      }
    }
  }
  offsets_.push_back(boundaries_.size());
}

void WordBoundaries::FindOpenings() {
  struct Step {
    uint32_t state;
    int32_t phone;  // kEdge: none has begun
    bool ended;     // whether the phone is over
    std::vector<int32_t> words;
    float cost;
  };
  std::vector<Step> open{{static_cast<uint32_t>(graph_.start), kEdge, false, {}, 0.0f}};
  // The states of a silence's HMM lead to each other; costs on the ways differ by rounding alone.
  std::set<std::tuple<uint32_t, int32_t, bool, std::vector<int32_t>, long long>> seen;
  while (!open.empty()) {
    const Step step = std::move(open.back());
    open.pop_back();
    const long long rounded = std::llround(static_cast<double>(step.cost) * 1024.0);
    if (!seen.emplace(step.state, step.phone, step.ended, step.words, rounded).second) continue;
    if (step.ended && graph_.final_costs[step.state] < kInfinity) {
      openings_.push_back({step.phone, kEdge, step.state, step.words,
                           step.cost + graph_.final_costs[step.state]});
    }
    std::set<int32_t> next_phones;
    const auto end = static_cast<size_t>(graph_.offsets[step.state + 1]);
    for (auto arc = static_cast<size_t>(graph_.offsets[step.state]); arc < end; ++arc) {
      const int32_t tid = graph_.ilabels[arc];
      if (units_->IsSelfLoop(tid)) continue;
      if (step.ended && tid > 0) {
        next_phones.insert(static_cast<int32_t>(units_->PhoneOf(tid)));
        continue;
      }
      Step next{static_cast<uint32_t>(graph_.next_states[arc]), step.phone,
                step.ended || units_->Leaves(tid), step.words,
                step.cost + CostWithoutTransition(arc)};
      if (units_->Enters(tid)) next.phone = static_cast<int32_t>(units_->PhoneOf(tid));
      if (graph_.olabels[arc] != 0) next.words.push_back(graph_.olabels[arc]);
      open.push_back(std::move(next));
    }
    for (const int32_t phone : next_phones) {
      openings_.push_back({step.phone, phone, step.state, step.words, step.cost});
    }
  }
  std::set<int32_t> phones;
  for (const Opening& opening : openings_) phones.insert(opening.phone);
  first_phones_.assign(phones.begin(), phones.end());
}

std::vector<uint32_t> WordBoundaries::Units(int32_t left, int32_t phone) const {
  std::vector<uint32_t> found{units_->Find(left, phone, kEdge)};
  for (const int32_t right : first_phones_) found.push_back(units_->Find(left, phone, right));
  return found;
}

const WordBoundaries::Boundary* WordBoundaries::Find(const std::vector<uint32_t>& units) const {
  const auto found = of_units_.find(units);
  return found == of_units_.end() ? nullptr : &boundaries_[found->second];
}

}  // namespace decoding
