#include "lm/csrc/builder/automaton_ngrams.h"

#include <cmath>
#include <optional>
#include <stdexcept>

#include "lm/csrc/files/log10.h"
#include "lm/csrc/files/ngram_records.h"

namespace lm {
namespace {

// Goes through the states of one length in the order of their numbers and knows their words. Each
// length is read along with the one below, whose arcs spell it: everything is read from front to
// back.
template <typename View>
class HistoryReader {
 public:
  // At the first state of a length; `first_states` holds the number of that of each length.
  HistoryReader(const View& automaton, const std::vector<uint64_t>& first_states, size_t length)
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

template <typename View>
class NgramsOf : public AutomatonNgrams {
 public:
  NgramsOf(const View& automaton, const Options& options)
      : automaton_(automaton),
        options_(options),
        ranks_(automaton.num_words() + 2, options.begin, options.end) {
    if (options.order < 1 || options.order > kMaxOrder) {
      throw std::invalid_argument("order: expected 1 to 8");
    }
    Count();
  }

  const std::vector<uint64_t>& counts() const override { return counts_; }

  void Begin(int order) override {
    if (order < 1 || order > options_.order) throw std::invalid_argument("order: expected less");
    order_ = static_cast<size_t>(order);
    reader_.reset();
    first_ = first_states_[order_ - 1];
    last_ = first_states_[order_];
    at_end_ = first_ == last_;
    begins_before_ = options_.begin > 0;
    if (order > 1 && !at_end_) Restart();
  }

  NgramRows Next(size_t at_least) override {
    NgramRows rows;
    if (at_end_) return rows;
    if (order_ == 1) {
      AddUnigrams(&rows);
      at_end_ = true;
      return rows;
    }
    // N-grams whose first word stands before <s> in the vocabulary come first, though their states
    // come after that of <s>: they are read twice.
    while (!at_end_ && rows.log10_probs.size() < at_least) {
      const uint32_t word = reader_->words()[0];
      const bool is_before = word != kBegin && ranks_.Id(word + 1) < options_.begin;
      if (begins_before_ && word != kBegin && !is_before) {
        begins_before_ = false;
        Restart();
        continue;
      }
      AddState(is_before == begins_before_, &rows);
      if (++state_ < last_) {
        reader_->Advance();
      } else if (begins_before_) {
        begins_before_ = false;
        Restart();
      } else {
        at_end_ = true;
      }
    }
    return rows;
  }

 private:
  static constexpr uint32_t kBegin = HistoryReader<View>::kBegin;

  bool HasEnd(uint32_t state) const { return !std::isnan(automaton_.explicit_final(state)); }

  int32_t Id(uint32_t word) const { return static_cast<int32_t>(ranks_.Id(word + 1)); }

  // N-grams of each order; also finds the first states of each length.
  void Count() {
    const size_t order = static_cast<size_t>(options_.order);
    const uint64_t num_states = automaton_.num_states();
    counts_.assign(order, 0);
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
        counts_[length] += ngrams;
      } else if (ngrams > 0) {
        throw std::invalid_argument("automaton: expected shorter n-grams");
      }
    }
    if (next_spelled != num_states) {
      throw std::invalid_argument("automaton: expected an arc to every state");
    }
    first_states_.resize(order + 2, num_states);
    ++counts_[0];  // <s>
  }

  void Restart() {
    state_ = first_;
    next_spelled_ = last_;
    reader_.emplace(automaton_, first_states_, order_ - 1);
  }

  void AddUnigrams(NgramRows* rows) {
    next_spelled_ = Automaton::kStart + 1;
    uint32_t row = 0;
    const auto add_specials = [&] {
      for (; row == options_.begin || row == options_.end; ++row) {
        const bool begin = row == options_.begin;
        Add(begin ? options_.begin_log_prob : automaton_.explicit_final(0), {},
            static_cast<int32_t>(row), begin ? automaton_.backoff(Automaton::kStart) : 0.0f, rows);
      }
    };
    automaton_.ForEachArc(Automaton::kEmpty, [&](const Arc& arc) {
      add_specials();
      Add(arc.log_prob, {}, static_cast<int32_t>(row), BackoffOf(arc), rows);
      ++row;
    });
    add_specials();
  }

  // The n-grams that go on from the state; if they are not `wanted`, only passes their states.
  void AddState(bool wanted, NgramRows* rows) {
    const auto state = static_cast<uint32_t>(state_);
    bool end = wanted && HasEnd(state);
    const auto add_end = [&] {
      Add(automaton_.explicit_final(state), reader_->words(), static_cast<int32_t>(options_.end),
          0.0f, rows);
      end = false;
    };
    automaton_.ForEachArc(state, [&](const Arc& arc) {
      if (end && ranks_.Id(arc.word + 1) > options_.end) add_end();
      const float backoff = BackoffOf(arc);
      if (wanted) Add(arc.log_prob, reader_->words(), Id(arc.word), backoff, rows);
    });
    if (end) add_end();
  }

  // Zero where the arc spells no state.
  float BackoffOf(const Arc& arc) {
    if (arc.next != next_spelled_) return 0.0f;
    ++next_spelled_;
    return automaton_.backoff(arc.next);
  }

  void Add(float log_prob, const std::vector<uint32_t>& history, int32_t word, float backoff,
           NgramRows* rows) const {
    for (const uint32_t w : history) {
      rows->ids.push_back(w == kBegin ? static_cast<int32_t>(options_.begin) : Id(w));
    }
    rows->ids.push_back(word);
    rows->log10_probs.push_back(Log10OfNatural(log_prob));
    rows->log10_backoffs.push_back(Log10OfNatural(backoff));
  }

  const View& automaton_;
  const Options options_;
  const WordRanks ranks_;
  std::vector<uint64_t> counts_;
  std::vector<uint64_t> first_states_;  // of each length
  // Where Next goes on.
  size_t order_ = 1;
  uint64_t first_ = 0;  // the states of the histories
  uint64_t last_ = 0;
  uint64_t state_ = 0;
  uint64_t next_spelled_ = 0;   // by the arcs of the states from `state_` on
  bool begins_before_ = false;  // whether n-grams are being read that begin before <s>
  bool at_end_ = true;
  std::optional<HistoryReader<View>> reader_;
};

}  // namespace

std::unique_ptr<AutomatonNgrams> AutomatonNgrams::Make(const Automaton& automaton,
                                                       const Options& options) {
  return std::make_unique<NgramsOf<Automaton>>(automaton, options);
}

std::unique_ptr<AutomatonNgrams> AutomatonNgrams::Make(const CompactAutomaton& automaton,
                                                       const Options& options) {
  return std::make_unique<NgramsOf<CompactAutomaton>>(automaton, options);
}

}  // namespace lm
