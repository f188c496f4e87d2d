#include "decoding/csrc/fly_look_ahead.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace decoding {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr unsigned kFirstBits = 12;
// So few explicit words are looked through as they stand.
constexpr std::ptrdiff_t kFew = 8;
constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15u;

}  // namespace

LookAheadClasses::LookAheadClasses(const WordClasses& classes, const lm::Automaton& automaton,
                                   const int32_t* words)
    : automaton_(automaton) {
  positions_.assign(automaton.num_words(), kNowhere);
  uint32_t count = 0;
  for (const uint32_t word : classes.order) {
    if (words[word] < 0) continue;
    uint32_t& position = positions_[static_cast<size_t>(words[word])];
    if (position != kNowhere) {
      throw std::invalid_argument("words: word " + std::to_string(word) +
                                  ": expected another word of the language model than before");
    }
    position = count++;
  }
  unigram_costs_.assign(classes.num_classes(), kInfinity);
  unigram_costs_[WordClasses::kAnything] = 0.0f;
  offsets_.push_back(0);
  std::vector<uint32_t> places;
  for (uint32_t c = 0; c < classes.num_classes(); ++c) {
    places.clear();
    for (uint64_t i = classes.offsets[c]; i < classes.offsets[c + 1]; ++i) {
      const int32_t word = words[classes.words[i]];
      if (word < 0) continue;
      places.push_back(positions_[static_cast<size_t>(word)]);
      const lm::Arc* const arc =
          automaton.Find(lm::Automaton::kEmpty, static_cast<uint32_t>(word));
      unigram_costs_[c] = std::min(unigram_costs_[c], -arc->log_prob);
    }
    std::sort(places.begin(), places.end());
    for (size_t i = 0; i < places.size(); ++i) {
      if (i > 0 && places[i] == places[i - 1] + 1) {
        ++intervals_.back().end;
      } else {
        intervals_.push_back({places[i], places[i] + 1});
      }
    }
    offsets_.push_back(static_cast<uint32_t>(intervals_.size()));
  }
}

LookAhead::LookAhead(const LookAheadClasses& classes, size_t max_bytes)
    : classes_(classes), automaton_(classes.automaton()), max_bytes_(max_bytes) {
  ResizeKnown(kFirstBits);
  ResizeLists(kFirstBits);
}

size_t LookAhead::num_bytes() const {
  return 2 * num_known_ * sizeof(Known) + 2 * num_lists_ * sizeof(List) +
         words_.size() * sizeof(Word);
}

void LookAhead::Trim() {
  if (num_bytes() <= max_bytes_) return;
  num_known_ = 0;
  std::fill(known_.begin(), known_.end(), Known{kNone, 0, {0, 0.0f, 0.0f}});
  num_lists_ = 0;
  std::fill(lists_.begin(), lists_.end(), List{kNone, 0, 0});
  words_.clear();
}

size_t LookAhead::KnownSlot(uint32_t state, uint32_t of_class) const {
  const uint64_t key = (static_cast<uint64_t>(state) << 32) | of_class;
  auto slot = static_cast<size_t>((key * kMultiplier) >> known_shift_);
  while (known_[slot].state != kNone &&
         (known_[slot].state != state || known_[slot].of_class != of_class)) {
    slot = (slot + 1) & (known_.size() - 1);
  }
  return slot;
}

size_t LookAhead::ListSlot(uint32_t state) const {
  auto slot = static_cast<size_t>((state * kMultiplier) >> lists_shift_);
  while (lists_[slot].state != kNone && lists_[slot].state != state) {
    slot = (slot + 1) & (lists_.size() - 1);
  }
  return slot;
}

// `bits`: of the table's size.
void LookAhead::ResizeKnown(unsigned bits) {
  const LargeVector<Known> old = std::move(known_);
  known_ = LargeVector<Known>();
  known_.assign(size_t{1} << bits, Known{kNone, 0, {0, 0.0f, 0.0f}});
  known_shift_ = 64 - bits;
  for (const Known& known : old) {
    if (known.state != kNone) known_[KnownSlot(known.state, known.of_class)] = known;
  }
}

void LookAhead::ResizeLists(unsigned bits) {
  const LargeVector<List> old = std::move(lists_);
  lists_ = LargeVector<List>();
  lists_.assign(size_t{1} << bits, List{kNone, 0, 0});
  lists_shift_ = 64 - bits;
  for (const List& list : old) {
    if (list.state != kNone) lists_[ListSlot(list.state)] = list;
  }
}

Outlook LookAhead::Find(uint32_t state, uint32_t of_class) {
  if (of_class == WordClasses::kAnything) return classes_.FindAnything(state);
  if (state == lm::Automaton::kEmpty) return {state, 0.0f, classes_.unigram_cost(of_class)};
  size_t slot = KnownSlot(state, of_class);
  if (known_[slot].state == state) return known_[slot].outlook;
  const Outlook outlook = Work(state, of_class);
  if (2 * ++num_known_ > known_.size()) {
    ResizeKnown(65 - known_shift_);
    slot = KnownSlot(state, of_class);
  }
  known_[slot] = {state, of_class, outlook};
  return outlook;
}

Outlook LookAhead::Work(uint32_t state, uint32_t of_class) {
  const float best = BestExplicit(state, of_class);
  Outlook shorter = Find(automaton_.backoff_state(state), of_class);
  shorter.backoff -= automaton_.backoff(state);
  // Backed off, a token has the same look-ahead whichever history it comes from.
  if (best == kInfinity) return shorter;
  return {state, 0.0f, std::min(best, shorter.backoff + shorter.best)};
}

// Lowest cost of the words of the class that are explicit in a history; infinity if none is.
float LookAhead::BestExplicit(uint32_t state, uint32_t of_class) {
  const LookAheadClasses::Interval* const first = classes_.begin(of_class);
  const LookAheadClasses::Interval* const last = classes_.end(of_class);
  const lm::Arc* const begin = automaton_.begin(state);
  const lm::Arc* const end = automaton_.end(state);
  float best = kInfinity;
  if (end - begin <= kFew) {
    for (const lm::Arc* arc = begin; arc != end; ++arc) {
      const uint32_t position = classes_.position(arc->word);
      for (const auto* interval = first; interval != last; ++interval) {
        const bool inside = position >= interval->begin && position < interval->end;
        best = std::min(best, inside ? -arc->log_prob : kInfinity);
      }
    }
    return best;
  }
  const List& list = FindList(state);
  const Word* const words = words_.data() + list.begin;
  const Word* place = words;
  for (const auto* interval = first; interval != last; ++interval) {
    place = std::lower_bound(
        place, words + list.count, interval->begin,
        [](const Word& word, uint32_t position) { return word.position < position; });
    for (; place != words + list.count && place->position < interval->end; ++place) {
      best = std::min(best, place->cost);
    }
  }
  return best;
}

const LookAhead::List& LookAhead::FindList(uint32_t state) {
  size_t slot = ListSlot(state);
  if (lists_[slot].state == state) return lists_[slot];
  const size_t begin = words_.size();
  const lm::Arc* const end = automaton_.end(state);
  for (const lm::Arc* arc = automaton_.begin(state); arc != end; ++arc) {
    const uint32_t position = classes_.position(arc->word);
    if (position != LookAheadClasses::kNowhere) words_.push_back({position, -arc->log_prob});
  }
  std::sort(words_.begin() + static_cast<std::ptrdiff_t>(begin), words_.end(),
            [](const Word& a, const Word& b) { return a.position < b.position; });
  if (2 * ++num_lists_ > lists_.size()) {
    ResizeLists(65 - lists_shift_);
    slot = ListSlot(state);
  }
  lists_[slot] = {state, static_cast<uint32_t>(words_.size() - begin), begin};
  return lists_[slot];
}

}  // namespace decoding
