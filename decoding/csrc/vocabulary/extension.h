// More words in HCL: states and arcs beside those of the graph.
#ifndef DECODING_CSRC_VOCABULARY_EXTENSION_H_
#define DECODING_CSRC_VOCABULARY_EXTENSION_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "decoding/csrc/vocabulary/hmm_units.h"
#include "decoding/csrc/vocabulary/word_boundaries.h"
#include "decoding/csrc/vocabulary/word_tree.h"

namespace decoding {

// A graph as GraphArrays has it.
struct ExtendedGraph {
  std::vector<int64_t> offsets;
  std::vector<uint32_t> num_emitting;
  std::vector<int32_t> ilabels;
  std::vector<int32_t> olabels;
  std::vector<float> costs;
  std::vector<int32_t> next_states;
  std::vector<float> final_costs;
};

// Adds words to a graph so that it accepts what HCL of the whole lexicon accepts, at the same costs.
//
// A context stands between phones: of one phone the left neighbour is known and the right one is
// not, or the graph's own arcs go on. Each phone after it gives a branch: the HMM of the phone in
// that context, and the context after it. HMMs of a context's branches share states as far as their
// transition-ids are the same, as determinization would have it. A state of the new part is a context
// with the self-loop of the HMM state that leads to it, or is within the HMMs of a context.
class Extension {
 public:
  // words: at least one; their costs have the lower cost of silence or none after them.
  Extension(const WordBoundaries& boundaries, HmmUnits* units, const WordTree& words);

  // The graph's states keep their numbers; the new ones follow.
  ExtendedGraph Make();

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Arc {
    int32_t tid;
    int32_t word;
    float cost;
    uint32_t next;
  };
  struct Branch {
    uint32_t unit;
    uint32_t context;  // after the unit
    int32_t word;
    float cost;
  };
  struct Context {
    std::vector<Branch> branches;
    std::vector<Arc> own;  // to states of the graph; without input label also to new ones
    float final_cost = std::numeric_limits<float>::infinity();
    std::vector<Arc> first;  // arcs into the branches' HMMs, once they are made
    bool expanded = false;
  };
  // Branches (of one context) that a path can still be in, in which HMM state, after which self-loop.
  using Within = std::tuple<int32_t, int32_t, std::vector<uint32_t>>;
  using PlaceKey = std::tuple<int, int32_t, int32_t, std::vector<uint32_t>>;

  uint32_t FindOrAdd(const PlaceKey& key, bool* is_new);
  uint32_t InWord(int32_t left, uint32_t node);
  uint32_t Words(int32_t left, int32_t phone);
  uint32_t End(int32_t left, int32_t phone);
  uint32_t EndInGraph(const WordBoundaries::Boundary& boundary, int32_t left, int32_t phone);
  uint32_t NewEnd(int32_t left, int32_t phone, const std::vector<uint32_t>& units);
  uint32_t Opened(int32_t left, int32_t phone);
  uint32_t Onward(uint32_t state, int32_t left, int32_t phone);
  float Extra(int32_t phone) const;
  uint32_t Final();
  uint32_t Saying(int32_t word, uint32_t context);
  uint32_t AfterWords(const std::vector<int32_t>& words, size_t first, uint32_t context);
  void AddWords(int32_t left, int32_t phone, int32_t word_before, float cost, uint32_t context);
  void Enter();
  void AddEntry(uint32_t state, uint32_t context, int32_t word, float cost);

  uint32_t State(uint32_t context, int32_t self_loop);
  const std::vector<Arc>& FirstArcs(uint32_t context);
  void Finish(uint32_t state);
  void AddArc(uint32_t state, const Arc& arc) { arcs_[state].push_back(arc); }

  const WordBoundaries& boundaries_;
  const GraphArrays& graph_;
  const TransitionArrays& transitions_;
  HmmUnits* const units_;
  const WordTree& words_;
  std::map<PlaceKey, uint32_t> numbers_;
  std::vector<Context> contexts_;
  std::map<std::pair<uint32_t, int32_t>, uint32_t> state_of_;
  std::vector<std::pair<uint32_t, int32_t>> new_states_;  // context (kNone: within one), self-loop
  std::vector<std::vector<Arc>> arcs_;                    // of all states, but for the graph's own
  std::vector<float> finals_;                             // of the new states
};

}  // namespace decoding

#endif  // DECODING_CSRC_VOCABULARY_EXTENSION_H_
