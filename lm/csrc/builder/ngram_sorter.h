// Sorts the n-grams of one order for the automaton, in bounded memory.
#ifndef LM_CSRC_BUILDER_NGRAM_SORTER_H_
#define LM_CSRC_BUILDER_NGRAM_SORTER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "lm/csrc/files/ngram_records.h"

namespace lm {

// Called every now and then with the number of n-grams since the last call; may throw to stop.
using ProgressCallback = std::function<void(uint64_t)>;

class NgramSorter {
 public:
  // For n-grams of an order from 1 to kMaxOrder. Files go to `directory`, which exists.
  static std::unique_ptr<NgramSorter> Make(int order, const WordRanks& ranks,
                                           const std::string& directory, size_t memory_bytes,
                                           int threads);

  virtual ~NgramSorter() = default;

  // `count` n-grams: `order` ids each, and log10 values. Throws FileError, and
  // std::invalid_argument where an id or a value is none.
  virtual void Add(const int32_t* ids, const double* log10_probs, const double* log10_backoffs,
                   size_t count) = 0;

  // After all of them: writes PathOf(directory, order). Throws FileError and NgramFault.
  virtual void Finish(const ProgressCallback& progress) = 0;

  static std::string PathOf(const std::string& directory, int order) {
    return directory + "/" + std::to_string(order) + ".sorted";
  }
};

}  // namespace lm

#endif  // LM_CSRC_BUILDER_NGRAM_SORTER_H_
