#include "lm/csrc/builder/ngram_sorter.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <type_traits>

#include "lm/csrc/files/external_sort.h"
#include "lm/csrc/files/log10.h"

namespace lm {

namespace {

constexpr uint64_t kProgressStep = uint64_t{1} << 20;

// The key of a record is the words and the log probability, so that its last two integers are the
// numbers of an n-gram, and n-grams that occur twice come one after the other.
template <int kOrder>
class SorterOf : public NgramSorter {
 public:
  SorterOf(const WordRanks& ranks, const std::string& directory, size_t memory_bytes, int threads)
      : ranks_(ranks),
        path_(PathOf(directory, kOrder)),
        sorter_(directory, std::to_string(kOrder), memory_bytes, threads, EqualKeys::kKeep) {}

  void Add(const int32_t* ids, const double* log10_probs, const double* log10_backoffs,
           size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      Record record;
      for (size_t k = 0; k < size_t{kOrder}; ++k) {
        const int32_t id = ids[i * kOrder + k];
        if (id < 0 || static_cast<uint32_t>(id) >= ranks_.num_words() + 2) {
          throw std::invalid_argument("n-grams: found an id out of range");
        }
        record.key.part[k] = ranks_.Rank(static_cast<uint32_t>(id));
      }
      // Adding 0 makes one zero of the two.
      const float log_prob = NaturalLog(log10_probs[i]) + 0.0f;
      const float backoff = NaturalLog(log10_backoffs[i]) + 0.0f;
      if (!(std::isfinite(log_prob) && log_prob <= 0.0f) || !std::isfinite(backoff)) {
        throw std::invalid_argument("n-grams: found a log10 value that is none");
      }
      record.key.part[kOrder] = BitsOf(log_prob);
      record.value = BitsOf(backoff);
      sorter_.Add(record);
    }
  }

  void Finish(const ProgressCallback& progress) override {
    sorter_.Finish();
    RecordWriter<Record> writer(path_);
    Record last{};
    Record record;
    while (sorter_.Next(&record)) {
      const uint32_t* words = record.key.part;
      if (writer.count() > 0 && std::equal(words, words + kOrder, last.key.part)) {
        throw NgramFault(NgramFault::Kind::kDuplicate, ranks_.Ids(words, kOrder));
      }
      writer.Write(record);
      last = record;
      if (writer.count() % kProgressStep == 0) progress(kProgressStep);
    }
    writer.Close();
    progress(writer.count() % kProgressStep);
  }

 private:
  using Record = NgramRecord<kOrder + 1>;

  const WordRanks ranks_;
  const std::string path_;
  ExternalSorter<kOrder + 1> sorter_;
};

}  // namespace

std::unique_ptr<NgramSorter> NgramSorter::Make(int order, const WordRanks& ranks,
                                               const std::string& directory, size_t memory_bytes,
                                               int threads) {
  const auto make = [&](auto size) -> std::unique_ptr<NgramSorter> {
    return std::make_unique<SorterOf<size()>>(ranks, directory, memory_bytes, threads);
  };
  static_assert(kMaxOrder == 8, "one case for each order");
  switch (order) {
    case 1: return make(std::integral_constant<int, 1>());
    case 2: return make(std::integral_constant<int, 2>());
    case 3: return make(std::integral_constant<int, 3>());
    case 4: return make(std::integral_constant<int, 4>());
    case 5: return make(std::integral_constant<int, 5>());
    case 6: return make(std::integral_constant<int, 6>());
    case 7: return make(std::integral_constant<int, 7>());
    case 8: return make(std::integral_constant<int, 8>());
    default: throw std::invalid_argument("order: expected 1 to 8, found " + std::to_string(order));
  }
}

}  // namespace lm
