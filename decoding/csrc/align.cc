#include "align.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace decoding {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

struct Active {
  int32_t node;
  int64_t token;  // index into the trace
  double score;
};

struct Trace {
  int32_t node;
  int64_t previous;  // index into the trace, -1 at the first frame
};

// The states of one frame while they are being reached.
class Frontier {
 public:
  explicit Frontier(int32_t num_nodes) : slots_(static_cast<std::size_t>(num_nodes), -1) {}

  void Reach(int32_t node, double score, int64_t from) {
    if (!(score > kImpossible)) return;  // also refuses NaN
    int32_t& slot = slots_[static_cast<std::size_t>(node)];
    if (slot < 0) {
      slot = static_cast<int32_t>(states_.size());
      states_.push_back({node, from, score});
    } else if (score > states_[static_cast<std::size_t>(slot)].score) {
      states_[static_cast<std::size_t>(slot)] = {node, from, score};
    }
  }

  // Adds the frame's acoustic scores, drops what falls out of the beam, records the rest in the
  // trace and hands it over as the active states; the frontier is then empty again.
  void Emit(const AlignGraph& graph, const float* row, double scale, double beam,
            std::vector<Trace>* trace, std::vector<Active>* active) {
    double best = kImpossible;
    for (Active& state : states_) {
      slots_[static_cast<std::size_t>(state.node)] = -1;
      state.score += scale * static_cast<double>(row[graph.columns[state.node]]);
      if (state.score > best) best = state.score;
    }
    active->clear();
    for (const Active& state : states_) {
      // Written so that NaN and -inf fall out as well.
      if (!(state.score >= best - beam) || !(state.score > kImpossible)) continue;
      active->push_back({state.node, static_cast<int64_t>(trace->size()), state.score});
      trace->push_back({state.node, state.token});
    }
    states_.clear();
  }

 private:
  std::vector<int32_t> slots_;  // node -> index in states_, -1 where not reached
  std::vector<Active> states_;
};

}  // namespace

Alignment Align(const AlignGraph& graph, const float* log_likelihoods, int64_t num_frames,
                int64_t num_columns, double scale, double beam) {
  Alignment result;
  result.log_prob = kImpossible;
  if (num_frames <= 0) return result;

  Frontier frontier(graph.num_nodes);
  std::vector<Trace> trace;
  std::vector<Active> active;
  for (int32_t s = 0; s < graph.num_starts; ++s) {
    frontier.Reach(graph.starts[s], static_cast<double>(graph.start_log_probs[s]), -1);
  }
  frontier.Emit(graph, log_likelihoods, scale, beam, &trace, &active);
  for (int64_t t = 1; t < num_frames; ++t) {
    for (const Active& state : active) {
      const int32_t n = state.node;
      frontier.Reach(n, state.score + static_cast<double>(graph.loop_log_probs[n]), state.token);
      for (int64_t a = graph.offsets[n]; a < graph.offsets[n + 1]; ++a) {
        frontier.Reach(graph.targets[a],
                       state.score + static_cast<double>(graph.arc_log_probs[a]), state.token);
      }
    }
    frontier.Emit(graph, log_likelihoods + t * num_columns, scale, beam, &trace, &active);
    if (active.empty()) return result;
  }

  int64_t token = -1;
  for (const Active& state : active) {
    const double score =
        state.score + static_cast<double>(graph.final_log_probs[state.node]);
    if (score > result.log_prob) {
      result.log_prob = score;
      token = state.token;
    }
  }
  if (token < 0) return result;
  result.nodes.resize(static_cast<std::size_t>(num_frames));
  for (auto it = result.nodes.rbegin(); it != result.nodes.rend(); ++it) {
    const Trace& step = trace[static_cast<std::size_t>(token)];
    *it = step.node;
    token = step.previous;
  }
  return result;
}

}  // namespace decoding
