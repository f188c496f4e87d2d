#include "am/csrc/layers/lstm_layer.h"

#include <algorithm>

namespace inference {
namespace {

// A panel holds the four gates of `lanes` cells, so that a cell's gates are near each other.
std::vector<size_t> GateOrder(const Kernels& kernels, size_t cells) {
  const size_t lanes = kernels.lanes, panels = RoundUp(cells, lanes) / lanes;
  std::vector<size_t> order;
  order.reserve(panels * kPanelVectors * lanes);
  for (size_t panel = 0; panel < panels; ++panel) {
    for (size_t gate = 0; gate < 4; ++gate) {
      for (size_t lane = 0; lane < lanes; ++lane) {
        const size_t cell = panel * lanes + lane;
        order.push_back(cell < cells ? gate * cells + cell : PackedMatrix::kNoRow);
      }
    }
  }
  return order;
}

AlignedVector<float> Padded(const float* values, size_t n, size_t padded) {
  AlignedVector<float> result(padded);
  if (values != nullptr) std::copy_n(values, n, result.begin());
  return result;
}

}  // namespace

LstmLayer::LstmLayer(const Kernels& kernels, const LstmTensors& tensors, float clip, bool int8,
                     bool int8_inputs)
    : kernels_(&kernels),
      cells_(tensors.w_r.rows / 4),
      cell_stride_(RoundUp(cells_, kernels.lanes)),
      outputs_(tensors.w_r.columns),
      clip_(clip),
      projects_(tensors.w_p.data != nullptr) {
  const std::vector<size_t> gates = GateOrder(kernels, cells_);
  w_x_ = PackedMatrix(kernels, tensors.w_x, gates, int8_inputs);
  w_r_ = PackedMatrix(kernels, tensors.w_r, gates, int8);
  if (projects_) {
    const std::vector<size_t> order = PlainOrder(kernels, tensors.w_p.rows);
    w_p_ = PackedMatrix(kernels, tensors.w_p, order, int8);
    zeros_.resize(order.size());
    output_stride_ = order.size();
  } else {
    output_stride_ = cell_stride_;
  }
  bias_.resize(gates.size());
  for (size_t i = 0; i < gates.size(); ++i) {
    if (gates[i] != PackedMatrix::kNoRow) bias_[i] = tensors.bias[gates[i]];
  }
  peep_i_ = Padded(tensors.peep_i, cells_, cell_stride_);
  peep_f_ = Padded(tensors.peep_f, cells_, cell_stride_);
  peep_o_ = Padded(tensors.peep_o, cells_, cell_stride_);
}

LayerState LstmLayer::MakeState(size_t streams) const {
  return {AlignedVector<float>(streams * cell_stride_),
          Activations(*kernels_, streams, output_stride_, w_r_.int8())};
}

LayerScratch LstmLayer::MakeScratch(size_t rows, size_t streams) const {
  LayerScratch scratch;
  scratch.floats.emplace_back(rows * w_r_.outputs());  // sums of the gates
  scratch.rows.emplace_back(*kernels_, projects_ ? streams : 0, cell_stride_, w_r_.int8());
  return scratch;
}

void LstmLayer::Load(const float* values, size_t i, LayerState* state) const {
  std::copy_n(values, cells_, state->memory.data() + i * cell_stride_);
  std::copy_n(values + cells_, outputs_, state->outputs.row(i));
  state->outputs.Quantise(i, i + 1);
}

void LstmLayer::Save(const LayerState& state, size_t i, float* values) const {
  std::copy_n(state.memory.data() + i * cell_stride_, cells_, values);
  std::copy_n(state.outputs.row(i), outputs_, values + cells_);
}

void LstmLayer::Run(const BlockRows& rows, const BlockRows&, const Activations& x,
                    LayerState* state, LayerScratch* scratch, Activations* out) const {
  const size_t stride = w_r_.outputs();
  float* const gates = scratch->floats[0].data();
  w_x_.Multiply(x, 0, rows.rows(), bias_.data(), 0, gates, stride);
  for (size_t t = 0; t < rows.frames; ++t) {
    const size_t streams = rows.streams(t), first = rows.begin[t];
    const Activations& r = t == 0 ? state->outputs : *out;
    const size_t r_first = t == 0 ? 0 : rows.begin[t - 1];
    Step(streams, r, r_first, gates + first * stride, state, scratch, out, first);
    const size_t staying = t + 1 < rows.frames ? rows.streams(t + 1) : 0;
    for (size_t i = staying; i < streams; ++i) state->outputs.Copy(i, *out, first + i);
  }
}

void LstmLayer::Step(size_t streams, const Activations& r, size_t r_first, float* gates,
                     LayerState* state, LayerScratch* scratch, Activations* out,
                     size_t out_first) const {
  const size_t stride = w_r_.outputs();
  w_r_.Multiply(r, r_first, streams, gates, stride, gates, stride);
  for (size_t i = 0; i < streams; ++i) {
    float* const m = projects_ ? scratch->rows[0].row(i) : out->row(out_first + i);
    kernels_->step_cells({gates + i * stride, cell_stride_ / kernels_->lanes, peep_i_.data(),
                          peep_f_.data(), peep_o_.data(), clip_,
                          state->memory.data() + i * cell_stride_, m});
  }
  if (projects_) {
    scratch->rows[0].Quantise(0, streams);
    w_p_.Multiply(scratch->rows[0], 0, streams, zeros_.data(), 0, out->row(out_first),
                  out->stride());
  }
  out->Quantise(out_first, out_first + streams);
}

}  // namespace inference
