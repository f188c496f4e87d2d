#include "lm/csrc/estimation/ngram_counts.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "lm/csrc/files/external_sort.h"
#include "lm/csrc/files/ngram_key.h"
#include "lm/csrc/files/record_file.h"

namespace lm {
namespace {

// A buffer that is larger gains nothing: sorting it would only begin later.
constexpr size_t kMaxBufferBytes = size_t{1} << 29;

template <int K>
std::vector<std::string> Count(const std::string& token_path, const std::vector<uint32_t>& ids,
                               const KeyFormat& format, uint64_t num_words, int order,
                               const std::string& name, const Resources& resources) {
  ExternalSorter<K> sorter(resources.directory, name,
                           std::min(resources.memory_bytes, kMaxBufferBytes), resources.threads,
                           EqualKeys::kAddCounts);
  sorter.KeepRuns();
  RecordReader<uint32_t> tokens(token_path);
  Steps steps(resources.progress);
  // The last words, the latest first.
  std::array<uint32_t, kMaxNgramOrder> window;
  window.fill(kBeginWord);
  uint32_t token;
  while (tokens.Read(&token)) {
    if (!ids.empty()) {
      if (token >= ids.size()) throw std::invalid_argument("tokens: an id without a word");
      token = ids[token];
    }
    if (token >= num_words) throw std::invalid_argument("tokens: an id without a word");
    std::copy_backward(window.begin(), window.end() - 1, window.end());
    window[0] = token;
    sorter.Add({format.Pack<K>(window.data(), order), 1});
    if (token == kEndWord) window.fill(kBeginWord);
    steps.Advance(1);
  }
  sorter.Spill();
  std::vector<std::string> runs = sorter.runs();
  steps.Flush();
  return runs;
}

}  // namespace

std::vector<std::string> CountNgrams(const std::string& token_path,
                                     const std::vector<uint32_t>& ids, uint64_t num_words,
                                     int order, const std::string& name,
                                     const Resources& resources) {
  const KeyFormat format(num_words);
  return WithKeyParts(format.Parts(order), [&](auto parts) {
    return Count<parts()>(token_path, ids, format, num_words, order, name, resources);
  });
}

void MergeCounts(const std::vector<std::string>& runs, uint64_t num_words, int order,
                 const std::string& path, const Resources& resources) {
  const KeyFormat format(num_words);
  WithKeyParts(format.Parts(order), [&](auto parts) {
    using Record = NgramRecord<parts()>;
    ExternalSorter<parts()> sorter(resources.directory, "merging-counts", resources.memory_bytes,
                                   resources.threads, EqualKeys::kAddCounts);
    sorter.AdoptRuns(runs);
    sorter.Finish();
    RecordWriter<Record> writer(path);
    Steps steps(resources.progress);
    Record record;
    while (sorter.Next(&record)) {
      writer.Write(record);
      steps.Advance(record.value);
    }
    writer.Close();
    steps.Flush();
  });
}

}  // namespace lm
