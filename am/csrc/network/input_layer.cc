#include "am/csrc/network/input_layer.h"

#include <utility>

namespace inference {

InputLayer::InputLayer(std::vector<float> mean, std::vector<float> inv_std, size_t window,
                       size_t prior)
    : mean_(std::move(mean)),
      inv_std_(std::move(inv_std)),
      window_(window),
      decay_(window > 0 ? 1.0f - 1.0f / static_cast<float>(window) : 0.0f),
      prior_(static_cast<float>(prior)),
      prior_leaves_(window > 0 ? prior_ / static_cast<float>(window) : 0.0f) {}

void InputLayer::Run(const float* frame, float* state, float* result) const {
  const size_t size = mean_.size();
  if (window_ == 0) {
    for (size_t d = 0; d < size; ++d) result[d] = (frame[d] - mean_[d]) * inv_std_[d];
    return;
  }
  // The state is the running mean, as a deviation from the mean of the training features, and by
  // how much the sum of the weights exceeds the prior's. That sum n grows to decay * n + 1 and the
  // running mean m moves to m + (x - m) / n.
  float* const excess = state + size;
  *excess = decay_ * *excess + (1.0f - prior_leaves_);
  const float share = 1.0f / (prior_ + *excess);
  for (size_t d = 0; d < size; ++d) {
    const float x = frame[d] - mean_[d];
    state[d] += (x - state[d]) * share;
    result[d] = (x - state[d]) * inv_std_[d];
  }
}

}  // namespace inference
