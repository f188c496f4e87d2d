// Text to word ids.
#ifndef LM_CSRC_ESTIMATION_TOKENS_H_
#define LM_CSRC_ESTIMATION_TOKENS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lm/csrc/files/record_file.h"

namespace lm {

// Words by id, in the order in which they were added.
class WordTable {
 public:
  static constexpr uint32_t kAbsent = ~uint32_t{0};

  WordTable();

  size_t size() const { return ends_.size(); }
  std::string_view word(uint32_t id) const {
    const size_t begin = id == 0 ? 0 : ends_[id - 1];
    return {text_.data() + begin, ends_[id] - begin};
  }

  // The id of a word; kAbsent if it has none, and `*hash` is then what Add wants.
  uint32_t Find(std::string_view word, uint64_t* hash) const;
  uint32_t Add(std::string_view word, uint64_t hash);

 private:
  struct Slot {
    uint32_t check;  // some bits of the hash
    uint32_t id;
  };

  void Grow();

  std::string text_;
  std::vector<size_t> ends_;  // in text_, by id
  std::vector<Slot> slots_;   // open addressing
};

// Writes text as uint32 word ids, each line followed by the id of </s>. Words get ids in the order
// of their first occurrence, behind the special words. They are separated by ASCII white space, as
// in KenLM; a line ends with \n.
class Tokenizer {
 public:
  explicit Tokenizer(std::string token_path);

  // Texts follow each other: Begin(name), Feed(..) in pieces of any size, End. What is no text
  // throws std::invalid_argument, one line that names text, line, what was expected and found.
  void Begin(std::string name);
  void Feed(std::string_view piece);
  void End();

  // After the last text.
  void Close() { tokens_.Close(); }

  uint64_t num_tokens() const { return tokens_.count(); }
  uint64_t num_sentences() const { return counts_[2]; }
  const std::vector<uint64_t>& counts() const { return counts_; }  // by id; of </s> the sentences
  void WriteWords(std::string path) const;                        // one a line, by id

 private:
  void Word(std::string_view word);
  void EndLine();
  [[noreturn]] void Fail(const std::string& expected, const std::string& found) const;

  RecordWriter<uint32_t> tokens_;
  WordTable words_;
  std::vector<uint64_t> counts_;
  std::string name_;
  uint64_t line_ = 1;
  bool at_start_ = true;    // of the text
  bool line_open_ = false;  // something of the line was seen
  std::string carried_;     // the part of a word that the last piece ended with
};

}  // namespace lm

#endif  // LM_CSRC_ESTIMATION_TOKENS_H_
