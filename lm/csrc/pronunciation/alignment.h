// All alignments of words' letters with their phones, and the sums over them that expectation
// maximisation needs.
#ifndef LM_CSRC_PRONUNCIATION_ALIGNMENT_H_
#define LM_CSRC_PRONUNCIATION_ALIGNMENT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace lm {

inline constexpr int kMaxLetters = 2;  // of a graphone
inline constexpr int kMaxPhones = 2;

// A few letters and the phones that they stand for; -1 where there are fewer.
using Graphone = std::array<int32_t, kMaxLetters + kMaxPhones>;

// Sequences of ids end to end; sequence i is [offsets[i], offsets[i + 1]).
struct Sequences {
  const int32_t* ids;
  const int64_t* offsets;
  size_t size;

  const int32_t* begin(size_t i) const { return ids + offsets[i]; }
  int length(size_t i) const { return static_cast<int>(offsets[i + 1] - offsets[i]); }
};

// For each entry of a lexicon the graph of its alignments. Node (i, j) stands behind i letters and
// j phones; an arc takes a graphone of one letter and up to two phones, or of two letters and one
// phone. Only arcs that lie on a path from (0, 0) to the end are kept.
class AlignmentGraphs {
 public:
  // `letters` and `phones` have as many sequences, none empty.
  AlignmentGraphs(const Sequences& letters, const Sequences& phones);

  // Graphones by id, in the order in which they were first met.
  const std::vector<Graphone>& graphones() const { return graphones_; }

  // Whether an entry has any alignment.
  bool CanAlign(size_t entry) const { return starts_[entry] < starts_[entry + 1]; }

  // Expected counts of the graphones, given their log weights, summed over all entries: each
  // entry's alignments are weighted by their probability. Returns the log likelihood of all.
  double Count(const double* log_weights, double* counts) const;

  // The graphones of each entry's likeliest alignment, end to end; none where there is no
  // alignment. `offsets` gets one value more than there are entries.
  void Align(const double* log_weights, std::vector<int32_t>* graphones,
             std::vector<int64_t>* offsets) const;

 private:
  struct Arc {
    int32_t from;
    int32_t to;
    int32_t graphone;
  };

  int32_t IdOf(const Graphone& graphone);
  void AddEntry(const int32_t* letters, int num_letters, const int32_t* phones, int num_phones);

  std::vector<Arc> arcs_;  // of an entry: ascending by `from`, and `from` is less than `to`
  std::vector<size_t> starts_;
  std::vector<int32_t> nodes_;  // of each entry; the last is the end
  std::vector<Graphone> graphones_;
  std::map<Graphone, int32_t> ids_;
};

}  // namespace lm

#endif  // LM_CSRC_PRONUNCIATION_ALIGNMENT_H_
