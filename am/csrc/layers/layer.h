// A hidden layer, over blocks of frames of many streams.
#ifndef AM_CSRC_LAYERS_LAYER_H_
#define AM_CSRC_LAYERS_LAYER_H_

#include <cstddef>
#include <vector>

#include "am/csrc/kernels/packed_matrix.h"

namespace inference {

// Frames of streams, longest stream first: at each frame the streams that are still there are the
// first ones, and their rows lie together.
struct BlockRows {
  const size_t* begin;  // [frames + 1] first row of each frame, from 0
  size_t frames;

  size_t streams(size_t frame) const { return begin[frame + 1] - begin[frame]; }
  size_t rows() const { return begin[frames]; }
};

// What a layer remembers of several streams between blocks.
struct LayerState {
  AlignedVector<float> memory;
  Activations outputs;  // the latest, where the layer sees them again
};

// Scratch memory of one task, of the sizes that the layer asks for; undefined between calls.
struct LayerScratch {
  std::vector<AlignedVector<float>> floats;
  std::vector<Activations> rows;
};

class Layer {
 public:
  Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;
  virtual ~Layer() = default;

  virtual size_t outputs() const = 0;
  virtual size_t output_stride() const = 0;  // outputs rounded up
  virtual size_t state_size() const = 0;     // floats for each stream, as they pass to Python
  // Frames of inputs from one output to the next. An output comes with the last of them.
  virtual size_t stride() const { return 1; }

  virtual LayerState MakeState(size_t streams) const = 0;
  // For blocks of at most so many rows of inputs, of so many streams.
  virtual LayerScratch MakeScratch(size_t rows, size_t streams) const = 0;
  virtual void Load(const float* values, size_t i, LayerState* state) const = 0;
  virtual void Save(const LayerState& state, size_t i, float* values) const = 0;

  // Outputs of a block; the state is brought to each stream's last frame in it. `in` are the rows
  // of x, `out_rows` those of the outputs; each stream's frames are whole strides.
  virtual void Run(const BlockRows& in, const BlockRows& out_rows, const Activations& x,
                   LayerState* state, LayerScratch* scratch, Activations* out) const = 0;
};

}  // namespace inference

#endif  // AM_CSRC_LAYERS_LAYER_H_
