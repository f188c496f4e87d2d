#include "am/csrc/layers/lookahead_layer.h"

#include <algorithm>

namespace inference {

LookaheadLayer::LookaheadLayer(const Kernels& kernels, const MatrixView& weight)
    : kernels_(&kernels),
      inputs_(weight.rows),
      right_(weight.columns - 1),
      stride_(RoundUp(inputs_, kernels.lanes)),
      weight_(weight.columns * stride_) {
  for (size_t d = 0; d < inputs_; ++d) {
    for (size_t j = 0; j <= right_; ++j) {
      weight_[j * stride_ + d] = weight.data[d * weight.columns + j];
    }
  }
}

LayerState LookaheadLayer::MakeState(size_t streams) const {
  return {AlignedVector<float>(streams * right_ * stride_), Activations(*kernels_, 0, 0, false)};
}

LayerScratch LookaheadLayer::MakeScratch(size_t rows, size_t) const {
  LayerScratch scratch;
  scratch.floats.emplace_back((right_ + rows) * stride_);  // a stream's earlier and new frames
  return scratch;
}

void LookaheadLayer::Load(const float* values, size_t i, LayerState* state) const {
  float* const memory = state->memory.data() + i * right_ * stride_;
  for (size_t t = 0; t < right_; ++t) std::copy_n(values + t * inputs_, inputs_, memory + t * stride_);
}

void LookaheadLayer::Save(const LayerState& state, size_t i, float* values) const {
  const float* const memory = state.memory.data() + i * right_ * stride_;
  for (size_t t = 0; t < right_; ++t) std::copy_n(memory + t * stride_, inputs_, values + t * inputs_);
}

void LookaheadLayer::Run(const BlockRows& rows, const BlockRows&, const Activations& x,
                         LayerState* state, LayerScratch* scratch, Activations* out) const {
  float* const seen = scratch->floats[0].data();
  for (size_t i = 0; i < rows.streams(0); ++i) {
    float* const memory = state->memory.data() + i * right_ * stride_;
    std::copy_n(memory, right_ * stride_, seen);
    size_t frames = 0;
    for (; frames < rows.frames && i < rows.streams(frames); ++frames) {
      const size_t row = rows.begin[frames] + i;
      std::copy_n(x.row(row), inputs_, seen + (right_ + frames) * stride_);
      float* const sums = out->row(row);
      std::fill_n(sums, stride_, 0.0f);
      for (size_t j = 0; j <= right_; ++j) {
        kernels_->add_products(weight_.data() + j * stride_, seen + (frames + j) * stride_, sums,
                               stride_);
      }
    }
    std::copy_n(seen + frames * stride_, right_ * stride_, memory);
  }
  out->Quantise(0, rows.rows());
}

}  // namespace inference
