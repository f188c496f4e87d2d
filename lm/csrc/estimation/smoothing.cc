#include "lm/csrc/estimation/smoothing.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <utility>

#include "lm/csrc/estimation/adjusted_counts.h"
#include "lm/csrc/files/background_task.h"
#include "lm/csrc/files/external_sort.h"
#include "lm/csrc/files/ngram_key.h"
#include "lm/csrc/files/record_file.h"

namespace lm {
namespace {

// The n-grams of one order, one history after the other, in suffix order of the histories.
template <int K>
class Histories {
 public:
  Histories(const std::vector<std::string>& runs, int order, const KeyFormat& format,
            const Discounts& discounts, const std::string& name, size_t memory_bytes,
            const Resources& resources)
      : sorter_(resources.directory, name, memory_bytes, 1, EqualKeys::kKeep),
        format_(format),
        order_(order),
        discounts_(discounts),
        steps_(resources.progress) {
    sorter_.AdoptRuns(runs);
    sorter_.Finish();
    more_ = sorter_.Next(&head_);
  }

  // Whether there is another history, and if so whether its last `shared` words, as the first of
  // a key in suffix order, are those of `suffix`.
  bool HasNext() const { return more_; }
  bool NextExtends(const NgramKey<K>& suffix, int shared) const {
    return more_ && format_.Top(head_.key, shared) == suffix;
  }

  void Next() {
    history_ = format_.Top(head_.key, order_ - 1);
    ngrams_.clear();
    uint64_t total = 0;
    double freed = 0;
    any_kept_ = false;
    do {
      const AdjustedCount adjusted(head_.value);
      const uint64_t count = adjusted.count();
      total += count;
      // What is not kept goes to the back-off as a whole.
      freed += adjusted.kept() ? Discount(count) : static_cast<double>(count);
      any_kept_ |= adjusted.kept();
      ngrams_.push_back(head_);
      more_ = sorter_.Next(&head_);
    } while (more_ && format_.Top(head_.key, order_ - 1) == history_);
    total_ = static_cast<double>(total);
    backoff_ = freed / total_;
    steps_.Advance(ngrams_.size());
  }

  const NgramKey<K>& history() const { return history_; }
  const std::vector<NgramRecord<K>>& ngrams() const { return ngrams_; }
  double backoff() const { return backoff_; }
  bool any_kept() const { return any_kept_; }

  // What an n-gram's own count gives it, before the share of the order below.
  double OwnProb(uint32_t count) const {
    return (static_cast<double>(count) - Discount(count)) / total_;
  }

  void FlushProgress() { steps_.Flush(); }

 private:
  double Discount(uint64_t count) const { return discounts_[std::min<uint64_t>(count, 3)]; }

  ExternalSorter<K> sorter_;
  const KeyFormat format_;
  const int order_;
  const Discounts discounts_;
  Steps steps_;
  NgramRecord<K> head_{};
  bool more_ = false;
  NgramKey<K> history_{};
  std::vector<NgramRecord<K>> ngrams_;
  double total_ = 0;
  double backoff_ = 0;
  bool any_kept_ = false;
};

// The back-off weights of order - 1 come in suffix order; they are sorted into context order, in
// which their n-grams' probabilities come.
template <int K>
void BackoffsOfOrder(const SmoothingInput& input, int order, size_t memory_bytes,
                     const Resources& resources, BackoffWeights* result) {
  const KeyFormat format(input.num_words);
  const auto n = static_cast<size_t>(order);
  const size_t read_bytes = memory_bytes / 4;
  Histories<K> histories(input.runs[n - 2], order, format, input.discounts[n - 1],
                         "backoffs-merging-" + std::to_string(order), read_bytes, resources);
  if (order == 2) {
    while (histories.HasNext()) {
      histories.Next();
      const uint32_t word = format.Word(histories.history(), 0);
      if (word >= result->unigrams.size()) throw std::invalid_argument("counts: unknown word");
      result->unigrams[word] = static_cast<float>(histories.backoff());
    }
  } else {
    ExternalSorter<K> sorter(resources.directory, "backoffs-" + std::to_string(order - 1),
                             memory_bytes - read_bytes, resources.threads, EqualKeys::kKeep);
    sorter.KeepRuns();
    std::vector<uint32_t> words(n - 1);
    while (histories.HasNext()) {
      histories.Next();
      if (!histories.any_kept()) continue;  // all goes to the back-off: the weight is 1
      for (int i = 1; i < order - 1; ++i) {
        words[static_cast<size_t>(i - 1)] = format.Word(histories.history(), i);
      }
      words[n - 2] = format.Word(histories.history(), 0);
      const auto backoff = static_cast<float>(histories.backoff());
      sorter.Add({format.Pack<K>(words.data(), order - 1), BitsOf(backoff)});
    }
    sorter.Spill();
    result->runs[n - 3] = sorter.runs();
  }
  histories.FlushProgress();
}

float Log10(double value) {
  // Rounding may lift a sum above 1; -99 is ARPA's zero.
  return static_cast<float>(std::log10(std::clamp(value, 1e-99, 1.0)));
}

// Goes through all orders at once, each in context order: when a history of n words is at hand, so
// is the history of n - 1 words that it ends with, whose probabilities its own are mixed with.
template <int K>
class ProbabilityWriter {
 public:
  ProbabilityWriter(const SmoothingInput& input, const BackoffWeights& backoffs,
                    const Unigrams& unigrams, const std::string& directory,
                    const Resources& resources)
      : format_(input.num_words),
        order_(static_cast<int>(input.discounts.size())),
        unigrams_(unigrams),
        unigram_backoffs_(backoffs.unigrams) {
    const size_t share = resources.memory_bytes / static_cast<size_t>(2 * order_);
    for (int n = 1; n <= order_; ++n) {
      writers_.push_back(std::make_unique<RecordWriter<uint32_t>>(
          directory + "/" + std::to_string(n) + ".records",
          std::min(share, kRecordBufferBytes)));
      words_.emplace_back(static_cast<size_t>(n));
    }
    probs_.resize(static_cast<size_t>(order_));
    for (int n = 2; n <= order_; ++n) {
      const auto index = static_cast<size_t>(n - 2);
      const std::string name = "-merging-" + std::to_string(n);
      histories_.push_back(std::make_unique<Histories<K>>(input.runs[index], n, format_,
                                                          input.discounts[index + 1],
                                                          "probabilities" + name, share, resources));
      if (n == order_) break;
      probs_[index + 1].resize(input.num_words);
      backoffs_.push_back(
          std::make_unique<Backoffs>(backoffs.runs[index], "weights" + name, share, resources));
    }
  }

  std::vector<uint64_t> Write() {
    WriteUnigrams();
    if (order_ > 1) WriteExtensions(2, NgramKey<K>{});
    std::vector<uint64_t> counts;
    for (int n = 1; n <= order_; ++n) {
      RecordWriter<uint32_t>& writer = *writers_[static_cast<size_t>(n - 1)];
      writer.Close();
      counts.push_back(writer.count() / static_cast<uint64_t>(n + 2));
    }
    for (const auto& histories : histories_) histories->FlushProgress();
    return counts;
  }

 private:
  // Joined by n-grams that ascend.
  class Backoffs {
   public:
    Backoffs(const std::vector<std::string>& runs, const std::string& name, size_t memory_bytes,
             const Resources& resources)
        : sorter_(resources.directory, name, memory_bytes, 1, EqualKeys::kKeep) {
      sorter_.AdoptRuns(runs);
      sorter_.Finish();
      more_ = sorter_.Next(&head_);
    }

    // 1 for n-grams that are no history.
    float Find(const NgramKey<K>& key) {
      while (more_ && head_.key < key) more_ = sorter_.Next(&head_);
      return more_ && head_.key == key ? FloatOf(head_.value) : 1.0f;
    }

   private:
    ExternalSorter<K> sorter_;
    NgramRecord<K> head_{};
    bool more_ = false;
  };

  uint32_t Word(const NgramKey<K>& key, int place) const {
    const uint32_t word = format_.Word(key, place);
    if (word >= unigrams_.model_ids.size()) throw std::invalid_argument("counts: unknown word");
    return word;
  }

  void WriteRecord(const uint32_t* words, int count, double prob, double backoff) {
    RecordWriter<uint32_t>& writer = *writers_[static_cast<size_t>(count - 1)];
    for (int i = 0; i < count; ++i) writer.Write(words[i]);
    writer.Write(BitsOf(Log10(prob)));
    writer.Write(BitsOf(Log10(backoff)));
  }

  void WriteUnigrams() {
    for (uint32_t word = 0; word < unigrams_.model_ids.size(); ++word) {
      const uint32_t id = unigrams_.model_ids[word];
      if (id == kNoModelId) continue;
      const double backoff = unigram_backoffs_.empty() ? 1.0 : unigram_backoffs_[word];
      WriteRecord(&id, 1, unigrams_.probs[word], backoff);
    }
  }

  // All n-grams of an order whose histories end with the order - 2 words of a shorter history.
  void WriteExtensions(int order, const NgramKey<K>& suffix) {
    const auto n = static_cast<size_t>(order);
    Histories<K>& histories = *histories_[n - 2];
    std::vector<float>* const probs = order < order_ ? &probs_[n - 1] : nullptr;
    std::vector<uint32_t>& words = words_[n - 1];
    while (histories.NextExtends(suffix, order - 2)) {
      histories.Next();
      if (histories.any_kept()) {
        for (size_t i = 0; i + 1 < n; ++i) {
          words[n - 2 - i] = unigrams_.model_ids[Word(histories.history(), static_cast<int>(i))];
        }
        for (const NgramRecord<K>& ngram : histories.ngrams()) {
          const AdjustedCount adjusted(ngram.value);
          if (!adjusted.kept()) continue;
          const uint32_t word = Word(ngram.key, order - 1);
          // What is kept has all its suffixes kept: this history's last words came just before,
          // and set the probability of the word.
          const double below = order == 2 ? unigrams_.probs[word] : probs_[n - 2][word];
          const double prob = histories.OwnProb(adjusted.count()) + histories.backoff() * below;
          double backoff = 1;
          if (probs != nullptr) {
            (*probs)[word] = static_cast<float>(prob);
            backoff = backoffs_[n - 2]->Find(ngram.key);
          }
          words[n - 1] = unigrams_.model_ids[word];
          WriteRecord(words.data(), order, prob, backoff);
        }
      }
      if (order < order_) WriteExtensions(order + 1, histories.history());
    }
  }

  const KeyFormat format_;
  const int order_;
  const Unigrams& unigrams_;
  const std::vector<float>& unigram_backoffs_;
  std::vector<std::unique_ptr<RecordWriter<uint32_t>>> writers_;  // by order
  std::vector<std::unique_ptr<Histories<K>>> histories_;          // by order from 2
  std::vector<std::unique_ptr<Backoffs>> backoffs_;  // by order from 2 to the highest but one
  std::vector<std::vector<uint32_t>> words_;  // by order: an n-gram's model ids
  // By order and word: the probability in the history that is at hand; of words that it extends.
  std::vector<std::vector<float>> probs_;
};

void Check(const SmoothingInput& input) {
  if (input.discounts.empty() || input.runs.size() + 1 != input.discounts.size()) {
    throw std::invalid_argument("smoothing: expected runs and discounts of each order");
  }
}

}  // namespace

BackoffWeights ComputeBackoffs(const SmoothingInput& input, const Resources& resources) {
  Check(input);
  const int highest = static_cast<int>(input.discounts.size());
  BackoffWeights result;
  result.unigrams.assign(input.num_words, 1.0f);
  if (highest > 2) result.runs.resize(static_cast<size_t>(highest - 2));
  // The largest order first; a thread takes the next order that is left.
  std::atomic<int> next{highest};
  const int workers = std::clamp(resources.threads, 1, std::max(highest - 1, 1));
  const size_t share = resources.memory_bytes / static_cast<size_t>(workers);
  const auto work = [&] {
    for (int order = next--; order >= 2; order = next--) {
      WithKeyParts(KeyFormat(input.num_words).Parts(highest), [&](auto parts) {
        BackoffsOfOrder<parts()>(input, order, share, resources, &result);
      });
    }
  };
  std::vector<BackgroundTask> others(static_cast<size_t>(workers - 1));
  for (BackgroundTask& other : others) other.Start(work);
  work();
  for (BackgroundTask& other : others) other.Wait();
  return result;
}

std::vector<uint64_t> WriteProbabilities(const SmoothingInput& input,
                                         const BackoffWeights& backoffs, const Unigrams& unigrams,
                                         const std::string& directory, const Resources& resources) {
  Check(input);
  const size_t highest = input.discounts.size();
  if (unigrams.model_ids.size() != input.num_words || unigrams.probs.size() != input.num_words ||
      backoffs.unigrams.size() != input.num_words ||
      backoffs.runs.size() != (highest > 2 ? highest - 2 : 0)) {
    throw std::invalid_argument("smoothing: expected unigrams and back-offs of each order");
  }
  return WithKeyParts(KeyFormat(input.num_words).Parts(static_cast<int>(highest)), [&](auto parts) {
    return ProbabilityWriter<parts()>(input, backoffs, unigrams, directory, resources).Write();
  });
}

}  // namespace lm
