// Weighted sums of each input over the present frame and some to come.
#ifndef AM_CSRC_LAYERS_LOOKAHEAD_LAYER_H_
#define AM_CSRC_LAYERS_LOOKAHEAD_LAYER_H_

#include <cstddef>

#include "am/csrc/layers/layer.h"

namespace inference {

// See LookaheadOptions in am/nnet/convolution.py. Its products stay float32.
class LookaheadLayer : public Layer {
 public:
  // `weight` [inputs][right + 1], the present frame first.
  LookaheadLayer(const Kernels& kernels, const MatrixView& weight);

  size_t outputs() const override { return inputs_; }
  size_t output_stride() const override { return stride_; }
  // Of each stream the latest inputs, the oldest first.
  size_t state_size() const override { return right_ * inputs_; }

  LayerState MakeState(size_t streams) const override;
  LayerScratch MakeScratch(size_t rows, size_t streams) const override;
  void Load(const float* values, size_t i, LayerState* state) const override;
  void Save(const LayerState& state, size_t i, float* values) const override;
  void Run(const BlockRows& rows, const BlockRows&, const Activations& x, LayerState* state,
           LayerScratch* scratch, Activations* out) const override;

 private:
  const Kernels* kernels_;
  size_t inputs_;
  size_t right_;
  size_t stride_;
  AlignedVector<float> weight_;  // [right + 1][stride]
};

}  // namespace inference

#endif  // AM_CSRC_LAYERS_LOOKAHEAD_LAYER_H_
