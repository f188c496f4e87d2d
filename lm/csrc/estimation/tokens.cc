#include "lm/csrc/estimation/tokens.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "lm/csrc/files/ngram_key.h"

namespace lm {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

constexpr std::array<bool, 256> MakeSpaces() {
  std::array<bool, 256> spaces{};
  for (const char c : {' ', '\t', '\n', '\v', '\f', '\r'}) {
    spaces[static_cast<unsigned char>(c)] = true;
  }
  return spaces;
}
constexpr std::array<bool, 256> kIsSpace = MakeSpaces();

bool IsSpace(char c) { return kIsSpace[static_cast<unsigned char>(c)]; }

uint64_t Mix(uint64_t value) {
  value *= 0x9E3779B97F4A7C15u;
  return value ^ (value >> 32);
}

uint64_t Hash(std::string_view word) {
  uint64_t hash = word.size();
  const char* next = word.data();
  size_t left = word.size();
  for (; left >= 8; left -= 8, next += 8) {
    uint64_t chunk;
    std::memcpy(&chunk, next, 8);
    hash = Mix(hash ^ chunk);
  }
  uint64_t chunk = 0;
  for (size_t i = 0; i < left; ++i) {
    chunk |= uint64_t{static_cast<unsigned char>(next[i])} << (8 * i);
  }
  hash = Mix(hash ^ chunk);
  return hash ^ (hash >> 29);
}

// Where the first byte stands that cannot stand in UTF-8 (RFC 3629); the size if there is none.
size_t FirstBadByte(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  size_t i = 0;
  while (i < text.size()) {
    const unsigned char lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    size_t more;
    unsigned char low = 0x80;  // bounds of the second byte
    unsigned char high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
      more = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      more = 2;
      if (lead == 0xE0) low = 0xA0;   // overlong
      if (lead == 0xED) high = 0x9F;  // surrogates
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      more = 3;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    } else {
      return i;
    }
    for (size_t k = 1; k <= more; ++k) {
      if (i + k >= text.size() || byte(i + k) < low || byte(i + k) > high) return i;
      low = 0x80;
      high = 0xBF;
    }
    i += more + 1;
  }
  return text.size();
}

std::string HexByte(char c) {
  constexpr char kDigits[] = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(c);
  return std::string("byte 0x") + kDigits[value / 16] + kDigits[value % 16];
}

}  // namespace

WordTable::WordTable() : slots_(size_t{1} << 16, Slot{0, kAbsent}) {}

uint32_t WordTable::Find(std::string_view word, uint64_t* hash) const {
  *hash = Hash(word);
  const auto check = static_cast<uint32_t>(*hash >> 32);
  const size_t mask = slots_.size() - 1;
  for (size_t i = *hash & mask; slots_[i].id != kAbsent; i = (i + 1) & mask) {
    if (slots_[i].check == check && this->word(slots_[i].id) == word) return slots_[i].id;
  }
  return kAbsent;
}

uint32_t WordTable::Add(std::string_view word, uint64_t hash) {
  if (ends_.size() + 1 >= kAbsent) throw std::overflow_error("more words than 32 bits can number");
  if (2 * (ends_.size() + 1) > slots_.size()) Grow();
  const size_t mask = slots_.size() - 1;
  size_t i = hash & mask;
  while (slots_[i].id != kAbsent) i = (i + 1) & mask;
  const auto id = static_cast<uint32_t>(ends_.size());
  slots_[i] = {static_cast<uint32_t>(hash >> 32), id};
  text_.append(word);
  ends_.push_back(text_.size());
  return id;
}

void WordTable::Grow() {
  slots_.assign(2 * slots_.size(), Slot{0, kAbsent});
  const size_t mask = slots_.size() - 1;
  for (uint32_t id = 0; id < ends_.size(); ++id) {
    const uint64_t hash = Hash(word(id));
    size_t i = hash & mask;
    while (slots_[i].id != kAbsent) i = (i + 1) & mask;
    slots_[i] = {static_cast<uint32_t>(hash >> 32), id};
  }
}

Tokenizer::Tokenizer(std::string token_path) : tokens_(std::move(token_path)) {
  for (const std::string_view special : {"<unk>", "<s>", "</s>"}) {
    words_.Add(special, Hash(special));
    counts_.push_back(0);
  }
}

void Tokenizer::Begin(std::string name) {
  name_ = std::move(name);
  line_ = 1;
  at_start_ = true;
  line_open_ = false;
  carried_.clear();
}

void Tokenizer::Feed(std::string_view piece) {
  if (at_start_) {
    // The mark may come in pieces.
    carried_.append(piece);
    if (carried_.size() < kByteOrderMark.size() &&
        kByteOrderMark.substr(0, carried_.size()) == carried_) {
      return;
    }
    at_start_ = false;
    const std::string start = std::exchange(carried_, std::string());
    piece = start;
    if (piece.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
      piece.remove_prefix(kByteOrderMark.size());
    }
    if (!piece.empty()) Feed(piece);
    return;
  }
  const char* next = piece.data();
  const char* const end = next + piece.size();
  if (!carried_.empty()) {
    const char* const stop = std::find_if(next, end, IsSpace);
    carried_.append(next, stop);
    next = stop;
    if (stop == end) return;
    Word(std::exchange(carried_, std::string()));
  }
  while (next != end) {
    if (*next == '\n') {
      EndLine();
      ++next;
    } else if (IsSpace(*next)) {
      line_open_ = true;
      ++next;
    } else {
      const char* stop = next + 1;
      while (stop != end && !IsSpace(*stop)) ++stop;
      line_open_ = true;
      const std::string_view word(next, static_cast<size_t>(stop - next));
      if (stop == end) {
        carried_ = word;
        return;
      }
      Word(word);
      next = stop;
    }
  }
}

void Tokenizer::End() {
  if (at_start_ && !carried_.empty()) line_open_ = true;  // a part of a byte order mark: no text
  if (!carried_.empty()) Word(std::exchange(carried_, std::string()));
  if (line_open_) EndLine();
}

void Tokenizer::Word(std::string_view word) {
  uint64_t hash;
  uint32_t id = words_.Find(word, &hash);
  if (id == WordTable::kAbsent) {
    const size_t bad = FirstBadByte(word);
    if (bad < word.size()) Fail("UTF-8 text", HexByte(word[bad]));
    if (word.find('\0') != std::string_view::npos) Fail("text", HexByte('\0'));
    id = words_.Add(word, hash);
    counts_.push_back(0);
  } else if (id < kNumSpecialWords) {
    Fail("words", std::string(word));
  }
  ++counts_[id];
  tokens_.Write(id);
}

void Tokenizer::EndLine() {
  ++counts_[kEndWord];
  tokens_.Write(kEndWord);
  line_open_ = false;
  ++line_;
}

void Tokenizer::WriteWords(std::string path) const {
  RecordWriter<char> writer(std::move(path));
  for (uint32_t id = 0; id < words_.size(); ++id) {
    for (const char c : words_.word(id)) writer.Write(c);
    writer.Write('\n');
  }
  writer.Close();
}

void Tokenizer::Fail(const std::string& expected, const std::string& found) const {
  throw std::invalid_argument(name_ + ":" + std::to_string(line_) + ": expected " + expected +
                              ", found " + found);
}

}  // namespace lm
