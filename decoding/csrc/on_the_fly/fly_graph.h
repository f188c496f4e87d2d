// A graph without language model, laid out for the search that adds one on the fly.
#ifndef DECODING_FLY_GRAPH_H_
#define DECODING_FLY_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/csrc/aligned_vector.h"
#include "decoding/csrc/graph/mapped_graph.h"
#include "decoding/csrc/on_the_fly/fly_classes.h"

namespace decoding {

class FlyGraph {
 public:
  static constexpr uint32_t kIsClass = 1u << 31;
  // Of the state that an arc leads to: not all of its arcs are plain.
  static constexpr uint32_t kHasComposed = 1u << 31;

  using PlainArc = MappedGraph::Arc;  // but for the flag in `next`

  struct ComposedArc {  // one on which the language model has something to say
    uint32_t next;      // with its flag
    uint32_t label;  // as PlainArc's
    float cost;
    uint32_t word;    // the automaton's; bit 31: there is none, the rest is the target's class
    uint32_t output;  // the graph's word, 0: none
  };
  // Each kind of arc of a state ends where the next state's begins.
  struct State {
    uint32_t plain;     // emitting, without a word, to a state of the same class: history and
                        // look-ahead stay as they are
    uint32_t composed;  // other emitting arcs
    uint32_t epsilons;
    uint32_t of_class;
  };

  // words: for each word of the graph the automaton's, -1 where it has none: arcs with such a
  // word are left out. The graph must outlive this. Throws std::invalid_argument.
  FlyGraph(const MappedGraph& graph, const WordClasses& classes, const int32_t* words);

  const MappedGraph& mapped() const { return graph_; }
  uint32_t num_pdfs() const { return graph_.num_pdfs(); }
  // Without flag.
  const State& state(uint32_t state) const { return states_[state]; }
  bool HasEpsilons(uint32_t state) const {
    return states_[state].epsilons != states_[state + 1].epsilons;
  }
  bool HasComposed(uint32_t state) const {
    return states_[state].composed != states_[state + 1].composed || HasEpsilons(state);
  }
  const PlainArc* plain() const { return plain_.data(); }
  const ComposedArc* composed() const { return composed_.data(); }
  const ComposedArc* epsilons() const { return epsilons_.data(); }

 private:
  const MappedGraph& graph_;
  arrays::AlignedVector<State> states_;  // one more than there are states
  arrays::AlignedVector<PlainArc> plain_;
  std::vector<ComposedArc> composed_;
  std::vector<ComposedArc> epsilons_;
};

}  // namespace decoding

#endif  // DECODING_FLY_GRAPH_H_
