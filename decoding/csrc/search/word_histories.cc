#include "decoding/csrc/search/word_histories.h"

#include <algorithm>
#include <utility>

namespace decoding {

void WordHistories::Clear() {
  nodes_.assign(1, {0, 0, kNone, kNone});
  committed_.clear();
}

uint32_t WordHistories::AddNode(uint32_t parent, int32_t word) {
  const uint32_t node = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back({parent, word, kNone, nodes_[parent].first_child});
  nodes_[parent].first_child = node;
  return node;
}

uint32_t WordHistories::Extend(uint32_t history, int32_t word) {
  if (word == 0) return history;
  for (uint32_t child = nodes_[history].first_child; child != kNone;
       child = nodes_[child].next_sibling) {
    if (nodes_[child].word == word) return child;
  }
  return AddNode(history, word);
}

void WordHistories::Commit(std::vector<uint32_t>* in_use) {
  constexpr char kUsed = 1;      // itself in use
  constexpr char kAncestor = 2;  // of one in use
  needed_.assign(nodes_.size(), 0);
  for (const uint32_t history : *in_use) needed_[history] = kUsed;
  for (size_t node = nodes_.size(); node-- > 1;) {
    if (needed_[node] != 0) needed_[nodes_[node].parent] |= kAncestor;
  }
  // From the root on as long as there is one way only.
  uint32_t root = kCommitted;
  while ((needed_[root] & kUsed) == 0) {
    uint32_t only = kNone;
    bool several = false;
    for (uint32_t child = nodes_[root].first_child; child != kNone;
         child = nodes_[child].next_sibling) {
      if (needed_[child] == 0) continue;
      several = several || only != kNone;
      only = child;
    }
    if (several || only == kNone) break;
    root = only;
    committed_.push_back(nodes_[root].word);
  }
  nodes_.swap(old_);
  nodes_.assign(1, {0, 0, kNone, kNone});
  remap_.assign(old_.size(), kNone);
  remap_[root] = kCommitted;
  for (size_t node = root + size_t{1}; node < old_.size(); ++node) {
    // All that is needed and comes after the root descends from it.
    if (needed_[node] != 0) remap_[node] = AddNode(remap_[old_[node].parent], old_[node].word);
  }
  for (uint32_t& history : *in_use) history = remap_[history];
}

void WordHistories::AppendWords(uint32_t history, std::vector<int32_t>* words) const {
  const auto first = static_cast<std::ptrdiff_t>(words->size());
  for (; history != kCommitted; history = nodes_[history].parent) {
    words->push_back(nodes_[history].word);
  }
  std::reverse(words->begin() + first, words->end());
}

std::vector<int32_t> WordHistories::TakeCommitted() { return std::exchange(committed_, {}); }

}  // namespace decoding
