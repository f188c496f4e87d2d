// Frame-synchronous Viterbi beam search with lattice generation, after Kaldi's
// LatticeFasterDecoder, over contiguous arrays.
#ifndef DECODING_SEARCH_H_
#define DECODING_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "huge_pages.h"
#include "raw_lattice.h"
#include "search_graph.h"

namespace decoding {

struct SearchConfig {
  float beam = 15.0f;
  float lattice_beam = 8.0f;
  uint32_t max_active = 7000;
  uint32_t min_active = 200;
  float beam_delta = 0.5f;
  float acoustic_scale = 0.1f;
  uint32_t prune_interval = 25;
  float prune_scale = 0.1f;
};

struct SearchStats {
  uint64_t frames = 0;
  uint64_t tokens = 0;     // tokens expanded, summed over frames
  uint64_t arcs = 0;       // emitting arcs looked at
  uint64_t links = 0;      // forward links made
};

// One utterance at a time: Start, any number of Advance, Finish; then Start again. Results do not
// depend on how the frames are cut into calls of Advance.
class Search {
 public:
  Search(const SearchGraph& graph, const SearchConfig& config);

  void Start();
  // scores: [num_frames, graph.num_pdfs()], row-major, finite natural-log likelihoods.
  // Throws std::runtime_error if no path through the graph is that long.
  void Advance(const float* scores, size_t num_frames);
  // Best path to any state, final or not.
  RawPath Partial() const;
  // Prunes with the final costs; if no final state was reached, all last states count as final.
  RawLattice Finish();

  size_t num_frames() const { return frames_.empty() ? 0 : frames_.size() - 1; }
  bool active() const { return active_; }
  const SearchStats& stats() const { return stats_; }
  const SearchConfig& config() const { return config_; }
  const SearchGraph& graph() const { return graph_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Token {
    uint32_t state;
    float cost;  // relative to the best token of the frame before
  };
  struct Candidate {  // an emitting arc whose target's token is not looked up yet
    uint32_t source;
    uint32_t next;  // graph state with its flag
    uint32_t arc;
    float total;
  };
  struct Link {
    uint32_t source;  // token of the frame
    uint32_t next;    // token of the next frame (emitting) or of the same frame
    uint32_t arc;
    float total;  // cost of the path that ends with this link, in the target's frame
    float acoustic;
  };
  struct Frame {
    std::vector<Token> tokens;
    std::vector<float> extras;  // how much worse than the best the best path through a token is
    std::vector<Link> links;    // to the next frame
    std::vector<Link> epsilons;  // within the frame, sources in ascending rank
    bool pruned = false;
  };

  Frame NewFrame();
  void Step(const float* row);
  float Cutoff(const Frame& frame, float* best, uint32_t* best_token, float* adaptive_beam);
  float Expand(const Frame& frame);
  void MakeTokens(const float* row, float cutoff, std::vector<Link>* links, Frame* next);
  uint32_t FindOrAdd(uint32_t flagged_state, float cost, Frame* frame);
  void CloseEpsilons(float cutoff, Frame* frame);
  void Prune(bool all, float delta);
  bool PruneFrame(Frame* frame, const Frame& next, float delta);
  void PruneLastFrame();
  void RemoveTokens(Frame* frame);
  void PruneEpsilons(Frame* frame, std::vector<float>* extras) const;
  RawLattice MakeLattice() const;

  const SearchGraph& graph_;
  SearchConfig config_;
  SearchStats stats_;
  bool active_ = false;
  bool reached_final_ = false;
  std::vector<Frame> frames_;
  std::vector<Frame> spare_;  // buffers of pruned frames, used again
  // Where the state's token is in the newest frame, if that token has this state: entries need no
  // clearing between frames.
  LargeVector<uint32_t> token_of_state_;
  std::vector<Candidate> candidates_;  // the first num_candidates_ count
  size_t num_candidates_ = 0;
  std::vector<float> scaled_;
  std::vector<float> costs_;
  std::vector<std::vector<uint32_t>> buckets_;  // tokens with non-emitting arcs, by rank
  std::vector<uint32_t> remap_;  // where the tokens of the next frame went; empty: none moved
  std::vector<float> extras_;
};

}  // namespace decoding

#endif  // DECODING_SEARCH_H_
