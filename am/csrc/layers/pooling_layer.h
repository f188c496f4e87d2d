// Statistics of what a stream has had so far, beside its inputs.
#ifndef AM_CSRC_LAYERS_POOLING_LAYER_H_
#define AM_CSRC_LAYERS_POOLING_LAYER_H_

#include <cstddef>

#include "am/csrc/layers/layer.h"

namespace inference {

// Outputs: the inputs, their means, and their deviations, see PoolingOptions in am/nnet/layers.py.
class PoolingLayer : public Layer {
 public:
  PoolingLayer(const Kernels& kernels, size_t inputs, size_t window, size_t prior);

  size_t outputs() const override { return 3 * inputs_; }
  size_t output_stride() const override { return RoundUp(outputs(), kernels_->lanes); }
  // Of each stream the decaying sums of x [D] and of x^2 [D], and of 1.
  size_t state_size() const override { return 2 * inputs_ + 1; }

  LayerState MakeState(size_t streams) const override;
  LayerScratch MakeScratch(size_t rows, size_t streams) const override;
  void Load(const float* values, size_t i, LayerState* state) const override;
  void Save(const LayerState& state, size_t i, float* values) const override;
  void Run(const BlockRows& rows, const BlockRows&, const Activations& x, LayerState* state,
           LayerScratch* scratch, Activations* out) const override;

 private:
  void Pool(const float* x, float* sums, float* out) const;

  const Kernels* kernels_;
  size_t inputs_;
  float decay_;
  float prior_;
};

}  // namespace inference

#endif  // AM_CSRC_LAYERS_POOLING_LAYER_H_
