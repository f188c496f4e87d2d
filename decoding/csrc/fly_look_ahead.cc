#include "decoding/csrc/fly_look_ahead.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace decoding {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr unsigned kFirstBits = 14;

}  // namespace

LookAheadClasses::LookAheadClasses(const WordClasses& classes, const lm::Automaton& automaton,
                                   const int32_t* words)
    : automaton_(automaton) {
  const uint32_t num_words = automaton.num_words();
  unigram_costs_.assign(classes.num_classes(), kInfinity);
  unigram_costs_[WordClasses::kAnything] = 0.0f;
  offsets_.assign(static_cast<size_t>(num_words) + 1, 0);
  // Words that share one of the automaton's may repeat a class: it is entered once.
  std::vector<uint32_t> last(num_words);
  const auto each = [&](auto&& visit) {
    std::fill(last.begin(), last.end(), UINT32_MAX);
    for (uint32_t c = 0; c < classes.num_classes(); ++c) {
      for (uint64_t i = classes.offsets[c]; i < classes.offsets[c + 1]; ++i) {
        if (words[classes.words[i]] < 0) continue;
        const auto word = static_cast<uint32_t>(words[classes.words[i]]);
        if (last[word] == c) continue;
        last[word] = c;
        visit(word, c);
      }
    }
  };
  each([&](uint32_t word, uint32_t c) {
    ++offsets_[word + 1];
    const float cost = -automaton.Find(lm::Automaton::kEmpty, word)->log_prob;
    unigram_costs_[c] = std::min(unigram_costs_[c], cost);
  });
  for (size_t w = 0; w < num_words; ++w) offsets_[w + 1] += offsets_[w];
  classes_.resize(offsets_.back());
  std::vector<uint64_t> next(offsets_.begin(), offsets_.end() - 1);
  each([&](uint32_t word, uint32_t c) { classes_[next[word]++] = c; });
}

LookAhead::LookAhead(const LookAheadClasses& classes, size_t max_bytes)
    : classes_(classes), max_entries_(max_bytes / (2 * sizeof(Entry))) {
  Resize(kFirstBits);
}

void LookAhead::Trim() {
  if (num_entries_ <= max_entries_) return;
  num_entries_ = 0;
  std::fill(table_.begin(), table_.end(), Entry{kNobody, 0, {0, 0.0f, 0.0f}});
}

// `bits`: of the table's size.
void LookAhead::Resize(unsigned bits) {
  const LargeVector<Entry> old = std::move(table_);
  table_ = LargeVector<Entry>();
  table_.assign(size_t{1} << bits, Entry{kNobody, 0, {0, 0.0f, 0.0f}});
  mask_ = table_.size() - 1;
  shift_ = 64 - bits;
  for (const Entry& entry : old) {
    if (entry.state != kNobody) table_[Slot(entry.state, entry.of_class)] = entry;
  }
}

LookAhead::Entry* LookAhead::Add(uint32_t state, uint32_t of_class) {
  size_t slot = Slot(state, of_class);
  if (table_[slot].state == kNobody) {
    if (2 * (num_entries_ + 1) > table_.size()) {
      Resize(65 - shift_);
      slot = Slot(state, of_class);
    }
    ++num_entries_;
    table_[slot] = {state, of_class, {kUnsettled, 0.0f, kInfinity}};
  }
  return &table_[slot];
}

void LookAhead::Lower(uint32_t state, uint32_t of_class, float cost) {
  float* const best = &Add(state, of_class)->outlook.best;
  *best = std::min(*best, cost);
}

// Enters the words that are explicit in a history into the classes that they are in.
void LookAhead::Spread(uint32_t state) {
  const lm::Automaton& automaton = classes_.automaton();
  const lm::Arc* const end = automaton.end(state);
  for (const lm::Arc* arc = automaton.begin(state); arc != end; ++arc) {
    const uint32_t* const last = classes_.end(arc->word);
    for (const uint32_t* c = classes_.begin(arc->word); c != last; ++c) {
      Lower(state, *c, -arc->log_prob);
    }
  }
  ++num_spread_;
}

Outlook LookAhead::Settle(uint32_t state, uint32_t of_class) {
  const lm::Automaton& automaton = classes_.automaton();
  if (table_[Slot(state, kSpread)].state == kNobody) {
    Spread(state);
    Add(state, kSpread);
  }
  const float cost = -automaton.backoff(state);
  Outlook shorter = Find(automaton.backoff_state(state), of_class);
  shorter.backoff += cost;
  Outlook* const outlook = &Add(state, of_class)->outlook;
  if (outlook->best == kInfinity) {  // no word of the class is explicit
    *outlook = shorter;
  } else {
    outlook->state = state;
    outlook->best = std::min(outlook->best, shorter.backoff + shorter.best);
  }
  return *outlook;
}

}  // namespace decoding
