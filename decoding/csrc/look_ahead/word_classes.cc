#include "decoding/csrc/look_ahead/word_classes.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <unordered_map>
#include <utility>

namespace decoding {

namespace {

constexpr uint32_t kNone = UINT32_MAX;

using Interval = WordClasses::Interval;

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 29);
}

struct HashOfSet {
  size_t operator()(const std::vector<Interval>& intervals) const {
    uint64_t hash = intervals.size();
    for (const Interval& one : intervals) {
      hash = Mix(hash, static_cast<uint64_t>(one.begin) << 32 | one.end);
    }
    return static_cast<size_t>(hash);
  }
};

// Numbers sets of words, given as unions of sets that have a number and of single words. A word is
// given by its position in the order in which words were found: a set is then a few intervals of
// positions.
class WordSets {
 public:
  explicit WordSets(size_t max_words) : max_words_(max_words) {}

  // parts: classes, and positions of words with bit 31 set; reordered.
  uint32_t Union(std::vector<uint32_t>* parts) {
    std::sort(parts->begin(), parts->end());
    parts->erase(std::unique(parts->begin(), parts->end()), parts->end());
    // Sorted, kAnything stands first.
    if (!parts->empty() && parts->front() == WordClasses::kAnything) return parts->front();
    if (parts->size() == 1 && !(parts->front() & kWord)) return parts->front();
    union_.clear();
    for (const uint32_t part : *parts) {
      if (part & kWord) {
        union_.push_back({part & ~kWord, (part & ~kWord) + 1});
      } else {
        const auto begin = classes.intervals.begin();
        union_.insert(union_.end(), begin + static_cast<std::ptrdiff_t>(classes.offsets[part]),
                      begin + static_cast<std::ptrdiff_t>(classes.offsets[part + 1]));
      }
    }
    if (Merge() > max_words_) return WordClasses::kAnything;
    const uint32_t number = classes.num_classes();
    const auto [same, is_new] = class_of_set_.try_emplace(union_, number);
    if (is_new) {
      classes.intervals.insert(classes.intervals.end(), union_.begin(), union_.end());
      classes.offsets.push_back(classes.intervals.size());
    }
    return same->second;
  }

  static constexpr uint32_t kWord = 1u << 31;
  WordClasses classes{{}, {}, {0, 0}, {}};  // with kAnything

 private:
  // Makes the intervals of the union ascending and apart; returns how many words they hold.
  size_t Merge() {
    std::sort(union_.begin(), union_.end(),
              [](const Interval& a, const Interval& b) { return a.begin < b.begin; });
    size_t kept = 0;
    size_t num_words = 0;
    for (const Interval& one : union_) {
      if (kept > 0 && one.begin <= union_[kept - 1].end) {
        Interval& last = union_[kept - 1];
        if (one.end > last.end) {
          num_words += one.end - last.end;
          last.end = one.end;
        }
      } else {
        num_words += one.end - one.begin;
        union_[kept++] = one;
      }
    }
    union_.resize(kept);
    return num_words;
  }

  const size_t max_words_;
  std::unordered_map<std::vector<Interval>, uint32_t, HashOfSet> class_of_set_;
  std::vector<Interval> union_;
};

}  // namespace

// Tarjan's algorithm over the arcs without a word: it finishes a component (the states of a
// silence's HMM lead to each other) after all that the component leads to.
WordClasses MakeWordClasses(const MappedGraph& graph, size_t num_words, size_t max_words) {
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
  WordSets sets(max_words);
  std::vector<uint32_t> class_of_state(n, kNone);
  std::vector<uint32_t> index(n, kNone);
  std::vector<uint32_t> lowest(n, 0);
  std::vector<uint32_t> position_of_word;  // kNone: not found yet
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
        if (taken.word >= num_words) {
          parts.push_back(WordClasses::kAnything);
        } else if (taken.word != 0) {
          parts.push_back(WordSets::kWord | position_of_word[taken.word]);
        } else if (class_of_state[taken.next] != kNone) {
          parts.push_back(class_of_state[taken.next]);
        }
      }
    } while (open[first] != state);
    const uint32_t number = sets.Union(&parts);
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
        if (taken.word >= num_words) continue;
        if (taken.word != 0) {
          if (taken.word >= position_of_word.size()) {
            position_of_word.resize(taken.word + size_t{1}, kNone);
          }
          if (position_of_word[taken.word] == kNone) {
            position_of_word[taken.word] = static_cast<uint32_t>(sets.classes.order.size());
            sets.classes.order.push_back(taken.word);
          }
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
  sets.classes.class_of_state = std::move(class_of_state);
  return std::move(sets.classes);
}

}  // namespace decoding
