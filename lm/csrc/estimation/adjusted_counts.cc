#include "lm/csrc/estimation/adjusted_counts.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "lm/csrc/files/external_sort.h"
#include "lm/csrc/files/ngram_key.h"

namespace lm {
namespace {

// In suffix order the n-grams that share their last words are neighbours: while the stream goes by,
// one n-gram of each order is open, each a suffix of the next longer one.
template <int K>
class Adjuster {
 public:
  Adjuster(const AdjustOptions& options, const KeyFormat& format, size_t memory_bytes,
           const Resources& resources)
      : options_(options), format_(format) {
    const auto orders = static_cast<size_t>(options.order);
    result_.unigrams.assign(options.allowed.size(), 0);
    result_.counts_of_counts.resize(orders);
    result_.distinct.assign(orders, 0);
    // Longer n-grams are more: shares in proportion to the order.
    const size_t shares = orders * (orders + 1) / 2 - 1;
    for (size_t n = 2; n <= orders; ++n) {
      sorters_.push_back(std::make_unique<ExternalSorter<K>>(
          resources.directory, "adjusted-" + std::to_string(n),
          std::min(memory_bytes / shares * n, kMaxBufferBytes), resources.threads,
          EqualKeys::kKeep));
      sorters_.back()->KeepRuns();
    }
  }

  void Add(const NgramRecord<K>& ngram) {
    const int common = open_ == 0 ? 0 : format_.CommonWords(ngram.key, key_);
    CloseAbove(common);
    key_ = ngram.key;
    // The n-gram goes back to the first <s>; what lies before only fills the key.
    int length = 0;
    allowed_ = 0;
    while (length < options_.order) {
      const uint32_t word = format_.Word(key_, length);
      if (word >= options_.allowed.size()) throw std::invalid_argument("counts: unknown word");
      words_[length] = word;
      if (allowed_ == length && options_.allowed[word]) ++allowed_;
      ++length;
      if (word == kBeginWord) break;
    }
    if (common > 0) ++continuations_[common];
    for (int n = common + 1; n <= length; ++n) {
      continuations_[n] = 1;
      occurrences_[n] = 0;
    }
    // Nothing comes before the longest: it counts its occurrences.
    occurrences_[length] = ngram.value;
    open_ = longest_ = length;
  }

  AdjustedCounts Finish() {
    // lmplz takes the very last n-gram of each order by its occurrences when it gathers counts of
    // counts (adjust_counts.cc, after its loop). It makes a difference in small text only; models
    // are to be equal there too.
    at_end_ = true;
    CloseAbove(0);
    for (const std::unique_ptr<ExternalSorter<K>>& sorter : sorters_) {
      sorter->Spill();
      result_.runs.push_back(sorter->runs());
    }
    return std::move(result_);
  }

 private:
  static constexpr size_t kMaxBufferBytes = size_t{1} << 29;

  void CloseAbove(int common) {
    for (; open_ > common; --open_) {
      const int n = open_;
      const bool raw = n == longest_ || !options_.continuation_counts;
      if (occurrences_[n] > kMaxCount) {
        throw std::overflow_error("an n-gram occurs more than 2^31 - 1 times");
      }
      const auto count = static_cast<uint32_t>(raw ? occurrences_[n] : continuations_[n]);
      Gather(n, at_end_ ? occurrences_[n] : count);
      if (n == 1) {
        result_.unigrams[words_[0]] = count;
      } else {
        const bool kept =
            allowed_ >= n && occurrences_[n] > options_.cutoffs[static_cast<size_t>(n - 1)];
        std::array<uint32_t, kMaxNgramOrder> context;
        std::copy(words_.begin() + 1, words_.begin() + n, context.begin());
        context[static_cast<size_t>(n - 1)] = words_[0];
        sorters_[static_cast<size_t>(n - 2)]->Add(
            {format_.Pack<K>(context.data(), n), AdjustedCount(count, kept).value()});
        occurrences_[n - 1] += occurrences_[n];
      }
    }
    longest_ = 0;  // what stays open is a suffix of something
  }

  void Gather(int n, uint64_t count) {
    const auto index = static_cast<size_t>(n - 1);
    ++result_.distinct[index];
    if (count < 5) ++result_.counts_of_counts[index][count];
  }

  const AdjustOptions& options_;
  const KeyFormat format_;
  AdjustedCounts result_;
  std::vector<std::unique_ptr<ExternalSorter<K>>> sorters_;
  NgramKey<K> key_{};
  std::array<uint32_t, kMaxNgramOrder> words_{};  // the last first
  int allowed_ = 0;                          // how many of the words from the last on are
  int open_ = 0;                             // the longest open n-gram's order
  int longest_ = 0;                          // and the order that counts occurrences
  uint64_t continuations_[kMaxNgramOrder + 1] = {};
  uint64_t occurrences_[kMaxNgramOrder + 1] = {};
  bool at_end_ = false;
};

}  // namespace

AdjustedCounts AdjustCounts(const std::vector<std::string>& runs, const AdjustOptions& options,
                            const Resources& resources) {
  const KeyFormat format(options.allowed.size());
  return WithKeyParts(format.Parts(options.order), [&](auto parts) {
    constexpr int K = parts();
    const size_t merge_bytes = resources.memory_bytes / 4;
    ExternalSorter<K> counts(resources.directory, "merging-ngrams", merge_bytes, resources.threads,
                             EqualKeys::kAddCounts);
    counts.AdoptRuns(runs);
    counts.Finish();
    Adjuster<K> adjuster(options, format, resources.memory_bytes - merge_bytes, resources);
    Steps steps(resources.progress);
    NgramRecord<K> ngram;
    while (counts.Next(&ngram)) {
      adjuster.Add(ngram);
      steps.Advance(ngram.value);
    }
    AdjustedCounts result = adjuster.Finish();
    steps.Flush();
    return result;
  });
}

}  // namespace lm
