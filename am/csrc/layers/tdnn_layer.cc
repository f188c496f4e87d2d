#include "am/csrc/layers/tdnn_layer.h"

#include <algorithm>
#include <limits>

namespace inference {
namespace {

// Bias of the outputs that fill the last panel up: every activation turns it into 0.
constexpr float kNoOutput = -1e30f;

}  // namespace

TdnnLayer::TdnnLayer(const Kernels& kernels, const TdnnTensors& tensors, const TdnnShape& shape,
                     bool int8, bool int8_inputs)
    : kernels_(&kernels),
      outputs_(tensors.weight.rows),
      nonlinearity_(shape.nonlinearity),
      bypass_(shape.bypass),
      late_(shape.right * shape.dilation) {
  const auto add = [&](const MatrixView& weight, size_t taps, size_t dilation, size_t stride,
                       bool quantised) {
    factors_.push_back({PackedMatrix(kernels, weight, PlainOrder(kernels, weight.rows), quantised),
                        weight.columns / taps, taps, dilation, stride, (taps - 1) * dilation, 0});
  };
  if (tensors.linear.data != nullptr) {
    add(tensors.linear, shape.left + 1, shape.dilation, shape.stride, int8_inputs);
    // Its frames are the first factor's outputs. Without a right context it sees one of them.
    const size_t dilation = shape.right > 0 ? shape.dilation / shape.stride : 1;
    add(tensors.weight, shape.right + 1, dilation, 1, int8);
    zeros_.resize(factors_.front().weight.outputs());
  } else {
    add(tensors.weight, shape.left + 1 + shape.right, shape.dilation, shape.stride, int8_inputs);
  }
  if (bypass_ != 0.0f) {
    factors_.front().history = std::max(factors_.front().history, late_);
  }
  state_size_ = 0;
  for (Factor& factor : factors_) {
    factor.state_begin = state_size_;
    state_size_ += factor.history * factor.inputs;
  }
  bias_.assign(output_stride(), nonlinearity_ == Nonlinearity::kLinear ? 0.0f : kNoOutput);
  std::fill_n(bias_.begin(), outputs_, 0.0f);
  if (tensors.bias != nullptr) std::copy_n(tensors.bias, outputs_, bias_.begin());
  if (tensors.offset != nullptr) {
    offset_.resize(output_stride());
    std::copy_n(tensors.offset, outputs_, offset_.begin());
  }
}

LayerState TdnnLayer::MakeState(size_t streams) const {
  return {AlignedVector<float>(streams * state_size()), Activations(*kernels_, 0, 0, false)};
}

LayerScratch TdnnLayer::MakeScratch(size_t rows, size_t) const {
  LayerScratch scratch;
  for (const Factor& factor : factors_) {
    // A stream's earlier frames and its new ones.
    scratch.floats.emplace_back(factor.windowed() ? (factor.history + rows) * factor.inputs : 0);
  }
  scratch.floats.emplace_back(bypass_ != 0.0f ? rows * output_stride() : 0);  // what passes by
  for (const Factor& factor : factors_) {
    const size_t stride = RoundUp(factor.width(), kernels_->lanes);
    scratch.rows.emplace_back(*kernels_, factor.windowed() ? rows : 0, stride,
                              factor.weight.int8());
  }
  if (factors_.size() > 1) {
    const bool quantised = !factors_[1].windowed() && factors_[1].weight.int8();
    scratch.rows.emplace_back(*kernels_, rows, factors_[0].weight.outputs(), quantised);
  }
  return scratch;
}

void TdnnLayer::Load(const float* values, size_t i, LayerState* state) const {
  std::copy_n(values, state_size(), state->memory.data() + i * state_size());
}

void TdnnLayer::Save(const LayerState& state, size_t i, float* values) const {
  std::copy_n(state.memory.data() + i * state_size(), state_size(), values);
}

void TdnnLayer::Run(const BlockRows& in, const BlockRows& out_rows, const Activations& x,
                    LayerState* state, LayerScratch* scratch, Activations* out) const {
  const size_t count = out_rows.rows();
  const Activations* from = &x;
  for (size_t f = 0; f < factors_.size(); ++f) {
    const Factor& factor = factors_[f];
    const bool last = f + 1 == factors_.size();
    if (factor.windowed()) {
      MakeWindows(f, f == 0 ? in : out_rows, out_rows, *from, state, scratch);
      from = &scratch->rows[f];
    }
    Activations* const to = last ? out : &scratch->rows.back();
    factor.weight.Multiply(*from, 0, count, last ? bias_.data() : zeros_.data(), 0, to->row(0),
                           to->stride());
    if (!last) to->Quantise(0, count);
    from = to;
  }
  const size_t stride = out->stride(), size = count * stride;
  if (nonlinearity_ == Nonlinearity::kRelu) {
    kernels_->rectify(out->row(0), std::numeric_limits<float>::infinity(), size);
  }
  if (nonlinearity_ == Nonlinearity::kSigmoid) kernels_->sigmoid(out->row(0), size);
  if (!offset_.empty()) {
    for (size_t row = 0; row < count; ++row) {
      kernels_->add_scaled(offset_.data(), 1.0f, out->row(row), stride);
    }
  }
  if (bypass_ != 0.0f && factors_.front().windowed()) {
    kernels_->add_scaled(scratch->floats.back().data(), bypass_, out->row(0), size);
  } else if (bypass_ != 0.0f) {
    const size_t shared = std::min(x.stride(), stride);  // beyond the inputs both hold zeros
    for (size_t row = 0; row < count; ++row) {
      kernels_->add_scaled(x.row(row), bypass_, out->row(row), shared);
    }
  }
  out->Quantise(0, count);
}

// A stream's earlier frames and its new ones, one after the other, hold all windows.
void TdnnLayer::MakeWindows(size_t f, const BlockRows& in, const BlockRows& out_rows,
                            const Activations& x, LayerState* state, LayerScratch* scratch) const {
  const Factor& factor = factors_[f];
  const size_t inputs = factor.inputs, history = factor.history;
  float* const seen = scratch->floats[f].data();
  for (size_t i = 0; i < in.streams(0); ++i) {
    float* const memory = state->memory.data() + i * state_size() + factor.state_begin;
    std::copy_n(memory, history * inputs, seen);
    size_t frames = 0;
    for (; frames < in.frames && i < in.streams(frames); ++frames) {
      std::copy_n(x.row(in.begin[frames] + i), inputs, seen + (history + frames) * inputs);
    }
    const size_t oldest = (factor.taps - 1) * factor.dilation;  // before a window's newest frame
    for (size_t t = 0; t * factor.stride < frames; ++t) {
      const size_t row = out_rows.begin[t] + i;
      const size_t newest = history + (t + 1) * factor.stride - 1;
      float* const window = scratch->rows[f].row(row);
      for (size_t tap = 0; tap < factor.taps; ++tap) {
        const float* const frame = seen + (newest - oldest + tap * factor.dilation) * inputs;
        std::copy_n(frame, inputs, window + tap * inputs);
      }
      if (f == 0 && bypass_ != 0.0f) {
        std::copy_n(seen + (newest - late_) * inputs, inputs,
                    scratch->floats.back().data() + row * output_stride());
      }
    }
    std::copy_n(seen + frames * inputs, history * inputs, memory);
  }
  scratch->rows[f].Quantise(0, out_rows.rows());
}

}  // namespace inference
