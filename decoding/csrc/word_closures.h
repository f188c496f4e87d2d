// What determinisation on words needs to know of the lattice: costs to and from its states, and the
// best word-less paths from where a word ends to where the next one may begin.
#ifndef DECODING_WORD_CLOSURES_H_
#define DECODING_WORD_CLOSURES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "determinize.h"

namespace decoding {

struct Weight {
  double graph = 0.0;
  double acoustic = 0.0;
};

inline Weight operator+(const Weight& a, const Weight& b) {
  return {a.graph + b.graph, a.acoustic + b.acoustic};
}

inline Weight operator-(const Weight& a, const Weight& b) {
  return {a.graph - b.graph, a.acoustic - b.acoustic};
}

inline Weight ArcWeight(const LatticeView& lattice, size_t arc) {
  return {lattice.graph_costs[arc], lattice.acoustic_costs[arc]};
}

// Weights are compared by their total, then by graph cost.
struct WeightOrder {
  double acoustic_scale;

  double Total(const Weight& weight) const {
    return weight.graph + acoustic_scale * weight.acoustic;
  }

  // 1 if a is better than b, -1 if it is worse, else 0.
  int Compare(const Weight& a, const Weight& b) const {
    const double a_total = Total(a);
    const double b_total = Total(b);
    if (a_total != b_total) return a_total < b_total ? 1 : -1;
    if (a.graph != b.graph) return a.graph < b.graph ? 1 : -1;
    return 0;
  }
};

// Which of two strings wins when the weights tie, as in Kaldi's Compare: 1 if the first is shorter
// or, at the same length, has the greater transition-id where they first differ. Any total order
// would do that survives a common prefix and a common suffix.
int CompareStrings(const std::vector<int32_t>& a, const std::vector<int32_t>& b);

// A piece of an array that grows: an offset, not a pointer.
struct Span {
  size_t offset = 0;
  uint32_t length = 0;
};

// A lattice state with the weight and the transition-ids of a way to it.
struct Element {
  int32_t state;
  Weight weight;
  Span string;
};

class WordClosures {
 public:
  WordClosures(const LatticeView& lattice, WeightOrder order, double beam);

  // Cost of the best path (infinite if there is none), and the cost up to which paths count.
  double best() const { return best_; }
  double cutoff() const { return cutoff_; }
  // Cost of the best path from a state to the end.
  double backward(int32_t state) const { return backward_[state]; }
  // Arcs of a state are [first_arc(state), first_arc(state + 1)).
  size_t first_arc(int32_t state) const { return first_arc_[state]; }
  // Whether an arc has a word and is on a path within the beam.
  bool speaks(size_t arc) const { return arc_speaks_[arc] != 0; }

  // The best word-less path from a state to every state that is final or begins a word; states
  // that no path within the beam reaches this way are left out. Made when first asked for.
  Span Of(int32_t state);
  // What a span of Of() names. The string's offset is only for AppendString.
  const Element& element(size_t i) const { return elements_[i]; }
  void AppendString(const Span& string, std::vector<int32_t>* out) const;

  size_t MemoryUsed() const {
    return strings_.size() * sizeof(StringNode) + elements_.size() * sizeof(Element);
  }

 private:
  static constexpr uint32_t kNotMade = UINT32_MAX;
  static constexpr uint32_t kNoArc = UINT32_MAX;

  struct SilentArc {
    Weight weight;
    int32_t target;
    uint32_t arc;
  };
  struct StringNode {  // strings are paths back to a root, which has step 0
    int32_t step;      // to the node before
    int32_t tid;       // 0 for none
  };
  struct Reached {  // a state of a closure in the making
    Weight weight;
    uint32_t arc;     // the last one on the way
    uint32_t from;    // place of its source in reached_
    uint32_t length;  // of the string
  };

  void FindArcsWithinBeam();
  void Reach(int32_t state, const Weight& weight, uint32_t arc, uint32_t from);
  void TraceBack(size_t place, std::vector<int32_t>* out) const;

  const LatticeView& lattice_;
  const WeightOrder order_;
  double best_;
  double cutoff_;
  std::vector<size_t> first_arc_;
  std::vector<double> forward_;
  std::vector<double> backward_;
  std::vector<char> arc_speaks_;
  std::vector<char> state_speaks_;  // is final or has such an arc
  std::vector<SilentArc> silent_;   // arcs without a word on a path within the beam
  std::vector<size_t> first_silent_;

  std::vector<Span> closures_;  // of each state, in elements_
  std::vector<Element> elements_;
  std::vector<StringNode> strings_;

  // Of the closure in the making; a state is in it if it has the stamp.
  std::vector<Reached> reached_;
  std::vector<uint32_t> stamps_;
  std::vector<uint32_t> places_;
  uint32_t stamp_ = 0;
  int32_t furthest_ = 0;
  std::vector<int32_t> left_;
  std::vector<int32_t> right_;
};

}  // namespace decoding

#endif  // DECODING_WORD_CLOSURES_H_
