// One fully connected layer; the lowest one sees a window of frames at once.
#ifndef AM_CSRC_LAYERS_DENSE_LAYER_H_
#define AM_CSRC_LAYERS_DENSE_LAYER_H_

#include <cstddef>

#include "am/csrc/layers/layer.h"

namespace inference {

enum class Nonlinearity { kLinear, kRelu, kSigmoid };

// A layer's tensors as am/nnet/options.py names them.
struct DenseTensors {
  MatrixView weight;  // [C, frames of the window * D], the oldest frame first
  const float* bias;  // [C], null for none
};

class DenseLayer : public Layer {
 public:
  // `history`: earlier frames that the window holds beside the newest one; they are the state.
  DenseLayer(const Kernels& kernels, const DenseTensors& tensors, Nonlinearity nonlinearity,
             size_t history, bool int8);

  size_t outputs() const override { return outputs_; }
  size_t output_stride() const override { return weight_.outputs(); }
  size_t state_size() const override { return history_ * inputs_; }

  LayerState MakeState(size_t streams) const override;
  LayerScratch MakeScratch(size_t rows, size_t streams) const override;
  void Load(const float* values, size_t i, LayerState* state) const override;
  void Save(const LayerState& state, size_t i, float* values) const override;
  void Run(const BlockRows& rows, const Activations& x, LayerState* state, LayerScratch* scratch,
           Activations* out) const override;

 private:
  void MakeWindows(const BlockRows& rows, const Activations& x, LayerState* state,
                   LayerScratch* scratch) const;

  const Kernels* kernels_;
  size_t history_;
  size_t inputs_;  // of one frame
  size_t outputs_;
  Nonlinearity nonlinearity_;
  PackedMatrix weight_;
  AlignedVector<float> bias_;
};

}  // namespace inference

#endif  // AM_CSRC_LAYERS_DENSE_LAYER_H_
