// A search, whichever its graph: frames of scores in, a lattice out.
#ifndef DECODING_CSRC_SEARCH_SEARCH_H_
#define DECODING_CSRC_SEARCH_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoding/csrc/lattice/determinize.h"
#include "decoding/csrc/lattice/raw_lattice.h"

namespace decoding {

struct SearchStats {
  uint64_t frames = 0;
  uint64_t tokens = 0;  // tokens expanded, summed over frames
  uint64_t arcs = 0;    // emitting arcs looked at
  uint64_t links = 0;   // forward links made
};

struct SearchMemory {  // bytes
  size_t buffers = 0;
  size_t open = 0;  // determinised parts that will be determinised again
  size_t done = 0;  // other determinised parts
};

struct CompactResult {
  CompactArrays lattice;
  bool reached_final = false;
};

// One utterance at a time: Start, any number of Advance, Finish; then Start again. Results do not
// depend on how the frames are cut into calls of Advance.
class Search {
 public:
  virtual ~Search() = default;

  virtual void Start() = 0;
  // The same, to end with FinishCompact. When pruning leaves more than max_kept_links links, an
  // early part of the lattice is determinised and let go.
  virtual void StartCompact(const DeterminizeConfig& config) = 0;
  // scores: [num_frames, num_pdfs()], row-major, finite natural-log likelihoods.
  // Throws std::runtime_error if no path through the graph is that long.
  virtual void Advance(const float* scores, size_t num_frames) = 0;
  // Best path to any state, final or not, by the tokens' costs; not after StartCompact.
  virtual RawPath Partial() = 0;
  // The words of the best path, those that were committed since the last call apart.
  virtual PathWords UpdateBestPath() = 0;
  // Frames of silence at the end of that path.
  virtual uint32_t TrailingSilence() = 0;
  // How much more the best path to a final state costs, its final cost included, than the best
  // path to any state; infinite if no final state is reached.
  virtual float FinalRelativeCost() = 0;
  // Whether a transition-id is one of a silence phone; for TrailingSilence.
  virtual void SetSilence(std::vector<uint8_t> is_silence) = 0;
  // Prunes with the final costs; if no final state was reached, all last states count as final.
  virtual RawLattice Finish() = 0;
  virtual CompactResult FinishCompact() = 0;
  // Memory of tokens, links and tables, used or kept for use, and of determinised parts.
  virtual SearchMemory Memory() const = 0;

  // Gives back what is needed only while other functions work, so that other searches can use it.
  virtual void Rest() {}

  size_t num_pdfs() const { return num_pdfs_; }
  size_t num_frames() const { return stats_.frames; }
  const SearchStats& stats() const { return stats_; }

 protected:
  explicit Search(size_t num_pdfs) : num_pdfs_(num_pdfs) {}

  SearchStats stats_;

 private:
  const size_t num_pdfs_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_SEARCH_SEARCH_H_
