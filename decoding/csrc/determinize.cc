// Weighted subset construction as in Kaldi's DeterminizeLatticePruned (Povey et al., "Generating
// exact lattices in the WFST framework", 2012): a state of the result is a set of lattice states
// with residual weights and residual strings of transition-ids; arcs are made in the order of the
// best path through them, so that running out of memory only means a smaller beam.
//
// Different from Kaldi's: the best word-less paths from where a word ends in the lattice to where
// the next one may begin do not depend on what came before, so they are computed once per lattice
// state and joined with the subsets, instead of a closure per subset.
#include "determinize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>

#include "word_closures.h"

namespace decoding {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Determinizer {
 public:
  Determinizer(const LatticeView& lattice, const DeterminizeConfig& config)
      : lattice_(lattice),
        config_(config),
        order_{config.acoustic_scale},
        closures_(lattice, order_, config.beam),
        subset_mark_(static_cast<size_t>(lattice.num_states), {0, 0}) {}

  CompactArrays Run() {
    if (closures_.best() == kInfinity) {
      throw std::invalid_argument("lattice: expected a path from the start to a final state");
    }
    MakeStart();
    double beam = config_.beam;
    while (!queue_.empty()) {
      const Task task = queue_.top();
      // The best path is made whatever it takes.
      if (MemoryUsed() > config_.max_memory && task.priority > closures_.best() + 1e-3) {
        beam = task.priority - closures_.best();
        break;
      }
      queue_.pop();
      Process(task);
    }
    return Output(beam);
  }

 private:
  struct Origin {  // an arc of the lattice that leaves an element of a subset
    uint32_t element;
    uint32_t arc;
  };
  struct Task {  // the arc of a word out of a state of the result, yet to be made
    double priority;  // cost of the best path through it
    uint32_t state;
    int32_t word;
    size_t origins;
    uint32_t num_origins;
    bool operator<(const Task& other) const {  // std::priority_queue has the greatest on top
      if (priority != other.priority) return priority > other.priority;
      return origins > other.origins;
    }
  };
  struct State {
    double forward;  // cost of the best path to here
    int32_t frame;
    size_t elements;
    uint32_t num_elements;
    bool is_final = false;
    Weight final_weight;
    Span final_string;
  };
  struct Arc {
    uint32_t source;
    uint32_t target;
    int32_t word;
    Weight weight;
    Span string;
  };
  struct Known {  // where an initial subset led
    size_t elements;
    uint32_t num_elements;
    uint32_t state;
    Weight weight;
    Span string;
  };
  // While a subset is put together: a state with the way to it, string not yet written out.
  struct Candidate {
    int32_t state;
    Weight weight;
    Span head;    // in the strings that the subset before it has
    Span tail;    // in closures_
    int32_t tid;  // in place of the tail: one transition-id, 0 for none
  };

  size_t MemoryUsed() const {
    return closures_.MemoryUsed() + strings_.size() * sizeof(int32_t) +
           elements_.size() * sizeof(Element) +
           origins_.size() * sizeof(Origin) + states_.size() * (sizeof(State) + 64) +
           known_.size() * (sizeof(Known) + 64) + arcs_.size() * sizeof(Arc) +
           queue_.size() * sizeof(Task);
  }

  // The candidate's string into the buffer.
  Span Write(const Candidate& candidate, const std::vector<int32_t>& heads,
             std::vector<int32_t>* out) const {
    const size_t offset = out->size();
    const auto begin = heads.begin() + static_cast<std::ptrdiff_t>(candidate.head.offset);
    out->insert(out->end(), begin, begin + candidate.head.length);
    if (candidate.tid != 0) {
      out->push_back(candidate.tid);
    } else {
      closures_.AppendString(candidate.tail, out);
    }
    return {offset, static_cast<uint32_t>(out->size() - offset)};
  }

  // Whether the first of two ways to one state is better.
  bool Better(const Candidate& a, const Candidate& b, const std::vector<int32_t>& heads) {
    int order = order_.Compare(a.weight, b.weight);
    if (order == 0) {
      left_.clear();
      right_.clear();
      Write(a, heads, &left_);
      Write(b, heads, &right_);
      order = CompareStrings(left_, right_);
    }
    return order > 0;
  }

  // Makes a subset of candidates (one per state), taking out the best weight and the common prefix
  // of the strings. The subset's strings are in `buffer`.
  void Normalize(const std::vector<Candidate>& candidates, const std::vector<int32_t>& heads,
                 std::vector<Element>* subset, std::vector<int32_t>* buffer, Weight* weight,
                 std::vector<int32_t>* prefix) {
    subset->clear();
    buffer->clear();
    *weight = candidates[0].weight;
    uint32_t common = std::numeric_limits<uint32_t>::max();
    for (const Candidate& candidate : candidates) {
      if (order_.Compare(candidate.weight, *weight) > 0) *weight = candidate.weight;
      const Span span = Write(candidate, heads, buffer);
      common = std::min(common, span.length);
      const int32_t* const first = buffer->data();
      const int32_t* const own = buffer->data() + span.offset;
      uint32_t same = 0;
      while (same < common && first[same] == own[same]) ++same;
      common = same;
      subset->push_back({candidate.state, candidate.weight, span});
    }
    prefix->insert(prefix->end(), buffer->begin(), buffer->begin() + common);
    for (Element& element : *subset) {
      element.weight = element.weight - *weight;
      element.string.offset += common;
      element.string.length -= common;
    }
  }

  static uint64_t Hash(const std::vector<Element>& subset, const std::vector<int32_t>& strings) {
    uint64_t hash = subset.size();
    const auto mix = [&hash](uint64_t value) {
      hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 29;
    };
    for (const Element& element : subset) {
      mix(static_cast<uint32_t>(element.state));
      mix(element.string.length);
      for (uint32_t i = 0; i < element.string.length; ++i) {
        mix(static_cast<uint32_t>(strings[element.string.offset + i]));
      }
    }
    return hash;
  }

  bool Same(const std::vector<Element>& subset, const std::vector<int32_t>& strings,
            size_t elements, uint32_t num_elements) const {
    if (subset.size() != num_elements) return false;
    for (size_t i = 0; i < subset.size(); ++i) {
      const Element& a = subset[i];
      const Element& b = elements_[elements + i];
      if (a.state != b.state || a.string.length != b.string.length ||
          std::fabs(a.weight.graph - b.weight.graph) > config_.delta ||
          config_.acoustic_scale * std::fabs(a.weight.acoustic - b.weight.acoustic) >
              config_.delta ||
          !std::equal(strings.begin() + static_cast<std::ptrdiff_t>(a.string.offset),
                      strings.begin() + static_cast<std::ptrdiff_t>(a.string.offset) +
                          a.string.length,
                      strings_.begin() + static_cast<std::ptrdiff_t>(b.string.offset))) {
        return false;
      }
    }
    return true;
  }

  Span Keep(const int32_t* begin, size_t length) {
    const size_t offset = strings_.size();
    strings_.insert(strings_.end(), begin, begin + length);
    return {offset, static_cast<uint32_t>(length)};
  }

  void Copy(const Span& span, std::vector<int32_t>* out) const {
    const auto begin = strings_.begin() + static_cast<std::ptrdiff_t>(span.offset);
    out->assign(begin, begin + span.length);
  }

  // Stores a subset; returns where.
  size_t Keep(const std::vector<Element>& subset, const std::vector<int32_t>& strings) {
    const size_t first = elements_.size();
    for (const Element& element : subset) {
      elements_.push_back(element);
      elements_.back().string =
          Keep(strings.data() + element.string.offset, element.string.length);
    }
    return first;
  }

  void MakeStart() {
    // Not normalised: there is no arc before it to carry what would be taken out.
    const Span closure = closures_.Of(0);
    State state{0.0, 0, elements_.size(), closure.length, false, {}, {}};
    for (uint32_t i = 0; i < closure.length; ++i) {
      Element element = closures_.element(closure.offset + i);
      const Span tail = element.string;
      element.string = {strings_.size(), tail.length};
      closures_.AppendString(tail, &strings_);
      elements_.push_back(element);
    }
    states_.push_back(state);
    Announce(0);
  }

  // The final weight of a new state of the result and the tasks of its arcs.
  void Announce(uint32_t number) {
    State& state = states_[number];
    words_.clear();
    for (uint32_t i = 0; i < state.num_elements; ++i) {
      const Element& element = elements_[state.elements + i];
      const float final_cost = lattice_.final_costs[element.state];
      if (final_cost < kInfinity) {
        const Weight weight = element.weight + Weight{final_cost, 0.0};
        bool better = !state.is_final;
        if (!better) {
          int order = order_.Compare(weight, state.final_weight);
          if (order == 0) {
            Copy(element.string, &left_);
            Copy(state.final_string, &right_);
            order = CompareStrings(left_, right_);
          }
          better = order > 0;
        }
        if (better) {
          state.is_final = true;
          state.final_weight = weight;
          state.final_string = element.string;
        }
      }
      const size_t end = closures_.first_arc(element.state + 1);
      for (size_t a = closures_.first_arc(element.state); a < end; ++a) {
        if (!closures_.speaks(a)) continue;
        words_.push_back({lattice_.words[a], lattice_.targets[a],
                          {i, static_cast<uint32_t>(a)}});
      }
    }
    if (state.is_final && state.forward + order_.Total(state.final_weight) > closures_.cutoff()) {
      state.is_final = false;
    }
    std::sort(words_.begin(), words_.end());
    for (size_t i = 0; i < words_.size();) {
      Task task{kInfinity, number, words_[i].word, origins_.size(), 0};
      for (; i < words_.size() && words_[i].word == task.word; ++i) {
        const Origin& origin = words_[i].origin;
        const Weight weight =
            elements_[state.elements + origin.element].weight + ArcWeight(lattice_, origin.arc);
        task.priority =
            std::min(task.priority,
                     state.forward + order_.Total(weight) +
                         closures_.backward(lattice_.targets[origin.arc]));
        origins_.push_back(origin);
      }
      task.num_origins = static_cast<uint32_t>(origins_.size() - task.origins);
      if (task.priority <= closures_.cutoff()) {
        queue_.push(task);
      } else {
        origins_.resize(task.origins);
      }
    }
  }

  void Process(const Task& task) {
    // The lattice states that the word leads to, the best way to each: origins are sorted by them.
    candidates_.clear();
    const size_t source_elements = states_[task.state].elements;
    for (uint32_t i = 0; i < task.num_origins; ++i) {
      const Origin& origin = origins_[task.origins + i];
      const Element& element = elements_[source_elements + origin.element];
      const Candidate candidate{lattice_.targets[origin.arc],
                                element.weight + ArcWeight(lattice_, origin.arc),
                                element.string, Span(), lattice_.tids[origin.arc]};
      if (candidates_.empty() || candidates_.back().state != candidate.state) {
        candidates_.push_back(candidate);
      } else if (Better(candidate, candidates_.back(), strings_)) {
        candidates_.back() = candidate;
      }
    }
    Arc arc{task.state, 0, task.word, Weight(), Span()};
    prefix_.clear();
    Normalize(candidates_, strings_, &initial_, &initial_strings_, &arc.weight, &prefix_);

    const uint64_t hash = Hash(initial_, initial_strings_);
    const auto range = known_index_.equal_range(hash);
    const Known* known = nullptr;
    for (auto it = range.first; it != range.second && known == nullptr; ++it) {
      const Known& other = known_[it->second];
      if (Same(initial_, initial_strings_, other.elements, other.num_elements)) known = &other;
    }
    if (known != nullptr) {
      arc.target = known->state;
      arc.weight = arc.weight + known->weight;
      const int32_t* const more = strings_.data() + known->string.offset;
      prefix_.insert(prefix_.end(), more, more + known->string.length);
    } else {
      Known made;
      made.elements = Keep(initial_, initial_strings_);
      made.num_elements = static_cast<uint32_t>(initial_.size());
      const size_t initial_prefix = prefix_.size();
      CloseSubset();
      Normalize(candidates_, initial_strings_, &subset_, &subset_strings_, &made.weight, &prefix_);
      arc.weight = arc.weight + made.weight;
      const double forward = states_[task.state].forward + order_.Total(arc.weight);
      const int32_t frame = states_[task.state].frame + static_cast<int32_t>(prefix_.size());
      arc.target = FindOrAddState(forward, frame);
      made.state = arc.target;
      made.string = Keep(prefix_.data() + initial_prefix, prefix_.size() - initial_prefix);
      known_index_.emplace(hash, known_.size());
      known_.push_back(made);
    }
    arc.string = Keep(prefix_.data(), prefix_.size());
    arcs_.push_back(arc);
  }

  // candidates_ becomes what the initial subset reaches without words.
  void CloseSubset() {
    candidates_.clear();
    ++subset_stamp_;
    for (const Element& element : initial_) {
      const Span closure = closures_.Of(element.state);
      for (uint32_t i = 0; i < closure.length; ++i) {
        const Element& reached = closures_.element(closure.offset + i);
        const Candidate candidate{reached.state, element.weight + reached.weight, element.string,
                                  reached.string, 0};
        auto& [mark, place] = subset_mark_[reached.state];
        if (mark != subset_stamp_) {
          mark = subset_stamp_;
          place = static_cast<uint32_t>(candidates_.size());
          candidates_.push_back(candidate);
        } else if (Better(candidate, candidates_[place], initial_strings_)) {
          candidates_[place] = candidate;
        }
      }
    }
    std::sort(candidates_.begin(), candidates_.end(),
              [](const Candidate& a, const Candidate& b) { return a.state < b.state; });
  }

  uint32_t FindOrAddState(double forward, int32_t frame) {
    const uint64_t hash = Hash(subset_, subset_strings_);
    const auto range = state_index_.equal_range(hash);
    for (auto it = range.first; it != range.second; ++it) {
      const State& other = states_[it->second];
      if (Same(subset_, subset_strings_, other.elements, other.num_elements)) return it->second;
    }
    const uint32_t number = static_cast<uint32_t>(states_.size());
    State state{forward, frame, Keep(subset_, subset_strings_),
                static_cast<uint32_t>(subset_.size()), false, {}, {}};
    states_.push_back(state);
    state_index_.emplace(hash, number);
    Announce(number);
    return number;
  }

  CompactArrays Output(double beam);

  struct WordArc {
    int32_t word;
    int32_t target;
    Origin origin;
    bool operator<(const WordArc& other) const {
      if (word != other.word) return word < other.word;
      if (target != other.target) return target < other.target;
      if (origin.element != other.origin.element) return origin.element < other.origin.element;
      return origin.arc < other.origin.arc;
    }
  };

  const LatticeView& lattice_;
  const DeterminizeConfig& config_;
  const WeightOrder order_;
  WordClosures closures_;

  std::vector<int32_t> strings_;
  std::vector<Element> elements_;
  std::vector<Origin> origins_;
  std::vector<State> states_;
  std::vector<Arc> arcs_;
  std::vector<Known> known_;
  std::unordered_multimap<uint64_t, size_t> known_index_;
  std::unordered_multimap<uint64_t, uint32_t> state_index_;
  std::priority_queue<Task> queue_;

  // Scratch.
  std::vector<std::pair<uint32_t, uint32_t>> subset_mark_;
  uint32_t subset_stamp_ = 0;
  std::vector<int32_t> left_;
  std::vector<int32_t> right_;
  std::vector<WordArc> words_;
  std::vector<Candidate> candidates_;
  std::vector<Element> initial_;
  std::vector<int32_t> initial_strings_;
  std::vector<Element> subset_;
  std::vector<int32_t> subset_strings_;
  std::vector<int32_t> prefix_;
};

// Keeps what lies on complete paths, in topological order.
CompactArrays Determinizer::Output(double beam) {
  const size_t n = states_.size();
  std::vector<size_t> first(n + 1, 0);
  for (const Arc& arc : arcs_) ++first[arc.source + 1];
  for (size_t s = 0; s < n; ++s) first[s + 1] += first[s];
  std::vector<uint32_t> by_source(arcs_.size());
  {
    std::vector<size_t> next(first.begin(), first.end() - 1);
    for (size_t a = 0; a < arcs_.size(); ++a) {
      by_source[next[arcs_[a].source]++] = static_cast<uint32_t>(a);
    }
  }
  // Depth first from the start; a state is done after all it leads to.
  std::vector<char> seen(n, 0);
  std::vector<char> ends(n, 0);
  std::vector<uint32_t> order;
  std::vector<std::pair<uint32_t, size_t>> stack{{0, first[0]}};
  seen[0] = 1;
  while (!stack.empty()) {
    auto& [state, at] = stack.back();
    if (at < first[state + 1]) {
      const uint32_t target = arcs_[by_source[at++]].target;
      if (!seen[target]) {
        seen[target] = 1;
        stack.push_back({target, first[target]});
      }
      continue;
    }
    ends[state] = states_[state].is_final;
    for (size_t i = first[state]; i < first[state + 1]; ++i) {
      if (ends[arcs_[by_source[i]].target]) ends[state] = 1;
    }
    if (ends[state]) order.push_back(state);
    stack.pop_back();
  }
  std::reverse(order.begin(), order.end());

  CompactArrays out;
  out.beam = beam;
  std::vector<int32_t> number(n, -1);
  for (size_t i = 0; i < order.size(); ++i) number[order[i]] = static_cast<int32_t>(i);
  const auto append = [this](const Span& span, std::vector<int32_t>* tids) {
    const int32_t* const begin = strings_.data() + span.offset;
    tids->insert(tids->end(), begin, begin + span.length);
  };
  out.tid_offsets.push_back(0);
  out.final_tid_offsets.push_back(0);
  for (const uint32_t s : order) {
    const State& state = states_[s];
    out.state_frames.push_back(state.frame);
    out.final_graph_costs.push_back(state.is_final ? state.final_weight.graph : kInfinity);
    out.final_acoustic_costs.push_back(state.is_final ? state.final_weight.acoustic : 0.0);
    if (state.is_final) append(state.final_string, &out.final_tids);
    out.final_tid_offsets.push_back(static_cast<int64_t>(out.final_tids.size()));
    for (size_t i = first[s]; i < first[s + 1]; ++i) {
      const Arc& arc = arcs_[by_source[i]];
      if (!ends[arc.target]) continue;
      out.sources.push_back(number[s]);
      out.targets.push_back(number[arc.target]);
      out.words.push_back(arc.word);
      out.graph_costs.push_back(arc.weight.graph);
      out.acoustic_costs.push_back(arc.weight.acoustic);
      append(arc.string, &out.tids);
      out.tid_offsets.push_back(static_cast<int64_t>(out.tids.size()));
    }
  }
  return out;
}

}  // namespace

CompactArrays Determinize(const LatticeView& lattice, const DeterminizeConfig& config) {
  return Determinizer(lattice, config).Run();
}

}  // namespace decoding
