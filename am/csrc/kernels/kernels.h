// The inner loops of inference, one table of them for each level of the processor's instructions.
//
// Every output element is the sum of its products in one order, that of the inputs: it does not
// depend on how many rows (frames, streams) are multiplied at once.
#ifndef AM_CSRC_KERNELS_KERNELS_H_
#define AM_CSRC_KERNELS_KERNELS_H_

#include <cstddef>
#include <cstdint>

namespace inference {

// Vectors in a panel: a panel of weights makes kPanelVectors * lanes outputs.
constexpr size_t kPanelVectors = 4;

// y[row] = initial[row] + W x[row]. `initial_stride` 0 gives every row the same (a bias).
struct FloatProduct {
  const float* weights;  // [panels][inputs][kPanelVectors * lanes]
  size_t panels;
  size_t inputs;
  const float* x;
  size_t x_stride;
  size_t rows;
  const float* initial;
  size_t initial_stride;
  float* y;
  size_t y_stride;
};

// y[row] = initial[row] + scales * x_scales[row] * (W q[row]), all integers exact.
struct Int8Product {
  const int8_t* weights;  // [panels][units][kPanelVectors * lanes][group]
  const int32_t* start;   // each output's sum starts here: it undoes the activations' offset
  const float* scales;
  size_t panels;
  size_t units;
  const uint32_t* x;  // quantised activations, `group` of them in each unit
  size_t x_stride;    // in units
  const float* x_scales;
  size_t rows;
  const float* initial;
  size_t initial_stride;
  float* y;
  size_t y_stride;
};

// One frame of one stream through an LSTM layer's cells, sums of the gates given.
struct CellStep {
  const float* gates;  // [panels][i, f, g, o][lanes]
  size_t panels;
  const float* peep_i;
  const float* peep_f;
  const float* peep_o;
  float clip;
  float* c;
  float* m;
};

// One frame of one stream through a GRU's units; see am/nnet/recurrent.py.
struct GruStep {
  const float* sums;    // of what comes from below: z, r, candidate, `stride` apart
  const float* before;  // of the outputs at the frame before, likewise
  size_t stride;
  size_t n;             // units, a multiple of `lanes`
  bool tanh;            // of candidates; otherwise a ReLU that ends at `clip`
  float clip;
  const float* h;       // outputs at the frame before
  float* result;
};

struct Kernels {
  const char* level;
  size_t lanes;
  size_t group;  // int8 weights of one output that meet one unit of activations
  int offset;    // of quantised activations: some instructions take them unsigned only
  void (*multiply_float)(const FloatProduct&);
  void (*multiply_int8)(const Int8Product&);
  void (*step_cells)(const CellStep&);
  void (*step_gru)(const GruStep&);
  // min(max(x, 0), limit) and 1 / (1 + exp(-x)) of x[n] in place, n a multiple of `lanes`.
  void (*rectify)(float* x, float limit, size_t n);
  void (*sigmoid)(float* x, size_t n);
  // y[n] += scale * x[n], n a multiple of `lanes`.
  void (*add_scaled)(const float* x, float scale, float* y, size_t n);
  // y[n] += w[n] * x[n], n a multiple of `lanes`.
  void (*add_products)(const float* w, const float* x, float* y, size_t n);
  // Quantises x[n], n a multiple of `lanes`, to integers of at most 127 times a scale.
  void (*quantise)(const float* x, size_t n, uint32_t* units, float* scale);
  // Largest of x[n], n a multiple of `lanes`, and the sum of exp(x - largest).
  void (*sum_exp)(const float* x, size_t n, float* largest, float* sum);
  // For tests of their accuracy; n a multiple of `lanes`.
  void (*functions)(const float* x, size_t n, float* exp, float* sigmoid, float* tanh);
};

const Kernels* PortableKernels();
const Kernels* Avx2Kernels();
const Kernels* Avx2VnniKernels();
const Kernels* Avx512Kernels();
const Kernels* Avx512VnniKernels();

}  // namespace inference

#endif  // AM_CSRC_KERNELS_KERNELS_H_
