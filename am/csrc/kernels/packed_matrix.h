// A weight matrix in the order in which a level's kernels read it, in float32 or int8.
#ifndef AM_CSRC_KERNELS_PACKED_MATRIX_H_
#define AM_CSRC_KERNELS_PACKED_MATRIX_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "am/csrc/kernels/kernels.h"
#include "data/csrc/aligned_vector.h"

namespace inference {

using arrays::AlignedVector;
using arrays::RoundUp;

// Row-major weights as they come from Python; the pointer is only read while packing.
struct MatrixView {
  const float* data;
  size_t rows;
  size_t columns;
};

// Rows of activations of one width: floats, and their quantised form where int8 weights meet them.
// Widths are rounded up; the values beyond are 0.
class Activations {
 public:
  Activations(const Kernels& kernels, size_t rows, size_t stride, bool quantised);

  size_t stride() const { return stride_; }
  size_t unit_stride() const { return unit_stride_; }
  float* row(size_t i) { return values_.data() + i * stride_; }
  const float* row(size_t i) const { return values_.data() + i * stride_; }
  const uint32_t* units(size_t i) const { return units_.data() + i * unit_stride_; }
  const float* scales() const { return scales_.data(); }

  // Makes the quantised form of rows [begin, end), if one is wanted.
  void Quantise(size_t begin, size_t end);
  // Row `to` becomes what row `from` of another of the same shape is.
  void Copy(size_t to, const Activations& other, size_t from);
  void Clear(size_t row);

 private:
  const Kernels* kernels_;
  size_t stride_;
  size_t unit_stride_;
  AlignedVector<float> values_;
  AlignedVector<uint32_t> units_;  // empty where no quantised form is wanted
  AlignedVector<float> scales_;
};

class PackedMatrix {
 public:
  static constexpr size_t kNoRow = static_cast<size_t>(-1);

  PackedMatrix() = default;
  // Output o of the packed matrix is row order[o] of the weights, 0 where that is kNoRow; the
  // order's length is a multiple of a panel.
  PackedMatrix(const Kernels& kernels, const MatrixView& weights, const std::vector<size_t>& order,
               bool int8);

  bool int8() const { return int8_; }
  size_t outputs() const { return panels_ * kPanelVectors * kernels_->lanes; }

  // y[i] = initial[i] + W x[first + i] for `rows` rows; stride 0: the same for every row.
  void Multiply(const Activations& x, size_t first, size_t rows, const float* initial,
                size_t initial_stride, float* y, size_t y_stride) const;

 private:
  void PackFloats(const MatrixView& weights, const std::vector<size_t>& order);
  void PackInt8(const MatrixView& weights, const std::vector<size_t>& order);

  const Kernels* kernels_ = nullptr;
  bool int8_ = false;
  size_t panels_ = 0;
  size_t inputs_ = 0;
  AlignedVector<float> floats_;
  AlignedVector<int8_t> bytes_;
  AlignedVector<int32_t> start_;
  AlignedVector<float> scales_;
};

// Rows 0, 1, ... in their own order, filled up to a whole panel.
std::vector<size_t> PlainOrder(const Kernels& kernels, size_t rows);

}  // namespace inference

#endif  // AM_CSRC_KERNELS_PACKED_MATRIX_H_
