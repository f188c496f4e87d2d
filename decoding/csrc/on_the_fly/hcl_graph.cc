#include "decoding/csrc/on_the_fly/hcl_graph.h"

#include <stdexcept>

namespace decoding {

HclGraph::HclGraph(const MappedGraph& graph, const WordClasses& classes, const int32_t* words)
    : graph_(graph) {
  const uint32_t n = graph.num_states();
  if (graph.offset(n) >= UINT32_MAX) {
    throw std::invalid_argument("graph: expected fewer than 2^32 - 1 arcs");
  }
  if (n >= kHasLmArcs) throw std::invalid_argument("graph: expected fewer than 2^31 states");
  states_.resize(static_cast<size_t>(n) + 1);
  const auto begin = [this](uint32_t state, uint32_t of_class) {
    states_[state] = {static_cast<uint32_t>(plain_.size()),
                      static_cast<uint32_t>(lm_arcs_.size()),
                      static_cast<uint32_t>(epsilons_.size()), of_class};
  };
  const auto add = [&](std::vector<LmArc>* to, uint32_t next, uint32_t label, float cost,
                       uint32_t output) {
    if (output == 0) {
      to->push_back({next, label, cost, classes.class_of_state[next] | kIsClass, 0});
    } else if (words[output] >= 0) {
      to->push_back({next, label, cost, static_cast<uint32_t>(words[output]), output});
    }
  };
  for (uint32_t s = 0; s < n; ++s) {
    begin(s, classes.class_of_state[s]);
    const MappedGraph::Arc* const end = graph.arcs_begin(s) + graph.num_arcs_of(s);
    for (const MappedGraph::Arc* arc = graph.arcs_begin(s); arc != end; ++arc) {
      const uint32_t output = graph.word(arc);
      if (output == 0 && classes.class_of_state[arc->next] == classes.class_of_state[s]) {
        plain_.push_back(*arc);
      } else {
        add(&lm_arcs_, arc->next, arc->label, arc->cost, output);
      }
    }
    if (!graph.has_epsilons(s)) continue;
    for (const MappedGraph::Epsilon* arc = graph.epsilons_begin(s); arc != graph.epsilons_end(s);
         ++arc) {
      add(&epsilons_, arc->next, 0, arc->cost, arc->word);
    }
  }
  begin(n, WordClasses::kAnything);
  for (PlainArc& arc : plain_) arc.next |= HasLmArcs(arc.next) ? kHasLmArcs : 0;
  for (std::vector<LmArc>* const arcs : {&lm_arcs_, &epsilons_}) {
    for (LmArc& arc : *arcs) arc.next |= HasLmArcs(arc.next) ? kHasLmArcs : 0;
  }
}

}  // namespace decoding
