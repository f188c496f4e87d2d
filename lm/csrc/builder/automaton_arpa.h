// The n-grams of an automaton as the text of an ARPA file.
#ifndef LM_CSRC_AUTOMATON_ARPA_H_
#define LM_CSRC_AUTOMATON_ARPA_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lm/csrc/automaton/automaton.h"
#include "lm/csrc/files/log10.h"
#include "lm/csrc/files/ngram_records.h"

namespace lm {

// Walks the states of one length in the order of their numbers and knows their words. Each length
// is walked along with the one below, whose arcs spell it: everything is read from front to back.
template <typename View>
class HistoryWalk {
 public:
  // At the first state of a length; `first_states` holds the number of that of each length.
  HistoryWalk(const View& automaton, const std::vector<uint64_t>& first_states, size_t length)
      : automaton_(automaton), cursors_(length + 1), words_(length) {
    for (size_t k = 0; k <= length; ++k) {
      cursors_[k].state = first_states[k] - (k > 0);  // before the first: Advance goes there
      cursors_[k].next_spelled = k == 0 ? Automaton::kStart + 1 : first_states[k + 1];
    }
    Load(0);
    if (length > 0) Advance(length);
  }

  uint32_t state() const { return static_cast<uint32_t>(cursors_.back().state); }
  // As the automaton's words; kBegin: <s>.
  const std::vector<uint32_t>& words() const { return words_; }
  // To the next state, which there is.
  void Advance() { Advance(words_.size()); }

  static constexpr uint32_t kBegin = UINT32_MAX;

 private:
  struct Cursor {
    uint64_t state;
    uint64_t next_spelled;        // by the arcs of the states from the next one on
    std::vector<uint32_t> words;  // of the arcs that spell states
    size_t position = 0;          // of the first that has not been taken
  };

  void Advance(size_t length) {
    if (length == 0) throw std::invalid_argument("automaton: expected an arc to every state");
    if (++cursors_[length].state == Automaton::kStart) {
      words_[0] = kBegin;
      return;
    }
    Cursor& above = cursors_[length - 1];
    while (above.position == above.words.size()) {
      Advance(length - 1);
      Load(length - 1);
    }
    words_[length - 1] = above.words[above.position++];
  }

  void Load(size_t length) {
    Cursor& cursor = cursors_[length];
    cursor.words.clear();
    cursor.position = 0;
    automaton_.ForEachArc(static_cast<uint32_t>(cursor.state), [&cursor](const Arc& arc) {
      if (arc.next != cursor.next_spelled) return;
      cursor.words.push_back(arc.word);
      ++cursor.next_spelled;
    });
  }

  const View& automaton_;
  std::vector<Cursor> cursors_;
  std::vector<uint32_t> words_;
};

struct ArpaTextOptions {
  int order;                    // of the model that the automaton was made of
  uint32_t begin;               // the rows of <s> and </s> among the unigrams
  uint32_t end;
  float begin_log_prob;
  int decimals;                 // negative: as many as it takes to read the same float again
};

// Takes the text, a block at a time.
using TextSink = std::function<void(std::string_view)>;

template <typename View>
class ArpaText {
 public:
  // `vocabulary`: the automaton's words, each followed by a line feed. Throws
  // std::invalid_argument.
  ArpaText(const View& automaton, std::string_view vocabulary, const ArpaTextOptions& options,
           const TextSink& sink)
      : automaton_(automaton),
        options_(options),
        ranks_(automaton.num_words() + 2, options.begin, options.end),
        sink_(sink) {
    if (options.order < 1 || options.order > kMaxOrder) {
      throw std::invalid_argument("order: expected 1 to 6");
    }
    while (!vocabulary.empty()) {
      const size_t end = vocabulary.find('\n');
      if (end == std::string_view::npos) throw std::invalid_argument("vocabulary: damaged");
      words_.push_back(vocabulary.substr(0, end));
      vocabulary.remove_prefix(end + 1);
    }
    if (words_.size() != automaton.num_words()) {
      throw std::invalid_argument("vocabulary: expected one word for each unigram");
    }
  }

  void Write() {
    const size_t order = static_cast<size_t>(options_.order);
    std::vector<uint64_t> counts = Count();
    text_ = "\\data\\\n";
    for (size_t n = 1; n <= order; ++n) {
      text_ += "ngram " + std::to_string(n) + "=" + std::to_string(counts[n - 1]) + "\n";
    }
    for (size_t n = 1; n <= order; ++n) {
      text_ += "\n\\" + std::to_string(n) + "-grams:\n";
      if (n == 1) {
        WriteUnigrams();
      } else {
        WriteOrder(n);
      }
    }
    text_ += "\n\\end\\\n";
    Flush(0);
  }

 private:
  static constexpr uint32_t kBegin = HistoryWalk<View>::kBegin;

  bool HasEnd(uint32_t state) const { return !std::isnan(automaton_.explicit_final(state)); }

  // N-grams of each order; also finds the first states of each length.
  std::vector<uint64_t> Count() {
    const size_t order = static_cast<size_t>(options_.order);
    const uint64_t num_states = automaton_.num_states();
    std::vector<uint64_t> counts(order, 0);
    first_states_ = {0, 1};
    uint64_t next_spelled = Automaton::kStart + 1;
    for (uint64_t state = 0; state < num_states; ++state) {
      if (state == first_states_.back()) first_states_.push_back(next_spelled);
      const size_t length = first_states_.size() - 2;
      const auto number = static_cast<uint32_t>(state);
      uint64_t ngrams = HasEnd(number);
      automaton_.ForEachArc(number, [&](const Arc& arc) {
        ++ngrams;
        next_spelled += arc.next == next_spelled;
      });
      if (length < order) {
        counts[length] += ngrams;
      } else if (ngrams > 0) {
        throw std::invalid_argument("automaton: expected shorter n-grams");
      }
    }
    if (next_spelled != num_states) {
      throw std::invalid_argument("automaton: expected an arc to every state");
    }
    first_states_.resize(order + 2, num_states);
    ++counts[0];  // <s>
    return counts;
  }

  void WriteUnigrams() {
    uint64_t next_spelled = Automaton::kStart + 1;
    uint32_t row = 0;
    const auto specials = [&] {
      for (; row == options_.begin || row == options_.end; ++row) {
        const bool begin = row == options_.begin;
        WriteNgram(begin ? options_.begin_log_prob : automaton_.explicit_final(0), {},
                   begin ? "<s>" : "</s>", begin ? automaton_.backoff(Automaton::kStart) : 0.0f);
      }
    };
    automaton_.ForEachArc(Automaton::kEmpty, [&](const Arc& arc) {
      specials();
      WriteNgram(arc.log_prob, {}, words_[arc.word], BackoffOf(arc, &next_spelled));
      ++row;
    });
    specials();
  }

  // Those whose first word stands before <s> in the vocabulary come first in the file.
  void WriteOrder(size_t order) {
    const uint64_t first = first_states_[order - 1];
    const uint64_t last = first_states_[order];
    for (const bool before : {true, false}) {
      if (first == last || (before && options_.begin == 0)) continue;
      HistoryWalk<View> walk(automaton_, first_states_, order - 1);
      uint64_t next_spelled = last;
      for (uint64_t state = first; state < last; ++state) {
        if (state > first) walk.Advance();
        const uint32_t word = walk.words()[0];
        const bool is_before = word != kBegin && ranks_.Id(word + 1) < options_.begin;
        if (before && word != kBegin && !is_before) break;
        WriteState(walk, is_before == before, &next_spelled);
      }
    }
  }

  // The n-grams that go on from a state, or, if they are not to be `shown`, only their states.
  void WriteState(const HistoryWalk<View>& walk, bool shown, uint64_t* next_spelled) {
    const uint32_t state = walk.state();
    bool end = shown && HasEnd(state);
    const auto write_end = [&] {
      WriteNgram(automaton_.explicit_final(state), walk.words(), "</s>", 0.0f);
      end = false;
    };
    automaton_.ForEachArc(state, [&](const Arc& arc) {
      if (end && ranks_.Id(arc.word + 1) > options_.end) write_end();
      const float backoff = BackoffOf(arc, next_spelled);
      if (shown) WriteNgram(arc.log_prob, walk.words(), words_[arc.word], backoff);
    });
    if (end) write_end();
  }

  // Zero where the arc spells no state.
  float BackoffOf(const Arc& arc, uint64_t* next_spelled) const {
    if (arc.next != *next_spelled) return 0.0f;
    ++*next_spelled;
    return automaton_.backoff(arc.next);
  }

  void WriteNgram(float log_prob, const std::vector<uint32_t>& history, std::string_view word,
                  float backoff) {
    AppendLog10(log_prob, options_.decimals, &text_);
    text_ += '\t';
    for (const uint32_t w : history) {
      text_ += w == kBegin ? "<s>" : words_[w];
      text_ += ' ';
    }
    text_ += word;
    if (static_cast<int>(history.size()) + 1 < options_.order) {
      text_ += '\t';
      AppendLog10(backoff, options_.decimals, &text_);
    }
    text_ += '\n';
    Flush(size_t{1} << 20);
  }

  void Flush(size_t least) {
    if (text_.size() < least) return;
    sink_(text_);
    text_.clear();
  }

  const View& automaton_;
  const ArpaTextOptions options_;
  const WordRanks ranks_;
  const TextSink& sink_;
  std::vector<std::string_view> words_;
  std::vector<uint64_t> first_states_;  // of each length
  std::string text_;
};

}  // namespace lm

#endif  // LM_CSRC_AUTOMATON_ARPA_H_
