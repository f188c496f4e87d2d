// The logarithms of ARPA files, to the base 10, and those of everything else, natural.
#ifndef LM_CSRC_LOG10_H_
#define LM_CSRC_LOG10_H_

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace lm {

inline constexpr double kLogOf10 = 2.302585092994045684;

// What ARPA files have for log10 of 0.
inline constexpr double kLog10OfZero = -99.0;

inline float NaturalLog(double log10) { return static_cast<float>(log10 * kLogOf10); }

namespace log10_detail {

inline constexpr double kPowers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

// `digits` / 10^`decimals` without an exponent.
inline void AppendDecimal(bool negative, uint64_t digits, int decimals, std::string* text) {
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

}  // namespace log10_detail

// A finite natural logarithm to the base 10: with so many decimals, or, if they are negative, with
// as few as it takes for NaturalLog to give the same float again. Never "-0", which some readers
// take for a mark.
inline void AppendLog10(float natural, int decimals, std::string* text) {
  using log10_detail::kPowers;
  const double value = natural / kLogOf10;
  const double magnitude = std::fabs(value);
  constexpr double kMostDigits = 1e15;  // exact as a double, and so is the power of ten below it
  if (decimals >= 0 && magnitude * kPowers[decimals] < kMostDigits) {
    const double scaled = std::nearbyint(magnitude * kPowers[decimals]);
    log10_detail::AppendDecimal(value < 0 && scaled > 0, static_cast<uint64_t>(scaled), decimals,
                                text);
    return;
  }
  if (decimals < 0) {
    for (int k = 0; k <= 15 && magnitude * kPowers[k] < kMostDigits; ++k) {
      const double scaled = std::nearbyint(magnitude * kPowers[k]);
      // One division rounds once: this is how near reading the decimals comes.
      if (NaturalLog(std::copysign(scaled / kPowers[k], value)) != natural) continue;
      log10_detail::AppendDecimal(value < 0, static_cast<uint64_t>(scaled), k, text);
      return;
    }
  }
  char buffer[64];
  for (int digits = 0; digits < 17; ++digits) {
    std::snprintf(buffer, sizeof(buffer), "%.*e", digits, value);
    if (NaturalLog(std::strtod(buffer, nullptr)) == natural) break;
  }
  *text += buffer;
}

}  // namespace lm

#endif  // LM_CSRC_LOG10_H_
