#include "lm/csrc/arpa/arpa_format.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "lm/csrc/files/log10.h"

namespace lm {
namespace {

constexpr double kPowers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
constexpr double kMostDigits = 1e15;  // exact as a double, and so is the power of ten below it

// `digits` / 10^`decimals` without an exponent.
void AppendDecimal(bool negative, uint64_t digits, int decimals, std::string* text) {
  char buffer[40];
  char* const end = buffer + sizeof(buffer);
  char* next = end;
  for (int i = 0; i < decimals; ++i, digits /= 10) *--next = static_cast<char>('0' + digits % 10);
  if (decimals > 0) *--next = '.';
  do {
    *--next = static_cast<char>('0' + digits % 10);
    digits /= 10;
  } while (digits != 0);
  if (negative) *--next = '-';
  text->append(next, end);
}

// With a fixed number of decimals; false where that needs more digits than a double has.
bool AppendRounded(double value, int decimals, std::string* text) {
  const double product = std::fabs(value) * kPowers[decimals];
  if (!(product < kMostDigits)) return false;
  double digits = std::nearbyint(product);
  if (std::fabs(std::fabs(product - digits) - 0.5) < 1e-3) {
    // The product may have been rounded to a tie, or off it: printf knows.
    char buffer[40];
    std::snprintf(buffer, sizeof(buffer), "%.*f", decimals, std::fabs(value));
    digits = std::nearbyint(std::strtod(buffer, nullptr) * kPowers[decimals]);
  }
  AppendDecimal(value < 0 && digits > 0, static_cast<uint64_t>(digits), decimals, text);
  return true;
}

// With the fewest decimals that give the same natural logarithm.
bool AppendShortest(float natural, std::string* text) {
  const double value = Log10OfNatural(natural);
  const double magnitude = std::fabs(value);
  for (int k = 0; k <= 15 && magnitude * kPowers[k] < kMostDigits; ++k) {
    const double digits = std::nearbyint(magnitude * kPowers[k]);
    // One division rounds once: this is how near reading the decimals comes.
    if (NaturalLog(std::copysign(digits / kPowers[k], value)) != natural) continue;
    AppendDecimal(value < 0 && digits > 0, static_cast<uint64_t>(digits), k, text);
    return true;
  }
  return false;
}

}  // namespace

void AppendLog10(double log10, int decimals, std::string* text) {
  const float natural = NaturalLog(log10);
  if (decimals >= 0 ? AppendRounded(log10, decimals, text)
                    : AppendShortest(natural, text)) {
    return;
  }
  char buffer[64];
  for (int digits = 0; digits < 17; ++digits) {
    std::snprintf(buffer, sizeof(buffer), "%.*e", digits, Log10OfNatural(natural));
    if (NaturalLog(std::strtod(buffer, nullptr)) == natural) break;
  }
  *text += buffer;
}

WordList::WordList(std::string_view text) : text_(text) {
  for (size_t i = text_.find('\n'); i != std::string::npos; i = text_.find('\n', i + 1)) {
    ends_.push_back(i);
  }
}

void WordList::Append(int32_t id, std::string* text) const {
  const auto index = static_cast<size_t>(id);
  if (id < 0 || index >= ends_.size()) throw std::invalid_argument("n-grams: a word without a name");
  const size_t begin = index == 0 ? 0 : ends_[index - 1] + 1;
  text->append(text_, begin, ends_[index] - begin);
}

std::string FormatNgrams(const WordList& words, int order, const int32_t* ids,
                         const double* log10_probs, const double* log10_backoffs, size_t count,
                         int decimals) {
  std::string text;
  text.reserve(count * static_cast<size_t>(order + 2) * 10);  // bytes that a field is likely to take
  for (size_t i = 0; i < count; ++i) {
    AppendLog10(log10_probs[i], decimals, &text);
    for (int k = 0; k < order; ++k) {
      text.push_back(k == 0 ? '\t' : ' ');
      words.Append(*ids++, &text);
    }
    if (log10_backoffs != nullptr) {
      text.push_back('\t');
      AppendLog10(log10_backoffs[i], decimals, &text);
    }
    text.push_back('\n');
  }
  return text;
}

}  // namespace lm
