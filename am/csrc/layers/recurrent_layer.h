// A recurrent layer without memory cells: simple units with clipped ReLU, or GRU.
#ifndef AM_CSRC_LAYERS_RECURRENT_LAYER_H_
#define AM_CSRC_LAYERS_RECURRENT_LAYER_H_

#include <cstddef>

#include "am/csrc/layers/layer.h"

namespace inference {

enum class RecurrentKind { kRnn, kGruTanh, kGruRelu };

// A layer's tensors as am/nnet/recurrent.py names them, with G = 1 (RNN) or 3 (GRU) sums a unit.
struct RecurrentTensors {
  MatrixView w_x;     // [G U, D]
  MatrixView w_r;     // [G U, U]
  const float* bias;  // [G U]
};

class RecurrentLayer : public Layer {
 public:
  // `int8_inputs`: the input weights are quantised too.
  RecurrentLayer(const Kernels& kernels, const RecurrentTensors& tensors, RecurrentKind kind,
                 float clip, bool int8, bool int8_inputs);

  size_t outputs() const override { return units_; }
  size_t output_stride() const override { return output_stride_; }
  // Of each stream its latest outputs.
  size_t state_size() const override { return units_; }

  LayerState MakeState(size_t streams) const override;
  LayerScratch MakeScratch(size_t rows, size_t streams) const override;
  void Load(const float* values, size_t i, LayerState* state) const override;
  void Save(const LayerState& state, size_t i, float* values) const override;
  void Run(const BlockRows& rows, const BlockRows&, const Activations& x, LayerState* state,
           LayerScratch* scratch, Activations* out) const override;

 private:
  const Kernels* kernels_;
  RecurrentKind kind_;
  size_t units_;
  size_t gate_stride_;  // from one gate's sums to the next
  size_t output_stride_;
  float clip_;
  PackedMatrix w_x_;
  PackedMatrix w_r_;
  AlignedVector<float> bias_;
  AlignedVector<float> zeros_;
};

}  // namespace inference

#endif  // AM_CSRC_LAYERS_RECURRENT_LAYER_H_
