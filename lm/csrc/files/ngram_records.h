// N-grams on their way into an automaton: sorted files of records, one for each order.
//
// Words are ranks: 0 is <s>, then come the automaton's words (id + 1), then </s>. So the order of
// the records, by rank from the first word on, is that of the automaton's states and arcs.
#ifndef LM_CSRC_FILES_NGRAM_RECORDS_H_
#define LM_CSRC_FILES_NGRAM_RECORDS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "lm/csrc/files/ngram_key.h"
#include "lm/csrc/files/record_file.h"

namespace lm {

// The automaton's limit.
inline constexpr int kMaxOrder = 8;

// What is wrong with an n-gram among the others.
class NgramFault : public std::exception {
 public:
  enum class Kind { kDuplicate, kNoPrefix };

  NgramFault(Kind kind, std::vector<uint32_t> ids) : kind_(kind), ids_(std::move(ids)) {}

  Kind kind() const { return kind_; }
  const std::vector<uint32_t>& ids() const { return ids_; }
  const char* what() const noexcept override { return "an n-gram out of place"; }

 private:
  Kind kind_;
  std::vector<uint32_t> ids_;
};

// Ids of a vocabulary that holds <s> and </s> anywhere, as ranks and back.
class WordRanks {
 public:
  // Throws std::invalid_argument.
  WordRanks(uint32_t vocabulary_size, uint32_t begin, uint32_t end)
      : size_(vocabulary_size), begin_(begin), end_(end) {
    if (begin >= size_ || end >= size_ || begin == end || size_ < 3) {
      throw std::invalid_argument("vocabulary: expected <s>, </s> and other words");
    }
  }

  uint32_t num_words() const { return size_ - 2; }  // without <s> and </s>
  uint32_t begin_rank() const { return 0; }
  uint32_t end_rank() const { return size_ - 1; }

  // Of an id below the vocabulary's size.
  uint32_t Rank(uint32_t id) const {
    if (id == begin_) return begin_rank();
    if (id == end_) return end_rank();
    return id + 1 - (id > begin_) - (id > end_);
  }

  uint32_t Id(uint32_t rank) const {
    if (rank == begin_rank()) return begin_;
    if (rank == end_rank()) return end_;
    uint32_t id = rank - 1;
    id += id >= std::min(begin_, end_);
    return id + (id >= std::max(begin_, end_));
  }

  std::vector<uint32_t> Ids(const uint32_t* ranks, int count) const {
    std::vector<uint32_t> ids;
    for (int i = 0; i < count; ++i) ids.push_back(Id(ranks[i]));
    return ids;
  }

 private:
  uint32_t size_;
  uint32_t begin_;
  uint32_t end_;
};

// Reads such a file: records of the words' ranks, the log probability and the back-off weight, both
// float32 and natural logs.
class NgramStream {
 public:
  NgramStream(const std::string& path, int order, size_t buffer_bytes = size_t{1} << 22)
      : reader_(path, WholeRecords(order, buffer_bytes)), order_(order) {
    Fill();
  }

  bool AtEnd() const { return next_ == end_; }
  void Pop() {
    next_ += order_ + 2;
    if (next_ == end_) Fill();
  }

  int order() const { return order_; }
  const uint32_t* words() const { return next_; }
  uint32_t last_word() const { return next_[order_ - 1]; }
  float log_prob() const { return FloatOf(next_[order_]); }
  float backoff() const { return FloatOf(next_[order_ + 1]); }

 private:
  static size_t WholeRecords(int order, size_t bytes) {
    const size_t record = sizeof(uint32_t) * (static_cast<size_t>(order) + 2);
    return std::max<size_t>(bytes / record, 1) * record;
  }
  void Fill() { std::tie(next_, end_) = reader_.ReadBlock(); }

  RecordReader<uint32_t> reader_;
  int order_;
  const uint32_t* next_ = nullptr;
  const uint32_t* end_ = nullptr;
};

}  // namespace lm

#endif  // LM_CSRC_FILES_NGRAM_RECORDS_H_
