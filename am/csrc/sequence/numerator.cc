#include "am/csrc/sequence/numerator.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sequence {
namespace {

double LogSum(const double* values, size_t count) {
  double sum = kLogZero;
  for (size_t i = 0; i < count; ++i) sum = LogAdd(sum, values[i]);
  return sum;
}

}  // namespace

template <typename Real>
double Numerator::Run(const SupervisionView& graph, const Real* logits, size_t stride,
                      size_t frames, double* alphas, const double* finals,
                      std::vector<LabelValue>& posteriors) {
  posteriors.clear();
  const size_t states = graph.states;
  // The arcs of each frame: those that begin with it and those that still last.
  order_.resize(graph.arcs);
  std::iota(order_.begin(), order_.end(), size_t{0});
  std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) {
    return graph.first_frames[a] < graph.first_frames[b];
  });
  active_.clear();
  begin_.assign(1, 0);
  size_t next = 0;
  for (size_t t = 0; t < frames; ++t) {
    const size_t before = t == 0 ? 0 : begin_[t - 1];
    const size_t end = active_.size();
    for (size_t i = before; i < end; ++i) {
      const size_t arc = active_[i];
      if (graph.last_frames[arc] >= static_cast<int32_t>(t)) active_.push_back(arc);
    }
    for (; next < order_.size() && graph.first_frames[order_[next]] <= static_cast<int32_t>(t);
         ++next) {
      if (graph.last_frames[order_[next]] >= static_cast<int32_t>(t)) {
        active_.push_back(order_[next]);
      }
    }
    begin_.push_back(active_.size());
  }

  alpha_.assign((frames + 1) * states, kLogZero);
  std::copy_n(alphas, states, alpha_.begin());
  for (size_t t = 0; t < frames; ++t) {
    const double* const from = alpha_.data() + t * states;
    double* const to = alpha_.data() + (t + 1) * states;
    for (size_t i = begin_[t]; i < begin_[t + 1]; ++i) {
      const size_t arc = active_[i];
      const double before = from[graph.sources[arc]];
      if (before == kLogZero) continue;
      const double score = before + static_cast<double>(graph.log_probs[arc]) +
                           static_cast<double>(logits[t * stride + graph.labels[arc]]);
      to[graph.destinations[arc]] = LogAdd(to[graph.destinations[arc]], score);
    }
  }
  double* const last = alpha_.data() + frames * states;
  beta_.assign(finals, finals + states);
  for (size_t i = 0; i < states; ++i) alphas[i] = last[i] + finals[i];
  const double total = LogSum(alphas, states);
  if (!std::isfinite(total)) return total;
  for (size_t i = 0; i < states; ++i) alphas[i] -= total;

  for (size_t t = frames; t-- > 0;) {
    const double* const from = alpha_.data() + t * states;
    before_.assign(states, kLogZero);
    for (size_t i = begin_[t]; i < begin_[t + 1]; ++i) {
      const size_t arc = active_[i];
      const int32_t source = graph.sources[arc], label = graph.labels[arc];
      const double after = beta_[graph.destinations[arc]];
      if (from[source] == kLogZero || after == kLogZero) continue;
      const double score = after + static_cast<double>(graph.log_probs[arc]) +
                           static_cast<double>(logits[t * stride + label]);
      before_[source] = LogAdd(before_[source], score);
      posteriors.push_back({t, label, std::exp(from[source] + score - total)});
    }
    std::swap(beta_, before_);
  }
  AddUp(posteriors);
  return total;
}

template double Numerator::Run<float>(const SupervisionView&, const float*, size_t, size_t,
                                      double*, const double*, std::vector<LabelValue>&);
template double Numerator::Run<double>(const SupervisionView&, const double*, size_t, size_t,
                                       double*, const double*, std::vector<LabelValue>&);

}  // namespace sequence
