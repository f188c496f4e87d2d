// The words of the best paths to the tokens of one frame, as a tree: paths that begin with the same
// words share them. What all of them share is committed: no path to come can begin otherwise.
#ifndef DECODING_CSRC_SEARCH_WORD_HISTORIES_H_
#define DECODING_CSRC_SEARCH_WORD_HISTORIES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace decoding {

class WordHistories {
 public:
  static constexpr uint32_t kCommitted = 0;  // the history that holds the committed words only

  WordHistories() { Clear(); }

  void Clear();
  // The history that goes on with a word (0 for none).
  uint32_t Extend(uint32_t history, int32_t word);
  // Forgets all histories but these, which are numbered anew, and commits what they share.
  void Commit(std::vector<uint32_t>* in_use);
  // Appends the words that are not committed.
  void AppendWords(uint32_t history, std::vector<int32_t>* words) const;
  size_t Bytes() const {
    return (nodes_.capacity() + old_.capacity()) * sizeof(Node) +
           committed_.capacity() * sizeof(int32_t);
  }
  // The words that were committed since the last call.
  std::vector<int32_t> TakeCommitted();

 private:
  struct Node {
    uint32_t parent;  // of a lower number; the root's own
    int32_t word;
    uint32_t first_child;  // kNone: none
    uint32_t next_sibling;
  };
  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t AddNode(uint32_t parent, int32_t word);

  std::vector<Node> nodes_;
  std::vector<int32_t> committed_;
  std::vector<Node> old_;
  std::vector<char> needed_;
  std::vector<uint32_t> remap_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_SEARCH_WORD_HISTORIES_H_
