// One LSTM layer, with or without peepholes and projection, over blocks of frames of many streams.
//
// H. Sak, A. Senior, F. Beaufays, "Long short-term memory recurrent neural network architectures
// for large scale acoustic modeling", Interspeech 2014, section 2.
#ifndef AM_CSRC_LSTM_LAYER_H_
#define AM_CSRC_LSTM_LAYER_H_

#include <cstddef>
#include <vector>

#include "am/csrc/packed_matrix.h"

namespace inference {

// A layer's tensors as am/network_file.py names them; null where the network has none.
struct LstmTensors {
  MatrixView w_x;     // [4C, D], gate rows in the order i, f, g, o
  MatrixView w_r;     // [4C, P]
  const float* bias;  // [4C]
  const float* peep_i;
  const float* peep_f;
  const float* peep_o;  // [C] each
  MatrixView w_p;       // [P, C]
};

// Frames of streams, longest stream first: at each frame the streams that are still there are the
// first ones, and their rows lie together.
struct BlockRows {
  const size_t* begin;  // [frames + 1] first row of each frame, from 0
  size_t frames;

  size_t streams(size_t frame) const { return begin[frame + 1] - begin[frame]; }
  size_t rows() const { return begin[frames]; }
};

class LstmLayer {
 public:
  // Recurrent state of several streams.
  struct State {
    AlignedVector<float> c;  // [streams][cell_stride]
    Activations r;           // [streams]
  };
  // Memory of one task; what it holds has no meaning afterwards.
  struct Scratch {
    AlignedVector<float> gates;
    Activations m;
  };

  // `int8_inputs`: the input weights are quantised too.
  LstmLayer(const Kernels& kernels, const LstmTensors& tensors, float clip, bool int8,
            bool int8_inputs);

  size_t outputs() const { return outputs_; }
  size_t cells() const { return cells_; }
  size_t output_stride() const { return output_stride_; }
  bool int8() const { return w_r_.int8(); }

  State MakeState(size_t streams) const;
  Scratch MakeScratch(size_t rows, size_t streams) const;
  // c [C] and r [P] of stream i, as they pass to and from Python.
  void Load(const float* values, size_t i, State* state) const;
  void Save(const State& state, size_t i, float* values) const;

  // Outputs of a block; the state is brought to each stream's last frame in it.
  void Run(const BlockRows& rows, const Activations& x, State* state, Scratch* scratch,
           Activations* out) const;

 private:
  void Step(size_t streams, const Activations& r, size_t r_first, float* gates, State* state,
            Scratch* scratch, Activations* out, size_t out_first) const;

  const Kernels* kernels_;
  size_t cells_;
  size_t cell_stride_;
  size_t outputs_;
  size_t output_stride_;
  float clip_;
  bool projects_;
  PackedMatrix w_x_;
  PackedMatrix w_r_;
  PackedMatrix w_p_;
  AlignedVector<float> bias_;
  AlignedVector<float> peep_i_;
  AlignedVector<float> peep_f_;
  AlignedVector<float> peep_o_;
  AlignedVector<float> zeros_;
};

}  // namespace inference

#endif  // AM_CSRC_LSTM_LAYER_H_
