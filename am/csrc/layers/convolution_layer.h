// A convolution over time, or over time and frequency, with clipped ReLU.
#ifndef AM_CSRC_LAYERS_CONVOLUTION_LAYER_H_
#define AM_CSRC_LAYERS_CONVOLUTION_LAYER_H_

#include <cstddef>

#include "am/csrc/layers/layer.h"

namespace inference {

// What ConvolutionOptions of am/nnet/convolution.py calls so. Inputs are [bins][maps] of a frame.
struct ConvolutionShape {
  size_t window;  // frames: left, the one in the middle, right
  size_t stride;
  size_t height;  // bins that a filter sees, never 0
  size_t bins;    // of the inputs
  size_t maps;
  size_t frequency_stride;
  size_t padding_low;   // bins of zeros below the lowest
  size_t padding_high;  // and above the highest
  size_t output_bins;
  float clip;
};

class ConvolutionLayer : public Layer {
 public:
  // `weight` [filters][window * height * maps], `bias` [filters].
  ConvolutionLayer(const Kernels& kernels, const MatrixView& weight, const float* bias,
                   const ConvolutionShape& shape, bool int8);

  size_t outputs() const override { return filters_ * shape_.output_bins; }
  size_t output_stride() const override { return RoundUp(outputs(), kernels_->lanes); }
  size_t stride() const override { return shape_.stride; }
  // Of each stream the latest inputs, the oldest first.
  size_t state_size() const override { return history() * inputs(); }

  LayerState MakeState(size_t streams) const override;
  LayerScratch MakeScratch(size_t rows, size_t streams) const override;
  void Load(const float* values, size_t i, LayerState* state) const override;
  void Save(const LayerState& state, size_t i, float* values) const override;
  void Run(const BlockRows& in, const BlockRows& out_rows, const Activations& x, LayerState* state,
           LayerScratch* scratch, Activations* out) const override;

 private:
  size_t inputs() const { return shape_.bins * shape_.maps; }
  size_t history() const { return shape_.window - 1; }
  // Values of a frame with the zeros below and above.
  size_t padded() const {
    return (shape_.padding_low + shape_.bins + shape_.padding_high) * shape_.maps;
  }
  void MakeWindows(const BlockRows& in, const BlockRows& out_rows, const Activations& x,
                   LayerState* state, LayerScratch* scratch) const;

  const Kernels* kernels_;
  size_t filters_;
  ConvolutionShape shape_;
  PackedMatrix weight_;
  AlignedVector<float> bias_;
};

}  // namespace inference

#endif  // AM_CSRC_LAYERS_CONVOLUTION_LAYER_H_
