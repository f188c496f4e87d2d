#include "am/csrc/layers/dense_layer.h"

#include <algorithm>

namespace inference {
namespace {

// Bias of the outputs that fill the last panel up: every activation turns it into 0.
constexpr float kNoOutput = -1e30f;

}  // namespace

DenseLayer::DenseLayer(const Kernels& kernels, const DenseTensors& tensors,
                       Nonlinearity nonlinearity, size_t history, bool int8)
    : kernels_(&kernels),
      history_(history),
      inputs_(tensors.weight.columns / (history + 1)),
      outputs_(tensors.weight.rows),
      nonlinearity_(nonlinearity) {
  const std::vector<size_t> order = PlainOrder(kernels, outputs_);
  weight_ = PackedMatrix(kernels, tensors.weight, order, int8);
  bias_.assign(order.size(), nonlinearity == Nonlinearity::kLinear ? 0.0f : kNoOutput);
  std::fill_n(bias_.begin(), outputs_, 0.0f);
  if (tensors.bias != nullptr) std::copy_n(tensors.bias, outputs_, bias_.begin());
}

LayerState DenseLayer::MakeState(size_t streams) const {
  return {AlignedVector<float>(streams * state_size()), Activations(*kernels_, 0, 0, false)};
}

LayerScratch DenseLayer::MakeScratch(size_t rows, size_t) const {
  if (history_ == 0) return {{}, Activations(*kernels_, 0, 0, false)};
  const size_t stride = RoundUp((history_ + 1) * inputs_, kernels_->lanes);
  return {AlignedVector<float>((history_ + rows) * inputs_),
          Activations(*kernels_, rows, stride, weight_.int8())};
}

void DenseLayer::Load(const float* values, size_t i, LayerState* state) const {
  std::copy_n(values, state_size(), state->memory.data() + i * state_size());
}

void DenseLayer::Save(const LayerState& state, size_t i, float* values) const {
  std::copy_n(state.memory.data() + i * state_size(), state_size(), values);
}

void DenseLayer::Run(const BlockRows& rows, const Activations& x, LayerState* state,
                     LayerScratch* scratch, Activations* out) const {
  if (history_ > 0) MakeWindows(rows, x, state, scratch);
  const size_t count = rows.rows();
  weight_.Multiply(history_ > 0 ? scratch->rows : x, 0, count, bias_.data(), 0, out->row(0),
                   out->stride());
  const size_t size = count * out->stride();
  if (nonlinearity_ == Nonlinearity::kRelu) kernels_->rectify(out->row(0), size);
  if (nonlinearity_ == Nonlinearity::kSigmoid) kernels_->sigmoid(out->row(0), size);
  out->Quantise(0, count);
}

// A stream's earlier frames and its new ones, one after the other, hold all windows.
void DenseLayer::MakeWindows(const BlockRows& rows, const Activations& x, LayerState* state,
                             LayerScratch* scratch) const {
  float* const seen = scratch->floats.data();
  for (size_t i = 0; i < rows.streams(0); ++i) {
    float* const memory = state->memory.data() + i * state_size();
    std::copy_n(memory, state_size(), seen);
    size_t frames = 0;
    for (; frames < rows.frames && i < rows.streams(frames); ++frames) {
      const size_t row = rows.begin[frames] + i;
      std::copy_n(x.row(row), inputs_, seen + (history_ + frames) * inputs_);
      std::copy_n(seen + frames * inputs_, (history_ + 1) * inputs_, scratch->rows.row(row));
    }
    std::copy_n(seen + frames * inputs_, state_size(), memory);
  }
  scratch->rows.Quantise(0, rows.rows());
}

}  // namespace inference
