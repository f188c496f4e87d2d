// What determinisation on words needs to know of the lattice: its arcs within the beam, those with
// a word apart from the others, and the best word-less paths from where words end to where the
// next ones may begin.
#ifndef DECODING_CSRC_LATTICE_WORD_CLOSURE_H_
#define DECODING_CSRC_LATTICE_WORD_CLOSURE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoding/csrc/lattice/lattice_view.h"

namespace decoding {

// A piece of an array that grows: an offset, not a pointer.
struct Span {
  size_t offset = 0;
  uint32_t length = 0;
};

// Which of two strings of transition-ids wins when the weights tie, as in Kaldi's Compare: 1 if the
// first is shorter or, at the same length, has the greater transition-id where they first differ.
// Any total order would do that survives a common prefix and a common suffix.
int CompareStrings(const int32_t* a, size_t a_length, const int32_t* b, size_t b_length);

class WordClosure {
 public:
  struct WordArc {
    Weight weight;
    int32_t word;
    int32_t target;
    int32_t tid;
  };

  template <typename Cost>
  WordClosure(const LatticeView<Cost>& lattice, WeightOrder order, double beam);

  // Cost of the best path (infinite if there is none), and the cost up to which paths count.
  double best() const { return best_; }
  double cutoff() const { return cutoff_; }
  // Cost of the best path from a state to the end.
  double backward(int32_t state) const { return backward_[state]; }
  double final_cost(int32_t state) const { return final_costs_[state]; }
  // Arcs of a state that have a word and are on a path within the beam.
  const WordArc* begin(int32_t state) const { return word_arcs_.data() + first_word_arc_[state]; }
  const WordArc* end(int32_t state) const { return begin(state + 1); }

  // One closure at a time: Clear, any number of Add, Run. Heads of strings are in `strings`, which
  // the caller owns.
  void Clear();
  // A way to a state: the weight, the head of its string, and what an arc adds to that.
  void Add(int32_t state, const Weight& weight, const Span& head, int32_t tid,
           const std::vector<int32_t>& strings);
  // Goes along arcs without words, the best way to each state. All arcs within the beam are
  // followed, whatever the ways added cost: subsets that histories of different cost lead to stay
  // equal, and states of the result are shared.
  void Run(const std::vector<int32_t>& strings);

  // Of what was reached: the states that are final or begin a word, ascending.
  size_t size() const { return ends_.size(); }
  int32_t state(size_t i) const { return ends_[i].state; }
  const Weight& weight(size_t i) const { return reached_[ends_[i].index].weight; }
  uint32_t length(size_t i) const { return reached_[ends_[i].index].length; }
  // Writes the whole string, of length(i), the heads of which are in strings.
  void WriteString(size_t i, const int32_t* strings, int32_t* out) const {
    TraceBack(reached_[ends_[i].index], strings, out);
  }

 private:
  struct SilentArc {
    Weight weight;
    int32_t target;
    int32_t tid;
  };
  struct Reached {
    Weight weight;
    int32_t from;     // index of its predecessor, or ~i of the i-th root
    int32_t tid;      // of the last arc, as in LatticeView
    uint32_t length;  // of the string
  };
  struct End {
    int32_t state;
    uint32_t index;
  };

  template <typename Cost>
  void FindArcsWithinBeam(const LatticeView<Cost>& lattice, const std::vector<size_t>& first_arc);
  uint32_t Length(int32_t tid) const {
    return tid >= 0 ? tid != 0
                    : static_cast<uint32_t>(string_offsets_[~tid + 1] - string_offsets_[~tid]);
  }
  void Reach(int32_t state, const Reached& way, const std::vector<int32_t>& strings);
  bool WinsTie(const Reached& way, const Reached& known, const std::vector<int32_t>& strings);
  void TraceBack(const Reached& last, const int32_t* strings, int32_t* out) const;

  const int32_t num_states_;
  const size_t* const string_offsets_;
  const int32_t* const strings_of_arcs_;
  const WeightOrder order_;
  double best_;
  double cutoff_;
  std::vector<double> backward_;
  std::vector<double> final_costs_;
  std::vector<WordArc> word_arcs_;
  std::vector<SilentArc> silent_arcs_;
  std::vector<uint32_t> first_word_arc_;
  std::vector<uint32_t> first_silent_arc_;
  std::vector<char> ends_here_;  // whether a state is final or begins a word

  // Of the closure in the making:
  std::vector<Span> roots_;  // heads of the strings of what was added
  std::vector<Reached> reached_;
  std::vector<uint32_t> indices_;   // in reached_, of the states that are waiting
  std::vector<uint64_t> waiting_;  // one bit for each state
  int32_t first_ = 0;
  int32_t last_ = 0;
  std::vector<End> ends_;  // where words may begin or the lattice may end
  std::vector<int32_t> left_;
  std::vector<int32_t> right_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_LATTICE_WORD_CLOSURE_H_
