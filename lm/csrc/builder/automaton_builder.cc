#include "lm/csrc/builder/automaton_builder.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "lm/csrc/automaton/automaton.h"
#include "lm/csrc/files/mapped_file.h"
#include "lm/csrc/files/record_file.h"

namespace lm {

namespace {

// N-grams of growing order, each order in one pass. An n-gram (h, w) is a state if it is a history,
// which the n-grams that begin with it tell: they are a stretch of the next order's file. So the
// states of an order come out one after another, in the order of their numbers, and so do the arcs
// of the order below: everything is read and written from front to back, but for one thing. The
// longest suffix of (h, w) that is a state, where the n-gram's arc leads if it is none itself and
// where it backs off to if it is one, is found among the arcs of the states that h backs off to,
// which are shorter and therefore written already. As long as the first word of h stays the same,
// these states come in ascending order.
class Builder {
 public:
  Builder(const std::string& directory, int order, const WordRanks& ranks, size_t memory_bytes,
          size_t max_states, const ProgressCallback& progress)
      : directory_(directory),
        order_(order),
        ranks_(ranks),
        // A look-up touches few pages, which the system maps by clusters.
        rows_between_forgetting_(std::max<size_t>(memory_bytes >> 14, 1 << 12)),
        max_states_(max_states),
        progress_(progress),
        states_(directory + "/states"),
        arcs_(directory + "/arcs"),
        finals_(directory + "/finals") {}

  void Run() {
    states_.Write({0, 0.0f, Automaton::kEmpty});
    arcs_promised_ = ranks_.num_words();
    finals_.Write(FinalOfEmpty());
    for (int order = 1; order <= order_; ++order) {
      AddOrder(order);
      std::remove(NgramSorter::PathOf(directory_, order).c_str());
    }
    states_.Write({arcs_promised_, 0.0f, Automaton::kEmpty});
    states_.Close();
    arcs_.Close();
    finals_.Close();
  }

 private:
  // What the n-grams that go on from one say about it.
  struct Children {
    uint64_t num_arcs = 0;
    float final = std::numeric_limits<float>::quiet_NaN();
    bool any = false;
  };

  // The arcs of a state that are not yet passed, by ascending word.
  struct ArcRange {
    const Arc* next;
    const Arc* end;
  };

  NgramStream Open(int order) const {
    return NgramStream(NgramSorter::PathOf(directory_, order), order);
  }

  // Of the unigram </s>, whose rank is the highest.
  float FinalOfEmpty() const {
    uint32_t expected = 0;
    float final = 0.0f;
    for (NgramStream unigrams = Open(1); !unigrams.AtEnd(); unigrams.Pop()) {
      if (unigrams.last_word() != expected++) break;
      final = unigrams.log_prob();
    }
    if (expected != ranks_.num_words() + 2) {
      throw std::invalid_argument("n-grams: expected one unigram for each word");
    }
    return final;
  }

  // Whether an n-gram can be a history of a sentence's words.
  bool IsHistory(const uint32_t* words, int order) const {
    if (words[0] == ranks_.end_rank()) return false;
    for (int i = 1; i < order; ++i) {
      if (words[i] == ranks_.begin_rank() || words[i] == ranks_.end_rank()) return false;
    }
    return true;
  }

  // Passes the n-grams of the next order that begin with the one in front of `rows`.
  Children PassChildren(const NgramStream& rows, NgramStream* next) const {
    Children children;
    const uint32_t* words = rows.words();
    for (; !next->AtEnd(); next->Pop()) {
      const auto [at, child] =
          std::mismatch(words, words + rows.order(), next->words());
      if (at != words + rows.order()) {
        if (*child < *at) FailOfPrefix(*next);
        break;
      }
      const uint32_t word = next->last_word();
      if (word == ranks_.begin_rank()) continue;
      children.any = true;
      if (word == ranks_.end_rank()) {
        children.final = next->log_prob();
      } else {
        ++children.num_arcs;
      }
    }
    return children;
  }

  [[noreturn]] void FailOfPrefix(const NgramStream& ngrams) const {
    throw NgramFault(NgramFault::Kind::kNoPrefix, ranks_.Ids(ngrams.words(), ngrams.order()));
  }

  void AddOrder(int order) {
    states_.Flush();
    arcs_.Flush();
    const MappedFile<HistoryRecord> states(directory_ + "/states");
    const MappedFile<Arc> arcs(directory_ + "/arcs");
    const uint64_t last_arc = arcs_promised_;
    ranges_.clear();
    NgramStream rows = Open(order);
    std::optional<NgramStream> next;
    if (order < order_) next.emplace(Open(order + 1));
    uint64_t count = 0;
    for (; !rows.AtEnd(); rows.Pop()) {
      Children children;
      if (next) children = PassChildren(rows, &*next);
      if (IsHistory(rows.words(), order)) {
        const bool begin = rows.last_word() == ranks_.begin_rank();  // the unigram <s>
        const bool is_state = begin || children.any || (order < order_ && rows.backoff() != 0.0f);
        uint32_t target = Automaton::kEmpty;
        if (order > 1) target = LongestSuffix(states, arcs, last_arc, rows.last_word() - 1);
        const uint32_t to = is_state ? AddState(children, rows.backoff(), target) : target;
        if (!begin) arcs_.Write({rows.last_word() - 1, rows.log_prob(), to});
      }
      if (++count % rows_between_forgetting_ == 0) {
        states.Forget();
        arcs.Forget();
      }
      if (count % kProgressStep == 0) progress_(kProgressStep);
    }
    if (next && !next->AtEnd()) FailOfPrefix(*next);
    progress_(count % kProgressStep);
  }

  uint32_t AddState(const Children& children, float backoff, uint32_t backoff_state) {
    const uint64_t state = states_.count();
    if (state >= max_states_) {
      throw std::length_error("expected at most " + std::to_string(max_states_) +
                              " histories (n-grams that longer ones begin with or that have a "
                              "back-off weight), found more");
    }
    states_.Write({arcs_promised_, backoff, backoff_state});
    finals_.Write(children.final);
    arcs_promised_ += children.num_arcs;
    return static_cast<uint32_t>(state);
  }

  // Of the next arc to be written and its word: the longest proper suffix that is a state. Arcs
  // come in order, so the states that their source backs off to are opened once for each source,
  // and passed as words ascend.
  uint32_t LongestSuffix(const MappedFile<HistoryRecord>& states, const MappedFile<Arc>& arcs,
                         uint64_t last_arc, uint32_t word) {
    const uint64_t arc = arcs_.count();
    while (arc >= source_end_) {
      const uint64_t source = ++source_;
      source_end_ = source + 1 < states.size() ? states[source + 1].first_arc : last_arc;
      ranges_.clear();
    }
    if (ranges_.empty()) {
      for (uint32_t s = source_; s != Automaton::kEmpty;) {
        s = states[s].backoff_state;
        const Arc* all = arcs.data();
        ranges_.push_back({all + states[s].first_arc, all + states[s + 1].first_arc});
      }
    }
    for (ArcRange& range : ranges_) {
      Pass(word, &range);
      if (range.next != range.end && range.next->word == word) return range.next->next;
    }
    return Automaton::kEmpty;
  }

  // To the first arc whose word is not before `word`, in strides that grow.
  static void Pass(uint32_t word, ArcRange* range) {
    size_t stride = 1;
    const Arc* low = range->next;
    const Arc* high = low;
    while (high != range->end && high->word < word) {
      low = high + 1;
      high += std::min<size_t>(stride, static_cast<size_t>(range->end - high));
      stride *= 2;
    }
    range->next = std::lower_bound(low, high, word,
                                   [](const Arc& arc, uint32_t w) { return arc.word < w; });
  }

  static constexpr uint64_t kProgressStep = uint64_t{1} << 20;

  const std::string directory_;
  const int order_;
  const WordRanks ranks_;
  const uint64_t rows_between_forgetting_;
  const uint64_t max_states_;
  const ProgressCallback& progress_;
  RecordWriter<HistoryRecord> states_;
  RecordWriter<Arc> arcs_;
  RecordWriter<float> finals_;
  uint64_t arcs_promised_ = 0;  // to the states that there are
  uint32_t source_ = 0;         // of the next arc
  uint64_t source_end_ = 0;     // its arcs end here
  std::vector<ArcRange> ranges_;
};

}  // namespace

void BuildAutomaton(const std::string& directory, int order, const WordRanks& ranks,
                    size_t memory_bytes, size_t max_states, const ProgressCallback& progress) {
  Builder(directory, order, ranks, memory_bytes, max_states, progress).Run();
}

}  // namespace lm
