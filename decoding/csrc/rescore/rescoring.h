// The expansion of a word lattice by the histories of two language models: one is taken out of its
// graph costs, the other put in.
#ifndef DECODING_CSRC_RESCORE_RESCORING_H_
#define DECODING_CSRC_RESCORE_RESCORING_H_

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "decoding/csrc/rescore/id_table.h"
#include "decoding/csrc/rescore/history_models.h"

namespace decoding {

// A determinised lattice: states in topological order, arcs sorted by source.
struct WordLatticeView {
  static constexpr int32_t kNoWord = 0;  // the models do not see such an arc

  int32_t num_states;
  const int64_t* arc_offsets;  // [num_states + 1]
  const int32_t* targets;
  const int32_t* words;
  const double* graph_costs;
  const double* acoustic_costs;
  const double* final_graph_costs;  // inf where a state is not final
  const double* final_acoustic_costs;
  bool ends;  // whether paths end sentences
};

struct RescoreConfig {
  double acoustic_scale;
  double lm_scale;
  double word_insertion_penalty;
  double beam;
  size_t max_arcs;
};

// A model gave a score that is no finite number.
class ScoreError : public std::runtime_error {
 public:
  static constexpr int32_t kEnd = -1;

  ScoreError(int32_t the_word, double old_score, double new_score)
      : std::runtime_error("language model: expected finite scores"),
        word(the_word),
        old_log_prob(old_score),
        new_log_prob(new_score) {}

  const int32_t word;  // kEnd for the end of the sentence
  const double old_log_prob;
  const double new_log_prob;
};

// What came of a lattice. States are pairs of a lattice's state and histories, in topological
// order, each on a path from the start to an end; state 0 is the start, arcs are sorted by source.
struct ExpandedLattice {
  std::vector<int32_t> states;         // of the lattice
  std::vector<double> final_costs;     // graph costs, inf where a state is not final
  std::vector<int32_t> sources;
  std::vector<int32_t> targets;
  std::vector<int64_t> arcs;           // of the lattice
  std::vector<double> graph_costs;
};

// A best path.
struct ExpandedPath {
  std::vector<int64_t> arcs;  // of the lattice
  double graph_cost = 0.0;
};

// How large an expansion became, and what limited it.
struct ExpansionStats {
  size_t states = 0;  // expanded ones
  size_t arcs = 0;
  size_t dropped = 0;         // histories that the beam left out
  double beam = 0.0;          // that was used
  bool hit_max_arcs = false;  // whether max_arcs made it smaller
};

// Scores of the models are kept, so that expanding the same lattice again, with other options, asks
// them for nothing twice. Not for several threads at once.
class Rescoring {
 public:
  Rescoring(const WordLatticeView& lattice, HistoryModel* old_model, HistoryModel* new_model)
      : lattice_(lattice), old_(old_model), new_(new_model) {}

  // Discards the expansion of an earlier call. A path's cost is its graph cost, plus the old model's log
  // probability, less lm_scale times the new one's, plus the penalty of each word, plus the scaled
  // acoustic cost. Of the histories in a state of the lattice those are dropped whose best path
  // from the start costs more than the best one's there plus the beam. If there are more than
  // max_arcs arcs, the beam is halved (an infinite one becomes 16) and all starts again; a beam of
  // almost nothing, which leaves about one history in each state, is not halved. A lattice of more
  // than max_arcs arcs gets such a beam at once.
  //
  // Throws ScoreError and what a model throws.
  void Expand(const RescoreConfig& config);

  const ExpansionStats& stats() const { return stats_; }
  // Throws std::invalid_argument if no path reaches an end.
  ExpandedPath BestPath() const;
  ExpandedLattice Lattice() const;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Node {
    int32_t state;
    uint32_t old_history;
    uint32_t new_history;
    uint32_t next;       // node of the same state
    uint32_t back;       // best arc from the start, an index of arcs_
    uint32_t first_arc;  // in arcs_; there are as many as the state has
    double cost;         // of the best path from the start
    double final_cost;   // graph cost
  };
  struct ExpandedArc {
    uint32_t source;
    uint32_t target;
    int64_t arc;
    double graph_cost;
  };
  // A model with its answers.
  class Memo {
   public:
    explicit Memo(HistoryModel* model) : model_(*model) {}

    uint32_t Start() { return model_.Start(); }
    double Score(uint32_t history, int32_t word, uint32_t* next);
    double Final(uint32_t history);

   private:
    struct Answer {
      uint32_t history;
      int32_t word;
      uint32_t next;
      double log_prob;
    };
    uint32_t Find(uint32_t history, int32_t word);

    HistoryModel& model_;
    std::vector<Answer> answers_;
    IdTable numbers_;
  };

  bool TryToExpand(const RescoreConfig& config);
  void ExpandNode(uint32_t node, const RescoreConfig& config);
  uint32_t FindOrAddNode(int32_t state, uint32_t old_history, uint32_t new_history);
  void Finish(uint32_t node, const RescoreConfig& config);

  const WordLatticeView lattice_;
  Memo old_;
  Memo new_;
  ExpansionStats stats_;
  std::vector<Node> nodes_;  // in order of creation
  std::vector<ExpandedArc> arcs_;
  std::vector<uint32_t> expanded_;  // nodes that were, in topological order
  std::vector<uint32_t> first_;     // node of each state of the lattice
  std::vector<uint32_t> last_;
  IdTable numbers_;
  uint32_t best_final_ = kNone;
  double best_cost_ = 0.0;
};

}  // namespace decoding

#endif  // DECODING_CSRC_RESCORE_RESCORING_H_
