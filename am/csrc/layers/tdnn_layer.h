// A fully connected layer over a window of frames, of one matrix or of two factors.
#ifndef AM_CSRC_LAYERS_TDNN_LAYER_H_
#define AM_CSRC_LAYERS_TDNN_LAYER_H_

#include <cstddef>
#include <vector>

#include "am/csrc/layers/layer.h"

namespace inference {

enum class Nonlinearity { kLinear, kRelu, kSigmoid };

// A layer's tensors as am/nnet/layers.py names them; null where the layer has none.
struct TdnnTensors {
  MatrixView linear;    // [B, (left + 1) * D], the oldest frame first
  MatrixView weight;    // [U, (left + 1 + right) * D], or [U, (right + 1) * B] of two factors
  const float* bias;    // [U]
  const float* offset;  // [U]
};

// What am/nnet/layers.py calls so.
struct TdnnShape {
  size_t left;
  size_t right;
  size_t dilation;
  size_t stride;
  Nonlinearity nonlinearity;
  float bypass;  // only where inputs and outputs are as many, with stride 1
};

class TdnnLayer : public Layer {
 public:
  // `int8_inputs`: the weights that meet the inputs are quantised too.
  TdnnLayer(const Kernels& kernels, const TdnnTensors& tensors, const TdnnShape& shape, bool int8,
            bool int8_inputs);

  size_t outputs() const override { return outputs_; }
  size_t output_stride() const override { return factors_.back().weight.outputs(); }
  size_t stride() const override { return factors_.front().stride; }
  // Of each stream the latest inputs, the oldest first, and then those of the second factor.
  size_t state_size() const override { return state_size_; }

  LayerState MakeState(size_t streams) const override;
  LayerScratch MakeScratch(size_t rows, size_t streams) const override;
  void Load(const float* values, size_t i, LayerState* state) const override;
  void Save(const LayerState& state, size_t i, float* values) const override;
  void Run(const BlockRows& in, const BlockRows& out_rows, const Activations& x, LayerState* state,
           LayerScratch* scratch, Activations* out) const override;

 private:
  // A matrix and the frames of its inputs that it sees at once.
  struct Factor {
    PackedMatrix weight;
    size_t inputs;    // of one frame
    size_t taps;      // frames of a window
    size_t dilation;  // from one of them to the next
    size_t stride;    // frames of inputs from one output to the next
    size_t history;   // earlier frames that are remembered
    size_t state_begin;

    // Otherwise the inputs are multiplied as they lie.
    bool windowed() const { return taps > 1 || stride > 1 || history > 0; }
    size_t width() const { return taps * inputs; }
  };

  void MakeWindows(size_t factor, const BlockRows& in, const BlockRows& out_rows,
                   const Activations& x, LayerState* state, LayerScratch* scratch) const;

  const Kernels* kernels_;
  size_t outputs_;
  Nonlinearity nonlinearity_;
  float bypass_;
  size_t late_;  // frames by which an output is later than the input that passes by
  std::vector<Factor> factors_;
  size_t state_size_;
  AlignedVector<float> zeros_;  // bias of the first of two factors
  AlignedVector<float> bias_;
  AlignedVector<float> offset_;  // empty for none
};

}  // namespace inference

#endif  // AM_CSRC_LAYERS_TDNN_LAYER_H_
