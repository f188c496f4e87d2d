// Viterbi alignment of one utterance against the graph of its transcript.
#ifndef DECODING_CSRC_ALIGN_H_
#define DECODING_CSRC_ALIGN_H_

#include <cstdint>
#include <vector>

namespace decoding {

// A graph whose nodes emit. Being at node n in a frame means that the frame was emitted by n's
// HMM state: either on entering n (an arc, or a start) or on staying in it (the loop). All scores
// are natural logs, higher is better; -inf forbids. No arc leads from a node to itself.
struct AlignGraph {
  int32_t num_nodes = 0;
  const int32_t* columns = nullptr;        // [N] column of the node in the log-likelihoods
  const float* loop_log_probs = nullptr;   // [N]
  const float* final_log_probs = nullptr;  // [N]
  const int64_t* offsets = nullptr;        // [N + 1] arcs of n: offsets[n] .. offsets[n + 1]
  const int32_t* targets = nullptr;        // [A]
  const float* arc_log_probs = nullptr;    // [A]
  int32_t num_starts = 0;
  const int32_t* starts = nullptr;          // [S]
  const float* start_log_probs = nullptr;   // [S]
};

struct Alignment {
  std::vector<int32_t> nodes;  // one a frame; empty where no path reached a final node
  double log_prob = 0.0;       // of the path: scale * acoustic + graph
};

// Best path over log_likelihoods [num_frames, num_columns] (row-major), each multiplied by scale.
// States worse than the best of their frame by more than beam are dropped.
Alignment Align(const AlignGraph& graph, const float* log_likelihoods, int64_t num_frames,
                int64_t num_columns, double scale, double beam);

}  // namespace decoding

#endif  // DECODING_CSRC_ALIGN_H_
