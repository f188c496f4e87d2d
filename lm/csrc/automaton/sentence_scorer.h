// Log probabilities of the words of sentences that are known as a whole: those that Advance and
// Final give one word after the other, to the last bit.
//
// Advance has to wait for the state that the word before led to. But a state is a history, which
// depends on words alone: from every word of the sentences the n-grams that begin there are walked
// through, all walks by one arc in turn, so that their look-ups wait for the memory together. The
// longest n-gram that ends in a word gives its log probability; the longest history that ends
// before it backs off to the history of that n-gram, as in Advance, and pays for it.
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
    BeginWalks();
    while (num_walks_ != 0) LengthenWalks();
    size_t p = 0;
    for (size_t s = 0; s < num_sentences; ++s, ++p) {
      for (int64_t i = offsets[s]; i < offsets[s + 1]; ++i, ++p) {
        log_probs[i] = LogProb(places_[p].history, places_[p + 1]);
      }
      finals[s] = automaton_.Final(places_[p].history);
    }
  }

 private:
  static constexpr uint32_t kNoWord = UINT32_MAX;
  static constexpr float kImpossible = -std::numeric_limits<float>::infinity();

  // A word, or the <s> before the words of a sentence.
  struct Place {
    uint32_t word;     // kNoWord: <s>
    uint32_t history;  // the longest that is known to end here
    uint32_t source;   // of the longest n-gram that is known to end here: the history before
    float log_prob;    // of that n-gram
  };

  // An n-gram that is a history, and the place after it.
  struct Walk {
    typename View::Query query;
    Place* next;
  };

  void Lay(const int32_t* words, const int64_t* offsets, size_t num_sentences) {
    places_.resize(static_cast<size_t>(offsets[num_sentences] - offsets[0]) + num_sentences + 1);
    Place* place = places_.data();
    for (size_t s = 0; s < num_sentences; ++s) {
      *place++ = {kNoWord, Automaton::kStart, Automaton::kEmpty, kImpossible};
      for (int64_t i = offsets[s]; i < offsets[s + 1]; ++i) {
        const uint32_t word = static_cast<uint32_t>(words[i]);
        automaton_.PrefetchUnigram(word);
        *place++ = {word, Automaton::kEmpty, Automaton::kEmpty, kImpossible};
      }
    }
    *place = {kNoWord, Automaton::kEmpty, Automaton::kEmpty, kImpossible};
  }

  void BeginWalks() {
    walks_.resize(places_.size());
    Walk* kept = walks_.data();
    for (Place *place = places_.data(), *last = &places_.back(); place != last; ++place) {
      if (place->word < automaton_.num_words()) {
        const Arc arc = automaton_.Unigram(place->word);
        place->log_prob = arc.log_prob;
        place->history = arc.next;
      }
      kept += place->history != Automaton::kEmpty && Begin(kept, place->history, place + 1);
    }
    num_walks_ = static_cast<size_t>(kept - walks_.data());
  }

  // All walks have the same length, so the histories that end in a word are shorter than these.
  void LengthenWalks() {
    Keep([this](Walk* walk) { return automaton_.PrefetchArcs(&walk->query); });
    if constexpr (View::kArcsTakeTwoSteps) {
      Keep([this](Walk* walk) { return automaton_.PrefetchArc(&walk->query); });
    }
    Keep([this](Walk* walk) {
      Place* const place = walk->next;
      Arc arc;
      if (!automaton_.Find(walk->query, place->history, &arc)) return false;
      place->log_prob = arc.log_prob;
      place->source = walk->query.state;
      if (arc.next == place->history) return false;  // the n-gram is no history
      place->history = arc.next;
      return Begin(walk, arc.next, place + 1);
    });
  }

  // Whether a walk goes on: not behind the end of a sentence.
  bool Begin(Walk* walk, uint32_t history, Place* next) const {
    walk->query.state = history;
    walk->query.word = next->word;
    walk->next = next;
    if (next->word < automaton_.num_words()) {
      automaton_.PrefetchHistory(history);
      return true;
    }
    automaton_.PrefetchFinal(history);
    return false;
  }

  template <typename Test>
  void Keep(const Test& test) {
    Walk* const first = walks_.data();
    Walk* kept = first;
    for (Walk *walk = first, *last = first + num_walks_; walk != last; ++walk) {
      if (test(walk)) *kept++ = *walk;
    }
    num_walks_ = static_cast<size_t>(kept - first);
  }

  float LogProb(uint32_t history, const Place& place) const {
    if (place.word >= automaton_.num_words()) return place.log_prob;
    float log_prob = 0.0f;
    while (history != place.source && history != Automaton::kEmpty) {
      log_prob += automaton_.backoff(history);
      history = automaton_.backoff_state(history);
    }
    return log_prob + place.log_prob;
  }

  const View& automaton_;
  std::vector<Place> places_;
  std::vector<Walk> walks_;
  size_t num_walks_ = 0;  // of them, in front
};

}  // namespace lm

#endif  // LM_CSRC_AUTOMATON_SENTENCE_SCORER_H_
