// Words by their spelling: from text to ids without a string object for each.
#ifndef LM_CSRC_AUTOMATON_WORD_LOOKUP_H_
#define LM_CSRC_AUTOMATON_WORD_LOOKUP_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace lm {

// Calls f(word) for each word of a text in which a line feed follows each.
template <typename F>
void ForEachLine(std::string_view text, F f) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return;
    f(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
}

// A word's id is its row in the vocabulary. The text must outlive this.
class WordLookup {
 public:
  explicit WordLookup(std::string_view vocabulary) {
    ForEachLine(vocabulary, [this](std::string_view word) { words_.push_back(word); });
    size_t size = 16;
    while (size < 2 * words_.size()) size *= 2;
    slots_.assign(size, kNone);
    for (size_t w = 0; w < words_.size(); ++w) slots_[Slot(words_[w])] = static_cast<int32_t>(w);
  }

  // -1: no such word.
  int32_t Find(std::string_view word) const { return slots_[Slot(word)]; }

 private:
  static constexpr int32_t kNone = -1;

  static uint64_t Hash(std::string_view word) {  // FNV-1a, its high bits mixed into the low ones
    uint64_t hash = 0xCBF29CE484222325u;
    for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
    return hash ^ (hash >> 32);
  }

  size_t Slot(std::string_view word) const {  // of the word, or a free one
    size_t slot = Hash(word) & (slots_.size() - 1);
    while (slots_[slot] != kNone && words_[static_cast<size_t>(slots_[slot])] != word) {
      slot = (slot + 1) & (slots_.size() - 1);
    }
    return slot;
  }

  std::vector<std::string_view> words_;
  std::vector<int32_t> slots_;
};

}  // namespace lm

#endif  // LM_CSRC_AUTOMATON_WORD_LOOKUP_H_
