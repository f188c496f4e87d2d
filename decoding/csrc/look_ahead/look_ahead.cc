#include "decoding/csrc/look_ahead/look_ahead.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace decoding {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr unsigned kFirstBits = 12;
constexpr std::ptrdiff_t kFewIntervals = 3;
constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15u;

}  // namespace

LookAheadClasses::LookAheadClasses(const WordClasses& classes, const lm::Automaton& automaton,
                                   const int32_t* words)
    : automaton_(automaton) {
  positions_.assign(automaton.num_words(), kNotInGraph);
  uint32_t count = 0;
  std::vector<uint32_t> before;  // positions before each word of the order
  std::vector<float> costs;      // of unigrams, by position
  for (const uint32_t word : classes.order) {
    before.push_back(count);
    if (words[word] < 0) continue;
    uint32_t& position = positions_[static_cast<size_t>(words[word])];
    if (position != kNotInGraph) {
      throw std::invalid_argument("words: word " + std::to_string(word) +
                                  ": expected another word of the language model than before");
    }
    position = count++;
    const auto own = static_cast<uint32_t>(words[word]);
    costs.push_back(-automaton.Find(lm::Automaton::kEmpty, own)->log_prob);
  }
  before.push_back(count);
  unigram_costs_.assign(classes.num_classes(), kInfinity);
  unigram_costs_[WordClasses::kAnything] = 0.0f;
  offsets_.push_back(0);
  for (uint32_t c = 0; c < classes.num_classes(); ++c) {
    for (uint64_t i = classes.offsets[c]; i < classes.offsets[c + 1]; ++i) {
      const Interval one{before[classes.intervals[i].begin], before[classes.intervals[i].end]};
      if (one.begin == one.end) continue;
      for (uint32_t position = one.begin; position < one.end; ++position) {
        unigram_costs_[c] = std::min(unigram_costs_[c], costs[position]);
      }
      if (intervals_.size() > offsets_.back() && intervals_.back().end == one.begin) {
        intervals_.back().end = one.end;
      } else {
        intervals_.push_back(one);
      }
    }
    offsets_.push_back(static_cast<uint32_t>(intervals_.size()));
  }
}

LookAhead::LookAhead(const LookAheadClasses& classes, size_t max_bytes)
    : classes_(classes), automaton_(classes.automaton()), max_bytes_(max_bytes) {
  Resize(kFirstBits);
  ResizeKnown(kFirstBits);
}

void LookAhead::Trim() {
  const size_t num_bytes = 2 * num_lists_ * sizeof(List) + 2 * num_known_ * sizeof(Known) +
                           words_.size() * sizeof(Word) + minima_.size() * sizeof(float);
  if (num_bytes <= max_bytes_) return;
  num_known_ = 0;
  std::fill(known_.begin(), known_.end(), Known{kNone, 0, 0.0f});
  num_lists_ = 0;
  std::fill(lists_.begin(), lists_.end(), List{kNone, 0, 0, 0});
  words_.clear();
  minima_.clear();
}

size_t LookAhead::Slot(uint32_t history) const {
  auto slot = static_cast<size_t>((history * kMultiplier) >> shift_);
  while (lists_[slot].history != kNone && lists_[slot].history != history) {
    slot = (slot + 1) & (lists_.size() - 1);
  }
  return slot;
}

// `bits`: of the table's size.
void LookAhead::Resize(unsigned bits) {
  const arrays::AlignedVector<List> old = std::move(lists_);
  lists_ = arrays::AlignedVector<List>();
  lists_.assign(size_t{1} << bits, List{kNone, 0, 0, 0});
  shift_ = 64 - bits;
  for (const List& list : old) {
    if (list.history != kNone) lists_[Slot(list.history)] = list;
  }
}

size_t LookAhead::KnownSlot(uint32_t history, uint32_t of_class) const {
  const uint64_t key = (static_cast<uint64_t>(history) << 32) | of_class;
  auto slot = static_cast<size_t>((key * kMultiplier) >> known_shift_);
  while (known_[slot].history != kNone &&
         (known_[slot].history != history || known_[slot].of_class != of_class)) {
    slot = (slot + 1) & (known_.size() - 1);
  }
  return slot;
}

void LookAhead::ResizeKnown(unsigned bits) {
  const arrays::AlignedVector<Known> old = std::move(known_);
  known_ = arrays::AlignedVector<Known>();
  known_.assign(size_t{1} << bits, Known{kNone, 0, 0.0f});
  known_shift_ = 64 - bits;
  for (const Known& known : old) {
    if (known.history != kNone) known_[KnownSlot(known.history, known.of_class)] = known;
  }
}

// From the first to the last word of a class.
LookAheadClasses::Interval LookAhead::HullOf(uint32_t of_class) const {
  if (of_class == WordClasses::kAnything) return {0, static_cast<uint32_t>(-1)};
  const LookAheadClasses::Interval* const first = classes_.begin(of_class);
  const LookAheadClasses::Interval* const last = classes_.end(of_class);
  return first == last ? LookAheadClasses::Interval{0, 0}
                       : LookAheadClasses::Interval{first->begin, (last - 1)->end};
}

LookAhead::Range LookAhead::FindExplicit(uint32_t history, uint32_t within) {
  return FindExplicit(history, HullOf(within));
}

void LookAhead::Find(uint32_t history, uint32_t within, const uint32_t* classes, size_t count,
                     LookAheadScore* scores) {
  const LookAheadClasses::Interval hull = HullOf(within);
  for (size_t i = 0; i < count; ++i) {
    scores[i] = classes[i] == WordClasses::kAnything
                      ? classes_.FindAnything(history)
                      : LookAheadScore{kNone, 0.0f, kInfinity};
  }
  since_.assign(count, 0.0f);
  float backed_off = 0.0f;  // cost of backing off so far
  for (;;) {
    const bool empty = history == lm::Automaton::kEmpty;
    const Range range = empty ? Range{nullptr, 0, 0, nullptr, false} : FindExplicit(history, hull);
    const float backoff = -automaton_.backoff(history);
    for (size_t i = 0; i < count; ++i) {
      if (classes[i] == WordClasses::kAnything) continue;
      LookAheadScore& score = scores[i];
      const float lowest =
          empty ? classes_.unigram_cost(classes[i]) : FindLowestCost(history, range, classes[i]);
      if (score.state == kNone && (lowest < kInfinity || empty)) {
        score = {history, backed_off, lowest};
      } else {
        // From the state on, not from the history: a token has the same look-ahead whichever
        // history it backed off from.
        score.best = std::min(score.best, since_[i] + lowest);
      }
      since_[i] = score.state == kNone ? 0.0f : since_[i] + backoff;
    }
    if (empty) return;
    backed_off += backoff;
    history = automaton_.backoff_state(history);
  }
}

// The explicit words of a history that lie in the hull, or some more.
LookAhead::Range LookAhead::FindExplicit(uint32_t history, LookAheadClasses::Interval hull) {
  const lm::Arc* const begin = automaton_.begin(history);
  const lm::Arc* const end = automaton_.end(history);
  if (static_cast<size_t>(end - begin) <= kFew) {
    few_.clear();
    for (const lm::Arc* arc = begin; arc != end; ++arc) {
      const uint32_t position = classes_.position(arc->word);
      if (position >= hull.begin && position < hull.end) {
        few_.push_back({position, -arc->log_prob});
      }
    }
    return {few_.data(), 0, few_.size(), nullptr, false};
  }
  const List& list = FindList(history);
  const Word* const words = words_.data() + list.begin;
  const auto before = [](const Word& word, uint32_t position) { return word.position < position; };
  const Word* const from = std::lower_bound(words, words + list.count, hull.begin, before);
  const Word* const to = hull.end == static_cast<uint32_t>(-1)
                             ? words + list.count
                             : std::lower_bound(from, words + list.count, hull.end, before);
  return {words, static_cast<size_t>(from - words), static_cast<size_t>(to - words),
          minima_.data() + list.minima, true};
}

// The classes at the beginning of words are many intervals, and all histories ask for them and
// back off to the same ones with long lists.
inline float LookAhead::FindLowestCost(uint32_t history, const Range& range, uint32_t of_class) {
  const std::ptrdiff_t num_intervals = classes_.end(of_class) - classes_.begin(of_class);
  if (num_intervals < kFewIntervals || range.end - range.begin <= kFew) {
    return LowestCost(range, of_class);
  }
  size_t slot = KnownSlot(history, of_class);
  if (known_[slot].history != kNone) return known_[slot].cost;
  const float cost = LowestCost(range, of_class);
  if (2 * ++num_known_ > known_.size()) {
    ResizeKnown(65 - known_shift_);
    slot = KnownSlot(history, of_class);
  }
  known_[slot] = {history, of_class, cost};
  return cost;
}

bool LookAhead::HasExplicit(uint32_t history, const Range& range, uint32_t of_class) {
  return FindLowestCost(history, range, of_class) < kInfinity;
}

// Infinity if no word of the class is in the range.
float LookAhead::LowestCost(const Range& range, uint32_t of_class) const {
  const LookAheadClasses::Interval* const first = classes_.begin(of_class);
  const LookAheadClasses::Interval* const last = classes_.end(of_class);
  float lowest = kInfinity;
  if (range.end - range.begin <= kFew * static_cast<size_t>(last - first)) {
    // Fewer words than intervals: the word decides where to look.
    for (size_t i = range.begin; i < range.end; ++i) {
      const Word word = range.words[i];
      const LookAheadClasses::Interval* interval = first;
      for (std::ptrdiff_t size = last - first; size > 1;) {
        const std::ptrdiff_t half = size / 2;
        interval += interval[half].begin <= word.position ? half : 0;
        size -= half;
      }
      const bool inside = word.position >= interval->begin && word.position < interval->end;
      lowest = std::min(lowest, inside ? word.cost : kInfinity);
    }
    return lowest;
  }
  const Word* const end = range.words + range.end;
  const Word* found = range.words + range.begin;
  const auto find = [&](uint32_t wanted) {
    found = std::lower_bound(found, end, wanted, [](const Word& word, uint32_t position) {
      return word.position < position;
    });
    return static_cast<size_t>(found - range.words);
  };
  for (const LookAheadClasses::Interval* interval = first; interval != last; ++interval) {
    size_t from = find(interval->begin);
    if (from == range.end) break;
    if (range.words[from].position >= interval->end) continue;
    size_t to = find(interval->end);
    for (; from < to && from % kBlock != 0; ++from) {
      lowest = std::min(lowest, range.words[from].cost);
    }
    for (; from < to && to % kBlock != 0; --to) {
      lowest = std::min(lowest, range.words[to - 1].cost);
    }
    for (size_t block = from / kBlock; block < to / kBlock; ++block) {
      lowest = std::min(lowest, range.minima[block]);
    }
  }
  return lowest;
}

const LookAhead::List& LookAhead::FindList(uint32_t history) {
  size_t slot = Slot(history);
  if (lists_[slot].history == history) return lists_[slot];
  const size_t begin = words_.size();
  const lm::Arc* const end = automaton_.end(history);
  for (const lm::Arc* arc = automaton_.begin(history); arc != end; ++arc) {
    const uint32_t position = classes_.position(arc->word);
    if (position != LookAheadClasses::kNotInGraph) words_.push_back({position, -arc->log_prob});
  }
  std::sort(words_.begin() + static_cast<std::ptrdiff_t>(begin), words_.end(),
            [](const Word& a, const Word& b) { return a.position < b.position; });
  const size_t count = words_.size() - begin;
  const size_t minima = minima_.size();
  for (size_t block = 0; block + kBlock <= count; block += kBlock) {
    float lowest = kInfinity;
    for (size_t i = block; i < block + kBlock; ++i) {
      lowest = std::min(lowest, words_[begin + i].cost);
    }
    minima_.push_back(lowest);
  }
  if (2 * ++num_lists_ > lists_.size()) {
    Resize(65 - shift_);
    slot = Slot(history);
  }
  lists_[slot] = {history, static_cast<uint32_t>(count), begin, minima};
  return lists_[slot];
}

}  // namespace decoding
