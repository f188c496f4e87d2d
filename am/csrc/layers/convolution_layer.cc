#include "am/csrc/layers/convolution_layer.h"

#include <algorithm>

namespace inference {

ConvolutionLayer::ConvolutionLayer(const Kernels& kernels, const MatrixView& weight,
                                   const float* bias, const ConvolutionShape& shape, bool int8)
    : kernels_(&kernels),
      filters_(weight.rows),
      shape_(shape),
      weight_(kernels, weight, PlainOrder(kernels, weight.rows), int8),
      bias_(weight_.outputs()) {
  std::copy_n(bias, filters_, bias_.begin());
}

LayerState ConvolutionLayer::MakeState(size_t streams) const {
  return {AlignedVector<float>(streams * state_size()), Activations(*kernels_, 0, 0, false)};
}

LayerScratch ConvolutionLayer::MakeScratch(size_t rows, size_t) const {
  const size_t windows = RoundUp(rows, shape_.stride) / shape_.stride * shape_.output_bins;
  const size_t width = shape_.window * shape_.height * shape_.maps;
  LayerScratch scratch;
  // A stream's earlier frames and its new ones. What lies between their bins stays 0.
  scratch.floats.emplace_back((history() + rows) * padded());
  scratch.floats.emplace_back(windows * weight_.outputs());
  scratch.rows.emplace_back(*kernels_, windows, RoundUp(width, kernels_->lanes), weight_.int8());
  return scratch;
}

void ConvolutionLayer::Load(const float* values, size_t i, LayerState* state) const {
  std::copy_n(values, state_size(), state->memory.data() + i * state_size());
}

void ConvolutionLayer::Save(const LayerState& state, size_t i, float* values) const {
  std::copy_n(state.memory.data() + i * state_size(), state_size(), values);
}

void ConvolutionLayer::Run(const BlockRows& in, const BlockRows& out_rows, const Activations& x,
                           LayerState* state, LayerScratch* scratch, Activations* out) const {
  MakeWindows(in, out_rows, x, state, scratch);
  const size_t bins = shape_.output_bins, windows = out_rows.rows() * bins;
  const size_t stride = weight_.outputs();
  float* const sums = scratch->floats[1].data();
  weight_.Multiply(scratch->rows[0], 0, windows, bias_.data(), 0, sums, stride);
  kernels_->rectify(sums, shape_.clip, windows * stride);
  for (size_t row = 0; row < out_rows.rows(); ++row) {
    for (size_t bin = 0; bin < bins; ++bin) {
      std::copy_n(sums + (row * bins + bin) * stride, filters_, out->row(row) + bin * filters_);
    }
  }
  out->Quantise(0, out_rows.rows());
}

// What a filter sees at each output frame and bin: of each frame of its window some bins, which
// lie together.
void ConvolutionLayer::MakeWindows(const BlockRows& in, const BlockRows& out_rows,
                                   const Activations& x, LayerState* state,
                                   LayerScratch* scratch) const {
  const size_t size = padded(), low = shape_.padding_low * shape_.maps;
  const size_t seen_values = shape_.height * shape_.maps;
  const size_t step = shape_.frequency_stride * shape_.maps;
  float* const seen = scratch->floats[0].data();
  for (size_t i = 0; i < in.streams(0); ++i) {
    float* const memory = state->memory.data() + i * state_size();
    for (size_t t = 0; t < history(); ++t) {
      std::copy_n(memory + t * inputs(), inputs(), seen + t * size + low);
    }
    size_t frames = 0;
    for (; frames < in.frames && i < in.streams(frames); ++frames) {
      std::copy_n(x.row(in.begin[frames] + i), inputs(), seen + (history() + frames) * size + low);
    }
    for (size_t t = 0; t * shape_.stride < frames; ++t) {
      const float* const oldest = seen + ((t + 1) * shape_.stride - 1) * size;
      for (size_t bin = 0; bin < shape_.output_bins; ++bin) {
        const size_t row = (out_rows.begin[t] + i) * shape_.output_bins + bin;
        float* to = scratch->rows[0].row(row);
        for (size_t frame = 0; frame < shape_.window; ++frame) {
          to = std::copy_n(oldest + frame * size + bin * step, seen_values, to);
        }
      }
    }
    for (size_t t = 0; t < history(); ++t) {
      std::copy_n(seen + (frames + t) * size + low, inputs(), memory + t * inputs());
    }
  }
  scratch->rows[0].Quantise(0, out_rows.rows() * shape_.output_bins);
}

}  // namespace inference
