#include "am/csrc/layers/pooling_layer.h"

#include <algorithm>
#include <cmath>

namespace inference {
namespace {

constexpr float kLeastVariance = 1e-4f;

}  // namespace

PoolingLayer::PoolingLayer(const Kernels& kernels, size_t inputs, size_t window, size_t prior)
    : kernels_(&kernels),
      inputs_(inputs),
      decay_(1.0f - 1.0f / static_cast<float>(window)),
      prior_(static_cast<float>(prior)) {}

LayerState PoolingLayer::MakeState(size_t streams) const {
  return {AlignedVector<float>(streams * state_size()), Activations(*kernels_, 0, 0, false)};
}

LayerScratch PoolingLayer::MakeScratch(size_t, size_t) const { return {}; }

void PoolingLayer::Load(const float* values, size_t i, LayerState* state) const {
  std::copy_n(values, state_size(), state->memory.data() + i * state_size());
}

void PoolingLayer::Save(const LayerState& state, size_t i, float* values) const {
  std::copy_n(state.memory.data() + i * state_size(), state_size(), values);
}

void PoolingLayer::Run(const BlockRows& rows, const BlockRows&, const Activations& x,
                       LayerState* state, LayerScratch*, Activations* out) const {
  for (size_t t = 0; t < rows.frames; ++t) {
    for (size_t i = 0; i < rows.streams(t); ++i) {
      const size_t row = rows.begin[t] + i;
      Pool(x.row(row), state->memory.data() + i * state_size(), out->row(row));
    }
  }
  out->Quantise(0, rows.rows());
}

// The next frame of a stream.
void PoolingLayer::Pool(const float* x, float* sums, float* out) const {
  const size_t size = inputs_;
  float* const first = sums;
  float* const second = sums + size;
  float* const count = sums + 2 * size;
  *count = decay_ * *count + 1.0f;
  const float share = 1.0f / (prior_ + *count);
  for (size_t d = 0; d < size; ++d) {
    first[d] = decay_ * first[d] + x[d];
    second[d] = decay_ * second[d] + x[d] * x[d];
    const float mean = first[d] * share;
    const float variance = (second[d] + prior_) * share - mean * mean;
    out[d] = x[d];
    out[size + d] = mean;
    out[2 * size + d] = std::sqrt(std::max(variance, kLeastVariance));
  }
}

}  // namespace inference
