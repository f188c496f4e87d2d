// The softmax layer.
#ifndef AM_CSRC_LAYERS_OUTPUT_LAYER_H_
#define AM_CSRC_LAYERS_OUTPUT_LAYER_H_

#include <cstddef>

#include "am/csrc/kernels/packed_matrix.h"

namespace inference {

class OutputLayer {
 public:
  OutputLayer(const Kernels& kernels, const MatrixView& weight, const float* bias, bool int8);

  size_t outputs() const { return outputs_; }
  size_t stride() const { return weight_.outputs(); }

  // Logits [rows][stride] of the first rows of x.
  void Multiply(const Activations& x, size_t rows, float* logits) const;
  // Log posteriors [outputs] of one row of logits.
  void LogSoftmax(const float* logits, float* result) const;

 private:
  const Kernels* kernels_;
  size_t outputs_;
  PackedMatrix weight_;
  AlignedVector<float> bias_;
};

}  // namespace inference

#endif  // AM_CSRC_LAYERS_OUTPUT_LAYER_H_
