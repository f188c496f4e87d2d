// Interpolated modified Kneser-Ney (Chen and Goodman, 1998, section 4.1.6) from adjusted counts.
#ifndef LM_CSRC_ESTIMATION_SMOOTHING_H_
#define LM_CSRC_ESTIMATION_SMOOTHING_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "lm/csrc/estimation/ngram_counts.h"

namespace lm {

// What is taken off an adjusted count of 0, 1, 2, and 3 or more.
using Discounts = std::array<double, 4>;

struct SmoothingInput {
  uint64_t num_words;                          // how many ids keys have
  std::vector<Discounts> discounts;            // by order
  std::vector<std::vector<std::string>> runs;  // by order from 2, adjusted counts
};

struct BackoffWeights {
  std::vector<float> unigrams;  // by word id; not log
  // By order from 2 to the highest but one: sorted runs of NgramRecord with keys in context order,
  // `directory`/backoffs-N.M.run.
  std::vector<std::vector<std::string>> runs;
};

// The back-off weights of all histories that have kept extensions; for orders above 1. Orders are
// worked on side by side. Progress counts distinct n-grams.
BackoffWeights ComputeBackoffs(const SmoothingInput& input, const Resources& resources);

struct Unigrams {
  std::vector<uint32_t> model_ids;  // by word id; what is not kept has kNoModelId
  std::vector<double> probs;        // by word id; only of kept ones
};
constexpr uint32_t kNoModelId = ~uint32_t{0};

// Writes `directory`/N.records, the records of kept n-grams with model ids: the words as uint32,
// first word first, then log10 probability and log10 back-off as float32. Progress counts distinct
// n-grams. Returns the number of records by order.
std::vector<uint64_t> WriteProbabilities(const SmoothingInput& input, const BackoffWeights& backoffs,
                                         const Unigrams& unigrams, const std::string& directory,
                                         const Resources& resources);

}  // namespace lm

#endif  // LM_CSRC_ESTIMATION_SMOOTHING_H_
