#include "am/csrc/kernels/packed_matrix.h"

#include <algorithm>
#include <cmath>

namespace inference {

Activations::Activations(const Kernels& kernels, size_t rows, size_t stride, bool quantised)
    : kernels_(&kernels),
      stride_(stride),
      unit_stride_(stride / kernels.group),
      values_(rows * stride),
      units_(quantised ? rows * unit_stride_ : 0),
      scales_(quantised ? rows : 0) {
  for (size_t row = 0; row < rows; ++row) Clear(row);
}

void Activations::Quantise(size_t begin, size_t end) {
  if (units_.empty()) return;
  for (size_t i = begin; i < end; ++i) {
    kernels_->quantise(row(i), stride_, units_.data() + i * unit_stride_, &scales_[i]);
  }
}

void Activations::Copy(size_t to, const Activations& other, size_t from) {
  std::copy_n(other.row(from), stride_, row(to));
  if (units_.empty()) return;
  std::copy_n(other.units(from), unit_stride_, units_.data() + to * unit_stride_);
  scales_[to] = other.scales_[from];
}

void Activations::Clear(size_t i) {
  std::fill_n(row(i), stride_, 0.0f);
  Quantise(i, i + 1);
}

PackedMatrix::PackedMatrix(const Kernels& kernels, const MatrixView& weights,
                           const std::vector<size_t>& order, bool int8)
    : kernels_(&kernels),
      int8_(int8),
      panels_(order.size() / (kPanelVectors * kernels.lanes)),
      inputs_(weights.columns) {
  int8 ? PackInt8(weights, order) : PackFloats(weights, order);
}

void PackedMatrix::PackFloats(const MatrixView& weights, const std::vector<size_t>& order) {
  const size_t panel = kPanelVectors * kernels_->lanes;
  floats_.resize(order.size() * inputs_);
  for (size_t o = 0; o < order.size(); ++o) {
    if (order[o] == kNoRow) continue;
    const float* const row = weights.data + order[o] * inputs_;
    float* const to = floats_.data() + o / panel * panel * inputs_ + o % panel;
    for (size_t k = 0; k < inputs_; ++k) to[k * panel] = row[k];
  }
}

void PackedMatrix::PackInt8(const MatrixView& weights, const std::vector<size_t>& order) {
  const size_t panel = kPanelVectors * kernels_->lanes, group = kernels_->group;
  const size_t units = RoundUp(inputs_, group) / group;
  bytes_.resize(order.size() * units * group);
  start_.resize(order.size());
  scales_.resize(order.size());
  for (size_t o = 0; o < order.size(); ++o) {
    if (order[o] == kNoRow) continue;
    const float* const row = weights.data + order[o] * inputs_;
    float largest = 0;
    for (size_t k = 0; k < inputs_; ++k) largest = std::max(largest, std::abs(row[k]));
    // A row of zeros, or of numbers whose scale would not be a normal one, stays 0.
    if (largest < 1e-30f) continue;
    const float scale = largest / 127.0f;
    scales_[o] = scale;
    int8_t* const to = bytes_.data() + (o / panel * panel * units + o % panel) * group;
    int32_t sum = 0;
    for (size_t k = 0; k < inputs_; ++k) {
      const int value = static_cast<int>(std::nearbyint(row[k] / scale));
      to[k / group * panel * group + k % group] = static_cast<int8_t>(value);
      sum += value;
    }
    start_[o] = -kernels_->offset * sum;
  }
}

void PackedMatrix::Multiply(const Activations& x, size_t first, size_t rows, const float* initial,
                            size_t initial_stride, float* y, size_t y_stride) const {
  if (!int8_) {
    kernels_->multiply_float({floats_.data(), panels_, inputs_, x.row(first), x.stride(), rows,
                              initial, initial_stride, y, y_stride});
    return;
  }
  const size_t units = RoundUp(inputs_, kernels_->group) / kernels_->group;
  kernels_->multiply_int8({bytes_.data(), start_.data(), scales_.data(), panels_, units,
                           x.units(first), x.unit_stride(), x.scales() + first, rows, initial,
                           initial_stride, y, y_stride});
}

std::vector<size_t> PlainOrder(const Kernels& kernels, size_t rows) {
  std::vector<size_t> order(RoundUp(rows, kPanelVectors * kernels.lanes), PackedMatrix::kNoRow);
  for (size_t i = 0; i < rows; ++i) order[i] = i;
  return order;
}

}  // namespace inference
