// From the counts of the highest order to those that the estimates of all orders are made from.
#ifndef LM_CSRC_ESTIMATION_ADJUSTED_COUNTS_H_
#define LM_CSRC_ESTIMATION_ADJUSTED_COUNTS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "lm/csrc/estimation/ngram_counts.h"

namespace lm {

// The value of an n-gram's record, whose key is in context order.
class AdjustedCount {
 public:
  explicit AdjustedCount(uint32_t value) : value_(value) {}
  AdjustedCount(uint32_t count, bool kept) : value_(count << 1 | (kept ? 1u : 0u)) {}

  uint32_t value() const { return value_; }
  uint32_t count() const { return value_ >> 1; }
  bool kept() const { return (value_ & 1) != 0; }  // stays in the model

 private:
  uint32_t value_;
};

struct AdjustOptions {
  int order;
  bool continuation_counts;       // otherwise lower orders count occurrences
  std::vector<uint64_t> cutoffs;  // by order; n-grams that occur at most so often are not kept
  std::vector<uint8_t> allowed;   // by word id: whether n-grams with it may be kept
};

struct AdjustedCounts {
  // By order from 2: sorted runs of NgramRecord, `directory`/adjusted-N.M.run.
  std::vector<std::vector<std::string>> runs;
  std::vector<uint64_t> unigrams;                        // adjusted count by word id
  std::vector<std::array<uint64_t, 5>> counts_of_counts;  // by order; of 1 to 4 ([0] is unused)
  std::vector<uint64_t> distinct;                        // n-grams by order, kept or not
};

// Streams through the counts, for orders above 1. The number of words is that of `allowed`.
// Progress counts occurrences.
AdjustedCounts AdjustCounts(const std::vector<std::string>& runs, const AdjustOptions& options,
                            const Resources& resources);

}  // namespace lm

#endif  // LM_CSRC_ESTIMATION_ADJUSTED_COUNTS_H_
