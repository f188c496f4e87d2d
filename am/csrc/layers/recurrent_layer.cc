#include "am/csrc/layers/recurrent_layer.h"

#include <algorithm>

namespace inference {
namespace {

// Each gate's rows begin at a whole vector.
std::vector<size_t> GateOrder(const Kernels& kernels, size_t gates, size_t units) {
  const size_t stride = RoundUp(units, kernels.lanes);
  std::vector<size_t> order(RoundUp(gates * stride, kPanelVectors * kernels.lanes),
                            PackedMatrix::kNoRow);
  for (size_t gate = 0; gate < gates; ++gate) {
    for (size_t unit = 0; unit < units; ++unit) order[gate * stride + unit] = gate * units + unit;
  }
  return order;
}

}  // namespace

RecurrentLayer::RecurrentLayer(const Kernels& kernels, const RecurrentTensors& tensors,
                               RecurrentKind kind, float clip, bool int8, bool int8_inputs)
    : kernels_(&kernels),
      kind_(kind),
      units_(tensors.w_r.columns),
      gate_stride_(RoundUp(units_, kernels.lanes)),
      clip_(clip) {
  const std::vector<size_t> order = GateOrder(kernels, tensors.w_r.rows / units_, units_);
  w_x_ = PackedMatrix(kernels, tensors.w_x, order, int8_inputs);
  w_r_ = PackedMatrix(kernels, tensors.w_r, order, int8);
  bias_.resize(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] != PackedMatrix::kNoRow) bias_[i] = tensors.bias[order[i]];
  }
  zeros_.resize(order.size());
  // Sums of simple units become outputs where they lie, with what fills their last panel up.
  output_stride_ = kind == RecurrentKind::kRnn ? order.size() : gate_stride_;
}

LayerState RecurrentLayer::MakeState(size_t streams) const {
  return {AlignedVector<float>(), Activations(*kernels_, streams, output_stride_, w_r_.int8())};
}

LayerScratch RecurrentLayer::MakeScratch(size_t rows, size_t streams) const {
  LayerScratch scratch;
  scratch.floats.emplace_back(rows * w_x_.outputs());  // sums of what comes from below
  const bool gated = kind_ != RecurrentKind::kRnn;
  scratch.floats.emplace_back(gated ? streams * w_r_.outputs() : 0);  // and of what was before
  return scratch;
}

void RecurrentLayer::Load(const float* values, size_t i, LayerState* state) const {
  std::copy_n(values, units_, state->outputs.row(i));
  state->outputs.Quantise(i, i + 1);
}

void RecurrentLayer::Save(const LayerState& state, size_t i, float* values) const {
  std::copy_n(state.outputs.row(i), units_, values);
}

void RecurrentLayer::Run(const BlockRows& rows, const BlockRows&, const Activations& x,
                         LayerState* state, LayerScratch* scratch, Activations* out) const {
  const size_t stride = w_x_.outputs();
  float* const sums = scratch->floats[0].data();
  float* const before = scratch->floats[1].data();
  w_x_.Multiply(x, 0, rows.rows(), bias_.data(), 0, sums, stride);
  for (size_t t = 0; t < rows.frames; ++t) {
    const size_t streams = rows.streams(t), first = rows.begin[t];
    const Activations& h = t == 0 ? state->outputs : *out;
    const size_t h_first = t == 0 ? 0 : rows.begin[t - 1];
    float* const own = sums + first * stride;
    if (kind_ == RecurrentKind::kRnn) {
      w_r_.Multiply(h, h_first, streams, own, stride, out->row(first), out->stride());
      kernels_->rectify(out->row(first), clip_, streams * out->stride());
    } else {
      w_r_.Multiply(h, h_first, streams, zeros_.data(), 0, before, stride);
      for (size_t i = 0; i < streams; ++i) {
        kernels_->step_gru({own + i * stride, before + i * stride, gate_stride_, gate_stride_,
                            kind_ == RecurrentKind::kGruTanh, clip_, h.row(h_first + i),
                            out->row(first + i)});
      }
    }
    out->Quantise(first, first + streams);
    const size_t staying = t + 1 < rows.frames ? rows.streams(t + 1) : 0;
    for (size_t i = staying; i < streams; ++i) state->outputs.Copy(i, *out, first + i);
  }
}

}  // namespace inference
