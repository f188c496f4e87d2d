// Weighted subset construction as in Kaldi's DeterminizeLatticePruned (Povey et al., "Generating
// exact lattices in the WFST framework", 2012): a state of the result is a set of lattice states
// with residual weights and residual strings of transition-ids; arcs are made in the order of the
// best path through them, so that running out of memory only means a smaller beam.
#include "decoding/csrc/lattice/determinize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>
#include <stdexcept>
#include <utility>

#include "decoding/csrc/lattice/word_closure.h"

namespace decoding {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr uint32_t kNone = UINT32_MAX;

class Determinizer {
 public:
  template <typename Cost>
  Determinizer(const LatticeView<Cost>& lattice, const DeterminizeConfig& config)
      : config_(config),
        order_{config.acoustic_scale},
        closure_(lattice, order_, config.beam),
        slots_(1024, kNone) {}

  CompactArrays Run() {
    if (closure_.best() == kInfinity) {
      throw std::invalid_argument("lattice: expected a path from the start to a final state");
    }
    MakeStart();
    double beam = config_.beam;
    while (!queue_.empty()) {
      const Task task = queue_.top();
      // The best path is made whatever it takes.
      if (MemoryUsed() > config_.max_memory && task.priority > closure_.best() + 1e-3) {
        beam = task.priority - closure_.best();
        break;
      }
      queue_.pop();
      Process(task);
    }
    return Output(beam);
  }

 private:
  // A lattice state with the weight and the transition-ids of a way to it.
  struct Element {
    int32_t state;
    Span string;
    Weight weight;
  };
  struct Origin {  // an arc of the lattice that leaves an element of a subset
    uint32_t element;
    const WordClosure::WordArc* arc;
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
    uint64_t hash;
    size_t elements;
    uint32_t num_elements;
    int32_t frame;
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
  struct Choice {  // an arc with a word out of an element of a subset
    int32_t word;
    uint32_t element;
    const WordClosure::WordArc* arc;
    bool operator<(const Choice& other) const {
      if (word != other.word) return word < other.word;
      if (element != other.element) return element < other.element;
      return arc < other.arc;
    }
  };

  // What the result takes; what the lattice itself needs cannot be helped.
  size_t MemoryUsed() const {
    return strings_.capacity() * sizeof(int32_t) + elements_.capacity() * sizeof(Element) +
           origins_.capacity() * sizeof(Origin) + states_.capacity() * sizeof(State) +
           slots_.size() * sizeof(uint32_t) + arcs_.capacity() * sizeof(Arc) +
           queue_.size() * sizeof(Task);
  }

  // Which of two ways that end alike is better: the first if > 0.
  int Compare(const Weight& a_weight, const Span& a, const Weight& b_weight, const Span& b) const {
    const int order = order_.Compare(a_weight, b_weight);
    if (order != 0) return order;
    return CompareStrings(strings_.data() + a.offset, a.length, strings_.data() + b.offset,
                          b.length);
  }

  void MakeStart() {
    closure_.Clear();
    closure_.Add(0, Weight(), Span(), 0, strings_);
    closure_.Run(strings_);
    // Not normalised: there is no arc before it to carry what would be taken out.
    AppendSubset();
    states_.push_back({0.0, 0, 0, static_cast<uint32_t>(elements_.size()), 0, false, {}, {}});
    Announce(0);
  }

  // The closure's elements to the end of elements_ and strings_.
  void AppendSubset() {
    size_t length = strings_.size();
    for (size_t i = 0; i < closure_.size(); ++i) {
      elements_.push_back({closure_.state(i), {length, closure_.length(i)}, closure_.weight(i)});
      length += closure_.length(i);
    }
    strings_.resize(length);
    const size_t first = elements_.size() - closure_.size();
    int32_t* const strings = strings_.data();
    for (size_t i = 0; i < closure_.size(); ++i) {
      closure_.WriteString(i, strings, strings + elements_[first + i].string.offset);
    }
  }

  // Takes the best weight and the strings' common prefix out of the elements from `first` on.
  void Normalize(size_t first, Weight* weight, Span* prefix) {
    *weight = elements_[first].weight;
    *prefix = elements_[first].string;
    const int32_t* const model = strings_.data() + prefix->offset;
    for (size_t i = first + 1; i < elements_.size(); ++i) {
      const Element& element = elements_[i];
      if (order_.Compare(element.weight, *weight) > 0) *weight = element.weight;
      const uint32_t most = std::min(prefix->length, element.string.length);
      const int32_t* const own = strings_.data() + element.string.offset;
      prefix->length = static_cast<uint32_t>(std::mismatch(model, model + most, own).first - model);
    }
    for (size_t i = first; i < elements_.size(); ++i) {
      Element& element = elements_[i];
      element.weight = element.weight - *weight;
      element.string.offset += prefix->length;
      element.string.length -= prefix->length;
    }
  }

  // Moves the strings of the elements from `first` on together, after the one prefix that stays.
  void CloseGaps(size_t first, const Span& prefix) {
    size_t end = prefix.offset + prefix.length;
    for (size_t i = first; i < elements_.size(); ++i) {
      Span& string = elements_[i].string;
      std::copy_n(strings_.data() + string.offset, string.length, strings_.data() + end);
      string.offset = end;
      end += string.length;
    }
    strings_.resize(end);
  }

  // States, lengths and first transition-ids tell nearly all subsets apart; Same looks at the rest.
  uint64_t Hash(size_t first) const {
    uint64_t hash = elements_.size() - first;
    const auto mix = [&hash](uint64_t value) {
      hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 29;
    };
    for (size_t i = first; i < elements_.size(); ++i) {
      const Element& element = elements_[i];
      mix(static_cast<uint64_t>(element.state) << 32 | element.string.length);
      if (element.string.length > 0) {
        mix(static_cast<uint32_t>(strings_[element.string.offset]));
      }
    }
    return hash;
  }

  // Whether the elements from `first` on are those of a state.
  bool Same(size_t first, const State& state) const {
    if (elements_.size() - first != state.num_elements) return false;
    for (size_t i = 0; i < state.num_elements; ++i) {
      const Element& a = elements_[first + i];
      const Element& b = elements_[state.elements + i];
      const int32_t* const tids = strings_.data() + a.string.offset;
      if (a.state != b.state || a.string.length != b.string.length ||
          std::fabs(a.weight.graph - b.weight.graph) > config_.delta ||
          config_.acoustic_scale * std::fabs(a.weight.acoustic - b.weight.acoustic) >
              config_.delta ||
          !std::equal(tids, tids + a.string.length, strings_.data() + b.string.offset)) {
        return false;
      }
    }
    return true;
  }

  // The final weight of a new state of the result and the tasks of its arcs.
  void Announce(uint32_t number) {
    State& state = states_[number];
    choices_.clear();
    for (uint32_t i = 0; i < state.num_elements; ++i) {
      const Element& element = elements_[state.elements + i];
      const double final_cost = closure_.final_cost(element.state);
      if (final_cost < kInfinity) {
        const Weight weight = element.weight + Weight{final_cost, 0.0};
        if (!state.is_final ||
            Compare(weight, element.string, state.final_weight, state.final_string) > 0) {
          state.is_final = true;
          state.final_weight = weight;
          state.final_string = element.string;
        }
      }
      for (const WordClosure::WordArc* arc = closure_.begin(element.state);
           arc != closure_.end(element.state); ++arc) {
        choices_.push_back({arc->word, i, arc});
      }
    }
    if (state.is_final && state.forward + order_.Total(state.final_weight) > closure_.cutoff()) {
      state.is_final = false;
    }
    std::sort(choices_.begin(), choices_.end());
    for (size_t i = 0; i < choices_.size();) {
      Task task{kInfinity, number, choices_[i].word, origins_.size(), 0};
      for (; i < choices_.size() && choices_[i].word == task.word; ++i) {
        const Choice& choice = choices_[i];
        const Weight weight =
            elements_[state.elements + choice.element].weight + choice.arc->weight;
        task.priority = std::min(task.priority, state.forward + order_.Total(weight) +
                                                    closure_.backward(choice.arc->target));
        origins_.push_back({choice.element, choice.arc});
      }
      task.num_origins = static_cast<uint32_t>(origins_.size() - task.origins);
      if (task.priority <= closure_.cutoff()) {
        queue_.push(task);
      } else {
        origins_.resize(task.origins);
      }
    }
  }

  void Process(const Task& task) {
    closure_.Clear();
    for (uint32_t i = 0; i < task.num_origins; ++i) {
      const Origin& origin = origins_[task.origins + i];
      const Element& element = elements_[states_[task.state].elements + origin.element];
      closure_.Add(origin.arc->target, element.weight + origin.arc->weight, element.string,
                   origin.arc->tid, strings_);
    }
    closure_.Run(strings_);
    const size_t first_element = elements_.size();
    AppendSubset();
    Arc arc{task.state, 0, task.word, Weight(), Span()};
    Normalize(first_element, &arc.weight, &arc.string);
    const uint64_t hash = Hash(first_element);
    uint32_t* slot = FindSlot(hash, first_element);
    if (*slot == kNone) {
      CloseGaps(first_element, arc.string);
      *slot = static_cast<uint32_t>(states_.size());
      const State& source = states_[task.state];
      State state{};
      state.forward = source.forward + order_.Total(arc.weight);
      state.hash = hash;
      state.elements = first_element;
      state.num_elements = static_cast<uint32_t>(elements_.size() - first_element);
      state.frame = source.frame + static_cast<int32_t>(arc.string.length);
      arc.target = *slot;
      states_.push_back(state);
      if (2 * states_.size() > slots_.size()) GrowSlots();
      Announce(arc.target);
    } else {
      arc.target = *slot;
      elements_.resize(first_element);
      strings_.resize(arc.string.offset + arc.string.length);  // the first one's stands in front
    }
    arcs_.push_back(arc);
  }

  // Where the state with the elements from `first` on is, or would be, among slots_.
  uint32_t* FindSlot(uint64_t hash, size_t first) {
    const size_t mask = slots_.size() - 1;
    size_t at = hash & mask;
    while (slots_[at] != kNone &&
           (states_[slots_[at]].hash != hash || !Same(first, states_[slots_[at]]))) {
      at = (at + 1) & mask;
    }
    return &slots_[at];
  }

  void GrowSlots() {
    slots_.assign(2 * slots_.size(), kNone);
    const size_t mask = slots_.size() - 1;
    for (uint32_t s = 1; s < states_.size(); ++s) {  // nothing leads back to the start
      size_t at = states_[s].hash & mask;
      while (slots_[at] != kNone) at = (at + 1) & mask;
      slots_[at] = s;
    }
  }

  CompactArrays Output(double beam);

  const DeterminizeConfig& config_;
  const WeightOrder order_;
  WordClosure closure_;

  std::vector<int32_t> strings_;
  std::vector<Element> elements_;
  std::vector<Origin> origins_;
  std::vector<State> states_;
  std::vector<Arc> arcs_;
  std::vector<uint32_t> slots_;  // states by their hashes, open addressing
  std::priority_queue<Task> queue_;
  std::vector<Choice> choices_;
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

template <typename Cost>
CompactArrays Determinize(const LatticeView<Cost>& lattice, const DeterminizeConfig& config) {
  return Determinizer(lattice, config).Run();
}

template CompactArrays Determinize(const LatticeView<float>&, const DeterminizeConfig&);
template CompactArrays Determinize(const LatticeView<double>&, const DeterminizeConfig&);

}  // namespace decoding
