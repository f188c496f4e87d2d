// HCL, a graph without language model, laid out for the composition with one while searching.
#ifndef DECODING_CSRC_ON_THE_FLY_HCL_GRAPH_H_
#define DECODING_CSRC_ON_THE_FLY_HCL_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/csrc/aligned_vector.h"
#include "decoding/csrc/graph/mapped_graph.h"
#include "decoding/csrc/look_ahead/word_classes.h"

namespace decoding {

// The language model concerns few of its arcs: those with a word, and those to a state whose next
// words, and with them the look-ahead, are others. The rest, the plain arcs, are as in a static graph.
class HclGraph {
 public:
  static constexpr uint32_t kIsClass = 1u << 31;
  // Flag of an arc's next state: not all of the arcs that leave it are plain.
  static constexpr uint32_t kHasLmArcs = 1u << 31;

  using PlainArc = MappedGraph::Arc;  // but for the flag in `next`

  struct LmArc {     // one whose cost depends on the history
    uint32_t next;   // with its flag
    uint32_t label;  // as PlainArc's
    float cost;
    uint32_t word;    // the automaton's; bit 31: there is none, the rest is the target's class
    uint32_t output;  // the graph's word, 0: none
  };
  // Each kind of arc of a state ends where the next state's begins.
  struct State {
    uint32_t plain;     // emitting, without a word, to a state of the same class: history and
                        // look-ahead do not change
    uint32_t lm_arcs;   // other emitting arcs
    uint32_t epsilons;  // non-emitting arcs
    uint32_t of_class;
  };

  // words: for each word of the graph the automaton's, -1 where it has none: arcs with such a
  // word are left out. The graph must outlive this. Throws std::invalid_argument.
  HclGraph(const MappedGraph& graph, const WordClasses& classes, const int32_t* words);

  const MappedGraph& mapped() const { return graph_; }
  uint32_t num_pdfs() const { return graph_.num_pdfs(); }
  // Without flag.
  const State& state(uint32_t state) const { return states_[state]; }
  bool HasEpsilons(uint32_t state) const {
    return states_[state].epsilons != states_[state + 1].epsilons;
  }
  bool HasLmArcs(uint32_t state) const {
    return states_[state].lm_arcs != states_[state + 1].lm_arcs || HasEpsilons(state);
  }
  const PlainArc* plain() const { return plain_.data(); }
  const LmArc* lm_arcs() const { return lm_arcs_.data(); }
  const LmArc* epsilons() const { return epsilons_.data(); }

 private:
  const MappedGraph& graph_;
  arrays::AlignedVector<State> states_;  // one more than there are states
  arrays::AlignedVector<PlainArc> plain_;
  std::vector<LmArc> lm_arcs_;
  std::vector<LmArc> epsilons_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_ON_THE_FLY_HCL_GRAPH_H_
