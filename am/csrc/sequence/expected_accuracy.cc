#include "am/csrc/sequence/expected_accuracy.h"

#include <cmath>
#include <limits>

namespace sequence {
namespace {

// Paths as one: the log of their summed probability, and their mean accuracy.
void Join(double& log_prob, double& right, double other, double other_right) {
  if (other == kLogZero) return;
  const double sum = LogAdd(log_prob, other);
  right = (log_prob == kLogZero ? 0.0 : std::exp(log_prob - sum) * right) +
          std::exp(other - sum) * other_right;
  log_prob = sum;
}

}  // namespace

std::string Fault(const StateLatticeView& lattice, size_t outputs, size_t frames) {
  if (frames == 0) return lattice.arcs == 0 ? "" : "expected no arcs without frames";
  if (lattice.states == 0 || lattice.state_frames[0] != 0) return "expected a start at frame 0";
  for (size_t a = 0; a < lattice.arcs; ++a) {
    const int32_t source = lattice.sources[a], destination = lattice.destinations[a];
    const int32_t label = lattice.labels[a];
    const std::string where = "arc " + std::to_string(a) + ": ";
    if (source < 0 || destination <= source ||
        static_cast<size_t>(destination) >= lattice.states) {
      return where + "expected states in topological order";
    }
    if (a > 0 && source < lattice.sources[a - 1]) return where + "expected arcs sorted by source";
    if (label < -1 || label >= static_cast<int64_t>(outputs)) {
      return where + "expected a label below " + std::to_string(outputs) + ", found " +
             std::to_string(label);
    }
    const int32_t frame = lattice.state_frames[source];
    if (lattice.state_frames[destination] != frame + (label >= 0) || frame < 0 ||
        static_cast<size_t>(frame) + (label >= 0) > frames) {
      return where + "expected states one frame apart, within " + std::to_string(frames) +
             " frames";
    }
  }
  for (size_t i = 0; i < lattice.states; ++i) {
    if (lattice.finals[i] > -std::numeric_limits<float>::infinity() &&
        lattice.state_frames[i] != static_cast<int64_t>(frames)) {
      return "state " + std::to_string(i) + ": expected final states at frame " +
             std::to_string(frames);
    }
  }
  return "";
}

template <typename Real>
double ExpectedAccuracy::Run(const StateLatticeView& lattice, const Real* scores, size_t stride,
                             std::vector<LabelValue>& gradient) {
  gradient.clear();
  const auto score = [&](size_t a) {
    const int32_t label = lattice.labels[a];
    const double graph = static_cast<double>(lattice.log_probs[a]);
    if (label < 0) return graph;
    const size_t frame = static_cast<size_t>(lattice.state_frames[lattice.sources[a]]);
    return graph + static_cast<double>(scores[frame * stride + static_cast<size_t>(label)]);
  };
  const auto accuracy = [&](size_t a) { return static_cast<double>(lattice.accuracies[a]); };
  alpha_.assign(lattice.states, kLogZero);
  alpha_right_.assign(lattice.states, 0.0);
  alpha_[0] = 0.0;
  for (size_t a = 0; a < lattice.arcs; ++a) {
    const int32_t i = lattice.sources[a], j = lattice.destinations[a];
    if (alpha_[i] == kLogZero) continue;
    Join(alpha_[j], alpha_right_[j], alpha_[i] + score(a), alpha_right_[i] + accuracy(a));
  }
  beta_.resize(lattice.states);
  beta_right_.assign(lattice.states, 0.0);
  double total = kLogZero, mean = 0.0;
  for (size_t i = 0; i < lattice.states; ++i) {
    beta_[i] = static_cast<double>(lattice.finals[i]);
    if (beta_[i] == kLogZero || alpha_[i] == kLogZero) continue;
    Join(total, mean, alpha_[i] + beta_[i], alpha_right_[i]);
  }
  if (!std::isfinite(total)) return std::numeric_limits<double>::quiet_NaN();
  for (size_t a = lattice.arcs; a-- > 0;) {
    const int32_t i = lattice.sources[a], j = lattice.destinations[a];
    if (alpha_[i] == kLogZero || beta_[j] == kLogZero) continue;
    const double after = score(a) + beta_[j], after_right = accuracy(a) + beta_right_[j];
    Join(beta_[i], beta_right_[i], after, after_right);
    if (lattice.labels[a] < 0) continue;
    const double posterior = std::exp(alpha_[i] + after - total);
    gradient.push_back({static_cast<size_t>(lattice.state_frames[i]), lattice.labels[a],
                        posterior * (alpha_right_[i] + after_right - mean)});
  }
  AddUp(gradient);
  return mean;
}

template double ExpectedAccuracy::Run<float>(const StateLatticeView&, const float*, size_t,
                                             std::vector<LabelValue>&);
template double ExpectedAccuracy::Run<double>(const StateLatticeView&, const double*, size_t,
                                              std::vector<LabelValue>&);

}  // namespace sequence
