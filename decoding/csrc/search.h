// Frame-synchronous Viterbi beam search over a static graph, after Kaldi's LatticeFasterDecoder,
// over contiguous arrays.
#ifndef DECODING_SEARCH_H_
#define DECODING_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "raw_lattice.h"
#include "search_config.h"
#include "mapped_graph.h"
#include "token_table.h"
#include "trellis.h"

namespace decoding {

// One utterance at a time: Start, any number of Advance, Finish; then Start again. Results do not
// depend on how the frames are cut into calls of Advance. With a lattice beam of 0 every token
// keeps one link only, the best one into it, and the lattice is the best path.
class Search {
 public:
  Search(const MappedGraph& graph, const SearchConfig& config);

  void Start();
  // scores: [num_frames, graph.num_pdfs()], row-major, finite natural-log likelihoods.
  // Throws std::runtime_error if no path through the graph is that long.
  void Advance(const float* scores, size_t num_frames);
  // Best path to any state, final or not.
  RawPath Partial() const;
  // Prunes with the final costs; if no final state was reached, all last states count as final.
  RawLattice Finish();

  size_t num_frames() const { return stats_.frames; }
  const SearchStats& stats() const { return stats_; }
  uint32_t num_pdfs() const { return graph_.num_pdfs(); }

 private:
  using Tokens = Trellis<uint32_t>;  // a token's state is the graph's

  struct Resolve;  // labels and costs of a link
  class Adder;     // of tokens to a frame

  void Step(const float* row);
  float Expand(Tokens::RawFrame* frame);
  template <bool kLattice>
  void MakeTokens(float cutoff, Tokens::RawFrame* frame, Tokens::RawFrame* next);
  template <bool kLattice>
  void CloseEpsilons(float cutoff, Tokens::RawFrame* frame);

  const MappedGraph& graph_;
  SearchConfig config_;
  SearchStats stats_;
  bool active_ = false;
  Tokens trellis_;
  TokenTable<uint32_t> table_;  // of the newest frame
  std::vector<float> scaled_;
  std::vector<float> costs_;
  std::vector<std::vector<uint32_t>> buckets_;  // new tokens with non-emitting arcs, by rank
};

}  // namespace decoding

#endif  // DECODING_SEARCH_H_
