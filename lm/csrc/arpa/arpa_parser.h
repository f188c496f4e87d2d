// The lines of an ARPA file's sections: numbers and word ids.
#ifndef LM_CSRC_ARPA_ARPA_PARSER_H_
#define LM_CSRC_ARPA_ARPA_PARSER_H_

#include <cstdint>
#include <deque>
#include <exception>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lm {

// What is wrong with a line.
class ArpaError : public std::exception {
 public:
  ArpaError(int64_t line, std::string expected, std::string_view found, std::string note = "")
      : line_(line), expected_(std::move(expected)), found_(found), note_(std::move(note)) {}

  int64_t line() const { return line_; }
  const std::string& expected() const { return expected_; }
  const std::string& found() const { return found_; }  // bytes of the file
  const std::string& note() const { return note_; }    // what to add to that
  const char* what() const noexcept override { return expected_.c_str(); }

 private:
  int64_t line_;
  std::string expected_;
  std::string found_;
  std::string note_;
};

// Rows as they stand in the file.
struct ArpaRows {
  std::vector<int64_t> lines;
  std::vector<double> log10_probs;
  std::vector<double> log10_backoffs;
  std::vector<int32_t> words;  // `order` of each row
};

class ArpaParser {
 public:
  // Whole lines of the section of an order. Unigrams give words their ids; longer n-grams hold
  // words that have one. `first_line` is the number of the first line in the file, 1-based. Throws
  // ArpaError.
  ArpaRows Parse(std::string_view text, int order, bool highest, int64_t first_line);

  // Gives a word the next id, unless it has one.
  void Add(std::string_view word);

  // By id.
  const std::deque<std::string>& words() const { return words_; }

 private:
  void ParseLine(std::string_view line, int order, bool highest, int64_t number, ArpaRows* rows);
  void NewWord(std::string_view word, int64_t line);
  int32_t KnownWord(std::string_view word, int column, int64_t line);

  std::deque<std::string> words_;  // strings stay where they are: keys point to them
  std::unordered_map<std::string_view, int32_t> ids_;
  std::vector<int64_t> word_lines_;
  // The ids of the line before: neighbours share their first words in sorted files.
  std::vector<int32_t> previous_;
};

}  // namespace lm

#endif  // LM_CSRC_ARPA_ARPA_PARSER_H_
