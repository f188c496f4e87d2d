// One LSTM layer, with or without peepholes and projection, over blocks of frames of many streams.
//
// H. Sak, A. Senior, F. Beaufays, "Long short-term memory recurrent neural network architectures
// for large scale acoustic modeling", Interspeech 2014, section 2.
#ifndef AM_CSRC_LAYERS_LSTM_LAYER_H_
#define AM_CSRC_LAYERS_LSTM_LAYER_H_

#include <cstddef>

#include "am/csrc/layers/layer.h"

namespace inference {

// A layer's tensors as am/nnet/options.py names them; null where the network has none.
struct LstmTensors {
  MatrixView w_x;     // [4C, D], gate rows in the order i, f, g, o
  MatrixView w_r;     // [4C, P]
  const float* bias;  // [4C]
  const float* peep_i;
  const float* peep_f;
  const float* peep_o;  // [C] each
  MatrixView w_p;       // [P, C]
};

class LstmLayer : public Layer {
 public:
  // `int8_inputs`: the input weights are quantised too.
  LstmLayer(const Kernels& kernels, const LstmTensors& tensors, float clip, bool int8,
            bool int8_inputs);

  size_t outputs() const override { return outputs_; }
  size_t output_stride() const override { return output_stride_; }
  // Of each stream c [C], then r [P].
  size_t state_size() const override { return cells_ + outputs_; }

  LayerState MakeState(size_t streams) const override;
  LayerScratch MakeScratch(size_t rows, size_t streams) const override;
  void Load(const float* values, size_t i, LayerState* state) const override;
  void Save(const LayerState& state, size_t i, float* values) const override;
  void Run(const BlockRows& rows, const BlockRows&, const Activations& x, LayerState* state,
           LayerScratch* scratch, Activations* out) const override;

 private:
  void Step(size_t streams, const Activations& r, size_t r_first, float* gates,
            LayerState* state, LayerScratch* scratch, Activations* out, size_t out_first) const;

  const Kernels* kernels_;
  size_t cells_;
  size_t cell_stride_;
  size_t outputs_;
  size_t output_stride_;
  float clip_;
  bool projects_;
  PackedMatrix w_x_;
  PackedMatrix w_r_;
  PackedMatrix w_p_;
  AlignedVector<float> bias_;
  AlignedVector<float> peep_i_;
  AlignedVector<float> peep_f_;
  AlignedVector<float> peep_o_;
  AlignedVector<float> zeros_;
};

}  // namespace inference

#endif  // AM_CSRC_LAYERS_LSTM_LAYER_H_
