#include "lm/csrc/arpa/arpa_parser.h"

#include <cmath>
#include <cstdlib>

#include "lm/csrc/files/log10.h"

namespace lm {

namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes the next field off a line; empty at its end.
std::string_view NextField(std::string_view* line) {
  size_t begin = 0;
  while (begin < line->size() && IsSpace((*line)[begin])) ++begin;
  size_t end = begin;
  while (end < line->size() && !IsSpace((*line)[end])) ++end;
  const std::string_view field = line->substr(begin, end - begin);
  line->remove_prefix(end);
  return field;
}

std::string_view Stripped(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

// Whether a field is -inf or -infinity, in letters of any case.
bool IsMinusInfinity(std::string_view field) {
  static constexpr std::string_view kInfinity = "-infinity";
  if (field.size() != 4 && field.size() != kInfinity.size()) return false;
  for (size_t i = 0; i < field.size(); ++i) {
    const char c = field[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != kInfinity[i]) return false;
  }
  return true;
}

// A finite decimal number, as near as a double can be, or minus infinity, which is kLog10OfZero.
// False where the field is none.
bool ParseNumber(std::string_view field, double* value) {
  static constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  // Up to 15 digits and a power of ten up to 10^15 are exact as doubles, so one division rounds
  // once. This is every number in most files.
  uint64_t digits = 0;
  size_t num_digits = 0;
  size_t decimals = 0;
  bool point = false;
  size_t i = !field.empty() && (field[0] == '-' || field[0] == '+') ? 1 : 0;
  for (; i < field.size(); ++i) {
    if (IsDigit(field[i])) {
      if (num_digits < 16) digits = digits * 10 + static_cast<uint64_t>(field[i] - '0');
      ++num_digits;
      decimals += point;
    } else if (field[i] == '.' && !point) {
      point = true;
    } else {
      break;
    }
  }
  if (num_digits == 0) {
    *value = kLog10OfZero;
    return IsMinusInfinity(field);
  }
  if (i == field.size() && num_digits <= 15) {
    const double magnitude = static_cast<double>(digits) / kPowers[decimals];
    *value = field[0] == '-' ? -magnitude : magnitude;
    return true;
  }
  if (i < field.size()) {  // an exponent, and nothing that strtod would take beside
    if (field[i] != 'e' && field[i] != 'E') return false;
    ++i;
    if (i < field.size() && (field[i] == '-' || field[i] == '+')) ++i;
    if (i == field.size()) return false;
    for (; i < field.size(); ++i) {
      if (!IsDigit(field[i])) return false;
    }
  }
  const std::string copy(field);
  char* end = nullptr;
  *value = std::strtod(copy.c_str(), &end);
  return end == copy.c_str() + copy.size() && std::isfinite(*value);
}

// The word itself, or <unk> by the name that some tools give it.
std::string_view WithOneUnknown(std::string_view word) { return word == "<UNK>" ? "<unk>" : word; }

std::string Words(int count) {
  return count == 1 ? "1 word" : std::to_string(count) + " words";
}

}  // namespace

ArpaRows ArpaParser::Parse(std::string_view text, int order, bool highest, int64_t first_line) {
  ArpaRows rows;
  previous_.assign(static_cast<size_t>(order), -1);
  for (int64_t number = first_line; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ParseLine(line, order, highest, number, &rows);
  }
  return rows;
}

void ArpaParser::ParseLine(std::string_view line, int order, bool highest, int64_t number,
                           ArpaRows* rows) {
  std::string_view fields[16];
  int count = 0;
  std::string_view rest = line;
  while (count < order + 3) {
    const std::string_view field = NextField(&rest);
    if (field.empty()) break;
    fields[count++] = field;
  }
  if (count == 0) return;
  if (count != order + 1 && count != order + 2) {
    throw ArpaError(number, "log10 probability, " + Words(order) + " and perhaps a back-off",
                    Stripped(line));
  }
  double log10_prob = 0.0;
  if (!ParseNumber(fields[0], &log10_prob)) {
    throw ArpaError(number, "a log10 probability of at most 0", fields[0]);
  }
  if (log10_prob > 0.0) {
    throw ArpaError(number, "a log10 probability of at most 0", fields[0]);
  }
  if (!std::isfinite(NaturalLog(log10_prob))) {
    throw ArpaError(number, "a log10 probability that a float can hold", fields[0]);
  }
  double log10_backoff = 0.0;
  if (count == order + 2 && !ParseNumber(fields[order + 1], &log10_backoff)) {
    throw ArpaError(number, "a back-off", fields[order + 1]);
  }
  if (!std::isfinite(NaturalLog(log10_backoff))) {
    throw ArpaError(number, "a back-off that a float can hold", fields[order + 1]);
  }
  if (highest && log10_backoff != 0.0) {
    throw ArpaError(number, "no back-off in a " + std::to_string(order) + "-gram",
                    fields[order + 1]);
  }
  if (order == 1) NewWord(fields[1], number);
  for (int column = 0; column < order; ++column) {
    rows->words.push_back(KnownWord(fields[1 + column], column, number));
  }
  rows->lines.push_back(number);
  rows->log10_probs.push_back(log10_prob);
  rows->log10_backoffs.push_back(log10_backoff);
}

void ArpaParser::Add(std::string_view word) {
  if (ids_.count(word) != 0) return;
  words_.emplace_back(word);
  ids_.emplace(words_.back(), static_cast<int32_t>(words_.size() - 1));
  word_lines_.push_back(0);
}

void ArpaParser::NewWord(std::string_view word, int64_t line) {
  word = WithOneUnknown(word);
  const auto known = ids_.find(word);
  if (known != ids_.end()) {
    const int64_t first = word_lines_[static_cast<size_t>(known->second)];
    throw ArpaError(line, "distinct unigrams", word,
                    " again (first on line " + std::to_string(first) + ")");
  }
  Add(word);
  word_lines_.back() = line;
}

int32_t ArpaParser::KnownWord(std::string_view word, int column, int64_t line) {
  int32_t& previous = previous_[static_cast<size_t>(column)];
  if (previous >= 0 && words_[static_cast<size_t>(previous)] == word) return previous;
  const auto known = ids_.find(WithOneUnknown(word));
  if (known == ids_.end()) throw ArpaError(line, "words that are unigrams", word);
  previous = known->second;
  return previous;
}

}  // namespace lm
