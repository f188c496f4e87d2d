#include "lm/csrc/arpa/arpa_format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "lm/csrc/files/log10.h"

namespace lm {
namespace {

constexpr double kPowers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
constexpr int kMaxOrder = 9;  // of ARPA files
constexpr double kMostDigits = 1e15;  // exact as a double, and so is the power of ten below it

// As many characters as a number takes at most.
constexpr size_t kMaxNumberSize = 48;

// Writes `digits` / 10^`decimals` without an exponent, and returns the end.
char* WriteDecimal(bool negative, uint64_t digits, int decimals, char* out) {
  char buffer[kMaxNumberSize];
  char* const end = buffer + sizeof(buffer);
  char* next = end;
  for (int i = 0; i < decimals; ++i, digits /= 10) *--next = static_cast<char>('0' + digits % 10);
  if (decimals > 0) *--next = '.';
  do {
    *--next = static_cast<char>('0' + digits % 10);
    digits /= 10;
  } while (digits != 0);
  if (negative) *--next = '-';
  return std::copy(next, end, out);
}

// With a fixed number of decimals; null where that needs more digits than a double has.
char* WriteRounded(double value, int decimals, char* out) {
  const double product = std::fabs(value) * kPowers[decimals];
  if (!(product < kMostDigits)) return nullptr;
  double digits = std::nearbyint(product);
  if (std::fabs(std::fabs(product - digits) - 0.5) < 1e-3) {
    // The product may have been rounded to a tie, or off it: printf knows.
    char buffer[kMaxNumberSize];
    std::snprintf(buffer, sizeof(buffer), "%.*f", decimals, std::fabs(value));
    digits = std::nearbyint(std::strtod(buffer, nullptr) * kPowers[decimals]);
  }
  return WriteDecimal(value < 0 && digits > 0, static_cast<uint64_t>(digits), decimals, out);
}

// With the fewest decimals that give the same natural logarithm; null where there are too many.
char* WriteShortest(float natural, char* out) {
  const double value = Log10OfNatural(natural);
  const double magnitude = std::fabs(value);
  for (int k = 0; k <= 15 && magnitude * kPowers[k] < kMostDigits; ++k) {
    const double digits = std::nearbyint(magnitude * kPowers[k]);
    // One division rounds once: this is how near reading the decimals comes.
    if (NaturalLog(std::copysign(digits / kPowers[k], value)) != natural) continue;
    return WriteDecimal(value < 0 && digits > 0, static_cast<uint64_t>(digits), k, out);
  }
  return nullptr;
}

// See AppendLog10. Writes up to kMaxNumberSize characters, and returns the end.
char* WriteLog10(double log10, int decimals, char* out) {
  const float natural = NaturalLog(log10);
  char* const end = decimals >= 0 ? WriteRounded(log10, decimals, out) : WriteShortest(natural, out);
  if (end != nullptr) return end;
  int size = 0;
  for (int digits = 0; digits < 17; ++digits) {
    size = std::snprintf(out, kMaxNumberSize, "%.*e", digits, Log10OfNatural(natural));
    if (NaturalLog(std::strtod(out, nullptr)) == natural) break;
  }
  return out + size;
}

}  // namespace

void AppendLog10(double log10, int decimals, std::string* text) {
  char buffer[kMaxNumberSize];
  text->append(buffer, WriteLog10(log10, decimals, buffer));
}

WordList::WordList(std::string_view text) : text_(text) {
  for (size_t i = text_.find('\n'); i != std::string::npos; i = text_.find('\n', i + 1)) {
    ends_.push_back(i);
  }
}

std::string_view WordList::word(int32_t id) const {
  const auto index = static_cast<size_t>(id);
  if (id < 0 || index >= ends_.size()) throw std::invalid_argument("n-grams: a word without a name");
  const size_t begin = index == 0 ? 0 : ends_[index - 1] + 1;
  return std::string_view(text_).substr(begin, ends_[index] - begin);
}

std::string FormatNgrams(const WordList& words, int order, const int32_t* ids,
                         const double* log10_probs, const double* log10_backoffs, size_t count,
                         int decimals) {
  if (order < 1 || order > kMaxOrder) throw std::invalid_argument("order: expected 1 to 9");
  std::string text;
  text.reserve(count * static_cast<size_t>(order + 2) * 10);  // about what it will take
  std::string line;  // room for an n-gram
  std::string_view ngram[kMaxOrder];
  for (size_t i = 0; i < count; ++i) {
    size_t most = 2 * kMaxNumberSize + static_cast<size_t>(order) + 2;  // with separators
    for (int k = 0; k < order; ++k) {
      ngram[k] = words.word(*ids++);
      most += ngram[k].size();
    }
    if (line.size() < most) line.resize(2 * most);
    char* next = WriteLog10(log10_probs[i], decimals, line.data());
    for (int k = 0; k < order; ++k) {
      *next++ = k == 0 ? '\t' : ' ';
      next = std::copy(ngram[k].begin(), ngram[k].end(), next);
    }
    if (log10_backoffs != nullptr) {
      *next++ = '\t';
      next = WriteLog10(log10_backoffs[i], decimals, next);
    }
    *next++ = '\n';
    text.append(line.data(), static_cast<size_t>(next - line.data()));
  }
  return text;
}

}  // namespace lm
