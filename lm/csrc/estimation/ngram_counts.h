// Counts the n-grams of the highest order.
#ifndef LM_CSRC_ESTIMATION_NGRAM_COUNTS_H_
#define LM_CSRC_ESTIMATION_NGRAM_COUNTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lm/csrc/files/progress.h"

namespace lm {

// What the native steps share.
struct Resources {
  std::string directory;  // for files
  size_t memory_bytes;    // for buffers
  int threads;
  Progress* progress;
};

// Sorted runs of NgramRecord in suffix order: every token of a file (see Tokenizer) with the
// order - 1 tokens before it in its sentence, <s> before the first.
//
// ids: by word id of the file, that in keys; none: the same. num_words: how many ids keys may have.
// The run files are `directory`/`name`.N.run; they stay. Progress counts tokens.
std::vector<std::string> CountNgrams(const std::string& token_path,
                                     const std::vector<uint32_t>& ids, uint64_t num_words,
                                     int order, const std::string& name,
                                     const Resources& resources);

// Sorted runs, such as those of several shards, as one run with their counts added up.
void MergeCounts(const std::vector<std::string>& runs, uint64_t num_words, int order,
                 const std::string& path, const Resources& resources);

}  // namespace lm

#endif  // LM_CSRC_ESTIMATION_NGRAM_COUNTS_H_
