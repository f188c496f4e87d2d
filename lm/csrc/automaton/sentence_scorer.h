// Log probabilities of the words of sentences that are known as a whole: those that Advance and
// Final give one word after the other, to the last bit.
//
// Advance has to wait for the state that the word before led to. But a state is a history, which
// depends on words alone: from every word of the sentences the n-grams that begin there are matched
// arc by arc, each match by one arc in turn, so that their look-ups wait for the memory together. The
// longest n-gram that ends in a word gives its log probability; the longest history that ends
// before it backs off to the history of that n-gram, as in Advance, whose back-off weights are added.
#ifndef LM_CSRC_AUTOMATON_SENTENCE_SCORER_H_
#define LM_CSRC_AUTOMATON_SENTENCE_SCORER_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "lm/csrc/automaton/arc_index.h"
#include "lm/csrc/automaton/automaton.h"

namespace lm {

// For Automaton and CompactAutomaton.
template <typename View>
class SentenceScorer {
 public:
  explicit SentenceScorer(const View& automaton) : automaton_(automaton) {}

  // Sentence i has the words [offsets[i], offsets[i + 1]); log_probs has one for each word of all
  // texts, finals one for each of these sentences.
  void Score(const int32_t* words, const int64_t* offsets, size_t num_sentences, float* log_probs,
             float* finals) {
    Lay(words, offsets, num_sentences);
    BeginMatches();
    while (num_matches_ != 0) ExtendMatches();
    size_t p = 0;
    for (size_t s = 0; s < num_sentences; ++s, ++p) {
      for (int64_t i = offsets[s]; i < offsets[s + 1]; ++i, ++p) {
        log_probs[i] = LogProb(positions_[p].history, positions_[p + 1]);
      }
      finals[s] = automaton_.Final(positions_[p].history);
    }
  }

 private:
  static constexpr uint32_t kNoWord = UINT32_MAX;
  static constexpr float kImpossible = -std::numeric_limits<float>::infinity();

  // A word, or the <s> before the words of a sentence.
  struct Position {
    uint32_t word;     // kNoWord: <s>
    uint32_t history;  // the longest that is known to end here
    uint32_t source;   // of the longest n-gram that is known to end here: the history before
    float log_prob;    // of that n-gram
  };

  // An n-gram that is a history, and the position after it.
  struct Match {
    typename View::Query query;
    Position* next;
  };

  void Lay(const int32_t* words, const int64_t* offsets, size_t num_sentences) {
    positions_.resize(static_cast<size_t>(offsets[num_sentences] - offsets[0]) + num_sentences + 1);
    Position* position = positions_.data();
    for (size_t s = 0; s < num_sentences; ++s) {
      *position++ = {kNoWord, Automaton::kStart, Automaton::kEmpty, kImpossible};
      for (int64_t i = offsets[s]; i < offsets[s + 1]; ++i) {
        const uint32_t word = static_cast<uint32_t>(words[i]);
        automaton_.PrefetchUnigram(word);
        *position++ = {word, Automaton::kEmpty, Automaton::kEmpty, kImpossible};
      }
    }
    *position = {kNoWord, Automaton::kEmpty, Automaton::kEmpty, kImpossible};
  }

  void BeginMatches() {
    matches_.resize(positions_.size());
    Match* kept = matches_.data();
    for (Position *position = positions_.data(), *last = &positions_.back(); position != last; ++position) {
      if (position->word < automaton_.num_words()) {
        const Arc arc = automaton_.Unigram(position->word);
        position->log_prob = arc.log_prob;
        position->history = arc.next;
      }
      kept += position->history != Automaton::kEmpty && Begin(kept, position->history, position + 1);
    }
    num_matches_ = static_cast<size_t>(kept - matches_.data());
  }

  // All matches have the same length, so the histories that end in a word are shorter than these.
  void ExtendMatches() {
    Keep([this](Match* match) { return automaton_.PrefetchArcs(&match->query); });
    if constexpr (View::kArcsTakeTwoSteps) {
      Keep([this](Match* match) { return automaton_.PrefetchArc(&match->query); });
    }
    Keep([this](Match* match) {
      Position* const position = match->next;
      Arc arc;
      if (!automaton_.Find(match->query, position->history, &arc)) return false;
      position->log_prob = arc.log_prob;
      position->source = match->query.state;
      if (arc.next == position->history) return false;  // the n-gram is no history
      position->history = arc.next;
      return Begin(match, arc.next, position + 1);
    });
  }

  // Whether a match goes on: not after the end of a sentence.
  bool Begin(Match* match, uint32_t history, Position* next) const {
    match->query.state = history;
    match->query.word = next->word;
    match->next = next;
    if (next->word < automaton_.num_words()) {
      automaton_.PrefetchHistory(history);
      return true;
    }
    automaton_.PrefetchFinal(history);
    return false;
  }

  template <typename Test>
  void Keep(const Test& test) {
    Match* const first = matches_.data();
    Match* kept = first;
    for (Match *match = first, *last = first + num_matches_; match != last; ++match) {
      if (test(match)) *kept++ = *match;
    }
    num_matches_ = static_cast<size_t>(kept - first);
  }

  float LogProb(uint32_t history, const Position& position) const {
    if (position.word >= automaton_.num_words()) return position.log_prob;
    float log_prob = 0.0f;
    while (history != position.source && history != Automaton::kEmpty) {
      log_prob += automaton_.backoff(history);
      history = automaton_.backoff_state(history);
    }
    return log_prob + position.log_prob;
  }

  const View& automaton_;
  std::vector<Position> positions_;
  std::vector<Match> matches_;
  size_t num_matches_ = 0;  // of them, in front
};

}  // namespace lm

#endif  // LM_CSRC_AUTOMATON_SENTENCE_SCORER_H_
