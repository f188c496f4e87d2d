#include "lm/csrc/estimation/arpa_writer.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "lm/csrc/files/mapped_file.h"
#include "lm/csrc/files/record_file.h"

namespace lm {
namespace {

// As printf's %.Nf for |value| < 10^9, exactly: a float32 times 10^9 still fits the 53 bits of a
// double, so that rounding happens once, to even as in printf.
void AppendFixed(float value, int decimals, std::string* text) {
  static constexpr double kPowers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
  const double scaled = std::nearbyint(std::fabs(double{value}) * kPowers[decimals]);
  auto digits = static_cast<uint64_t>(scaled);
  char buffer[32];
  char* const end = buffer + sizeof(buffer);
  char* next = end;
  for (int i = 0; i < decimals; ++i, digits /= 10) *--next = static_cast<char>('0' + digits % 10);
  *--next = '.';
  do {
    *--next = static_cast<char>('0' + digits % 10);
    digits /= 10;
  } while (digits != 0);
  // "-0.000000" means "not a history" to some readers.
  if (value < 0 && scaled != 0) *--next = '-';
  text->append(next, end);
}

}  // namespace

WordList::WordList(const std::string& path) {
  File file = File::ForReading(path);
  text_.resize(file.Size());
  if (file.Read(text_.data(), text_.size()) != text_.size()) throw FileError(path, EIO);
  for (size_t i = text_.find('\n'); i != std::string::npos; i = text_.find('\n', i + 1)) {
    ends_.push_back(i);
  }
}

void WordList::Append(uint32_t id, std::string* text) const {
  if (id >= ends_.size()) throw std::invalid_argument("n-gram records: a word without a name");
  const size_t begin = id == 0 ? 0 : ends_[id - 1] + 1;
  text->append(text_, begin, ends_[id] - begin);
}

std::string FormatNgrams(const std::string& path, int order, bool highest, const WordList& words,
                         uint64_t first, uint64_t count, int decimals) {
  if (order < 1 || decimals < 0 || decimals > 9) throw std::invalid_argument("ARPA: bad options");
  const size_t fields = static_cast<size_t>(order) + 2;
  const MappedFile<uint32_t> file(path);
  const uint64_t size = file.size() / fields;
  if (first >= size) return std::string();
  const auto begin = static_cast<size_t>(first) * fields;
  const size_t end = begin + static_cast<size_t>(std::min(count, size - first)) * fields;
  std::string text;
  text.reserve((end - begin) * 10);  // bytes that a field is likely to take
  for (size_t i = begin; i < end; i += fields) {
    const auto number = [&](size_t field) {
      float value;
      std::memcpy(&value, &file[i + field], sizeof(value));
      return value;
    };
    AppendFixed(number(fields - 2), decimals, &text);
    for (size_t k = 0; k < fields - 2; ++k) {
      text.push_back(k == 0 ? '\t' : ' ');
      words.Append(file[i + k], &text);
    }
    if (!highest) {
      text.push_back('\t');
      AppendFixed(number(fields - 1), decimals, &text);
    }
    text.push_back('\n');
  }
  return text;
}

}  // namespace lm
