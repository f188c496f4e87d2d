// N-grams as the lines of an ARPA file.
#ifndef LM_CSRC_ARPA_ARPA_FORMAT_H_
#define LM_CSRC_ARPA_ARPA_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lm {

// Words by id.
class WordList {
 public:
  // From text with a line feed after each word.
  explicit WordList(std::string_view text);

  size_t size() const { return ends_.size(); }
  // Throws std::invalid_argument if there is no such word.
  std::string_view word(int32_t id) const;

 private:
  std::string text_;
  std::vector<size_t> ends_;  // where each word ends; a line feed follows
};

// The lines of `count` n-grams of an order. `log10_backoffs` is null where lines have none: in the
// highest order. For `decimals` see AppendLog10.
std::string FormatNgrams(const WordList& words, int order, const int32_t* ids,
                         const double* log10_probs, const double* log10_backoffs, size_t count,
                         int decimals);

// A finite number with so many decimals (0 to 9), as printf's %.Nf rounds it; or, if `decimals` is
// negative, with as few as it takes for NaturalLog to give the same float again. Never "-0", which
// some readers take for a mark.
void AppendLog10(double log10, int decimals, std::string* text);

}  // namespace lm

#endif  // LM_CSRC_ARPA_ARPA_FORMAT_H_
