#include "decoding/csrc/fly_classes.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <unordered_map>
#include <utility>

namespace decoding {

namespace {

constexpr uint32_t kNone = UINT32_MAX;

struct HashOfSet {
  size_t operator()(const std::vector<uint32_t>& values) const {
    uint64_t hash = values.size();
    for (const uint32_t value : values) {
      hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
      hash ^= hash >> 29;
    }
    return static_cast<size_t>(hash);
  }
};

// Interns sets of words, given as unions of sets interned before and single words.
class Interner {
 public:
  explicit Interner(size_t max_words) : max_words_(max_words) {}

  // parts: classes, and words with bit 31 set; reordered.
  uint32_t Union(std::vector<uint32_t>* parts) {
    std::sort(parts->begin(), parts->end());
    parts->erase(std::unique(parts->begin(), parts->end()), parts->end());
    // Sorted, kAnything stands first.
    if (!parts->empty() && parts->front() == WordClasses::kAnything) return parts->front();
    if (parts->size() == 1 && !(parts->front() & kWord)) return parts->front();
    const auto [known, is_new] = class_of_parts_.try_emplace(*parts, kNone);
    if (!is_new) return known->second;
    words_.clear();
    for (const uint32_t part : *parts) {
      if (part & kWord) {
        words_.push_back(part & ~kWord);
      } else {
        const auto begin = classes.words.begin();
        words_.insert(words_.end(), begin + static_cast<std::ptrdiff_t>(classes.offsets[part]),
                      begin + static_cast<std::ptrdiff_t>(classes.offsets[part + 1]));
      }
    }
    std::sort(words_.begin(), words_.end());
    words_.erase(std::unique(words_.begin(), words_.end()), words_.end());
    if (words_.size() > max_words_) return known->second = WordClasses::kAnything;
    const uint32_t number = classes.num_classes();
    const auto [same, first] = class_of_words_.try_emplace(words_, number);
    if (first) {
      classes.words.insert(classes.words.end(), words_.begin(), words_.end());
      classes.offsets.push_back(classes.words.size());
    }
    known->second = same->second;
    return same->second;
  }

  static constexpr uint32_t kWord = 1u << 31;
  WordClasses classes{{}, {0, 0}, {}, {}};  // with kAnything

 private:
  const size_t max_words_;
  std::unordered_map<std::vector<uint32_t>, uint32_t, HashOfSet> class_of_parts_;
  std::unordered_map<std::vector<uint32_t>, uint32_t, HashOfSet> class_of_words_;
  std::vector<uint32_t> words_;
};

}  // namespace

// Tarjan's algorithm over the arcs without a word: it finishes a component (the states of a
// silence's HMM lead to each other) after all that the component leads to.
WordClasses MakeWordClasses(const MappedGraph& graph, size_t max_words) {
  struct Visit {
    uint32_t state;
    uint32_t arc;  // the next one to look at: emitting ones first
  };
  struct Step {
    uint32_t next;
    uint32_t word;
  };
  const uint32_t n = graph.num_states();
  const auto num_steps = [&](uint32_t state) {
    const auto epsilons = graph.has_epsilons(state)
                              ? graph.epsilons_end(state) - graph.epsilons_begin(state)
                              : std::ptrdiff_t{0};
    return graph.num_arcs_of(state) + static_cast<uint32_t>(epsilons);
  };
  const auto step = [&](uint32_t state, uint32_t number) -> Step {
    const uint32_t emitting = graph.num_arcs_of(state);
    if (number < emitting) {
      const MappedGraph::Arc* const arc = graph.arcs_begin(state) + number;
      return {arc->next, graph.word(arc)};
    }
    const MappedGraph::Epsilon& arc = graph.epsilons_begin(state)[number - emitting];
    return {arc.next, arc.word};
  };
  Interner interner(max_words);
  std::vector<uint32_t> class_of_state(n, kNone);
  std::vector<uint32_t> index(n, kNone);
  std::vector<uint32_t> lowest(n, 0);
  std::vector<bool> met;  // words
  std::vector<Visit> visits;
  std::vector<uint32_t> open;
  std::vector<uint32_t> parts;
  uint32_t count = 0;
  const auto enter = [&](uint32_t state) {
    index[state] = lowest[state] = count++;
    open.push_back(state);
    visits.push_back({state, 0});
  };
  const auto finish = [&](uint32_t state) {  // the component from the state on
    parts.clear();
    size_t first = open.size();
    do {
      const uint32_t member = open[--first];
      if (std::isfinite(graph.final_cost(member))) parts.push_back(WordClasses::kAnything);
      const uint32_t end = num_steps(member);
      for (uint32_t i = 0; i < end; ++i) {
        const Step taken = step(member, i);
        if (taken.word != 0) {
          parts.push_back(Interner::kWord | taken.word);
        } else if (class_of_state[taken.next] != kNone) {
          parts.push_back(class_of_state[taken.next]);
        }
      }
    } while (open[first] != state);
    const uint32_t number = interner.Union(&parts);
    for (size_t i = first; i < open.size(); ++i) class_of_state[open[i]] = number;
    open.resize(first);
  };
  for (uint32_t i = 0; i <= n; ++i) {
    const uint32_t root = i == 0 ? graph.start() : i - 1;
    if (index[root] != kNone) continue;
    enter(root);
    while (!visits.empty()) {
      const uint32_t state = visits.back().state;
      if (visits.back().arc < num_steps(state)) {
        const Step taken = step(state, visits.back().arc++);
        if (taken.word != 0) {
          if (taken.word >= met.size()) met.resize(taken.word + size_t{1}, false);
          if (!met[taken.word]) interner.classes.order.push_back(taken.word);
          met[taken.word] = true;
          continue;
        }
        if (index[taken.next] == kNone) {
          enter(taken.next);
        } else if (class_of_state[taken.next] == kNone) {
          lowest[state] = std::min(lowest[state], index[taken.next]);
        }
        continue;
      }
      visits.pop_back();
      if (!visits.empty()) {
        uint32_t& before = lowest[visits.back().state];
        before = std::min(before, lowest[state]);
      }
      if (lowest[state] == index[state]) finish(state);
    }
  }
  interner.classes.class_of_state = std::move(class_of_state);
  return std::move(interner.classes);
}

}  // namespace decoding
