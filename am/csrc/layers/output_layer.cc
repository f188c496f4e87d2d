#include "am/csrc/layers/output_layer.h"

#include <algorithm>
#include <cmath>

namespace inference {
namespace {

// Of the logits that fill the last panel up: their exponentials vanish in every sum.
constexpr float kNoLogit = -1e30f;

}  // namespace

OutputLayer::OutputLayer(const Kernels& kernels, const MatrixView& weight, const float* bias,
                         bool int8)
    : kernels_(&kernels), outputs_(weight.rows) {
  const std::vector<size_t> order = PlainOrder(kernels, outputs_);
  weight_ = PackedMatrix(kernels, weight, order, int8);
  bias_.assign(order.size(), kNoLogit);
  std::copy_n(bias, outputs_, bias_.begin());
}

void OutputLayer::Multiply(const Activations& x, size_t rows, float* logits) const {
  weight_.Multiply(x, 0, rows, bias_.data(), 0, logits, stride());
}

void OutputLayer::LogSoftmax(const float* logits, float* result) const {
  float largest, sum;
  kernels_->sum_exp(logits, stride(), &largest, &sum);
  const float whole = largest + std::log(sum);
  for (size_t s = 0; s < outputs_; ++s) result[s] = logits[s] - whole;
}

}  // namespace inference
