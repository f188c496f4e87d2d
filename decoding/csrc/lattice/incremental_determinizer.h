// Determinisation of a lattice part by part, while the search goes on, after Kaldi's
// LatticeIncrementalDeterminizer.
//
// A part ends at a frame with few tokens, its exits; the next part begins with them. Of the
// determinised part, states that word-less paths lead from to an exit are open, and so are all that
// come after these: words that are still to come may lead from them. Open states are determinised
// again, with the next part: there they are states like those of the state-level lattice, which a
// label leads to from a start state of its own. All others are done, and nothing of their part of
// the state-level lattice is needed any more.
#ifndef DECODING_CSRC_LATTICE_INCREMENTAL_DETERMINIZER_H_
#define DECODING_CSRC_LATTICE_INCREMENTAL_DETERMINIZER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoding/csrc/lattice/determinize.h"
#include "decoding/csrc/lattice/raw_lattice.h"

namespace decoding {

class IncrementalDeterminizer {
 public:
  explicit IncrementalDeterminizer(const DeterminizeConfig& config);

  // The lattice from the start, or from the exits of the last part, to the exits of this one.
  void Add(const LatticePart& part);
  // The part that ends the lattice, in its final states: the whole determinised lattice, as
  // Determinize makes it of all parts together.
  CompactArrays Finish(const LatticePart& part);

  // Memory of what is to be determinised again, and of what is done.
  size_t open_bytes() const;
  size_t done_bytes() const;

 private:
  struct OpenArc {
    int32_t source;
    int32_t target;  // an open state, or an exit of the last part
    int32_t word;    // 0: to an exit
    Weight weight;
    std::vector<int32_t> tids;
  };
  // An arc of a state that is done to an open state.
  struct PendingArc {
    int32_t source;  // kStart: not an arc but what comes before the start state
    int32_t target;
    int32_t word;
    double forward;  // cost of the best path that ends with the arc, relative to the others'
    Weight weight;
    std::vector<int32_t> tids;
  };
  struct DoneArc {
    int32_t source;
    int32_t target;
    int32_t word;
    Weight weight;
    size_t tids;  // where the arc's begin in done_tids_
    uint32_t num_tids;
  };
  struct DoneFinal {
    int32_t state;
    Weight weight;
    size_t tids;
    uint32_t num_tids;
  };
  struct Graph;  // open states and a part, made one lattice
  static constexpr int32_t kStart = -1;

  void Process(const LatticePart& part, bool last);
  Graph MakeGraph(const LatticePart& part, const std::vector<double>& forward, bool last) const;
  void Take(const CompactArrays& chunk, const std::vector<double>& forward_of_open, bool last);
  void AddDone(const PendingArc& arc);
  CompactArrays Output() const;

  const DeterminizeConfig config_;
  const WeightOrder order_;
  double beam_;
  bool is_first_ = true;

  int32_t num_open_ = 1;  // in topological order
  std::vector<OpenArc> open_arcs_;  // sorted by source
  std::vector<PendingArc> pending_;

  int32_t num_done_ = 0;  // in topological order
  std::vector<DoneArc> done_arcs_;
  std::vector<DoneFinal> done_finals_;
  std::vector<int32_t> done_tids_;
  PendingArc before_start_;  // once the start state is done
};

}  // namespace decoding

#endif  // DECODING_CSRC_LATTICE_INCREMENTAL_DETERMINIZER_H_
