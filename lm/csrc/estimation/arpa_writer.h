// N-gram records as the lines of an ARPA file.
#ifndef LM_CSRC_ARPA_WRITER_H_
#define LM_CSRC_ARPA_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lm {

// Words by id.
class WordList {
 public:
  // From a file with one a line.
  explicit WordList(const std::string& path);

  size_t size() const { return ends_.size(); }
  void Append(uint32_t id, std::string* text) const;

 private:
  std::string text_;
  std::vector<size_t> ends_;  // where each word ends; a line feed follows
};

// The lines of records first .. first + count (or as many as there are) of an N.records file, in
// their order: what printf's %.Nf makes of the numbers. The highest order has no back-offs.
std::string FormatNgrams(const std::string& path, int order, bool highest, const WordList& words,
                         uint64_t first, uint64_t count, int decimals);

}  // namespace lm

#endif  // LM_CSRC_ARPA_WRITER_H_
