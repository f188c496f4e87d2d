// A whole network, from raw features to log posteriors, for batches of streams.
#ifndef AM_CSRC_NETWORK_H_
#define AM_CSRC_NETWORK_H_

#include <cstddef>
#include <vector>

#include "am/csrc/lstm_layer.h"

namespace inference {

// A network's tensors as am/network_file.py names them; only read while the network is made.
struct NetworkTensors {
  std::vector<float> mean;     // [D]
  std::vector<float> inv_std;  // [D]
  std::vector<LstmTensors> layers;
  MatrixView output_weight;  // [S, P]
  const float* output_bias;  // [S]
  float clip;
};

// What one call does for one stream.
struct StreamTask {
  const float* features;  // [frames, D]
  size_t frames;
  size_t skip;    // no posteriors of so many first frames
  float* state;   // [state_size], from the frame before to the last one
  float* result;  // [frames - skip, S]
};

class Network {
 public:
  Network(const Kernels& kernels, const NetworkTensors& tensors, bool int8);

  const Kernels& kernels() const { return *kernels_; }
  size_t inputs() const { return mean_.size(); }
  size_t outputs() const { return outputs_; }
  size_t state_size() const { return state_size_; }

  // What a stream gets does not depend on the other streams, on how its frames were cut into calls,
  // or on the number of threads. Safe to call from several threads, for streams that differ.
  void Run(const std::vector<StreamTask>& streams, size_t threads) const;

 private:
  struct Group;
  struct Scratch;

  std::vector<Group> MakeGroups(const std::vector<StreamTask>& streams, size_t threads) const;
  Scratch MakeScratch(const std::vector<Group>& groups) const;
  void RunBlock(size_t stage, size_t block, Group* group, Scratch* scratch) const;
  void RunInput(const Group& group, size_t block, Activations* x) const;
  void RunOutput(const Group& group, size_t block, const Activations& x, float* logits) const;

  const Kernels* kernels_;
  std::vector<float> mean_;
  std::vector<float> inv_std_;
  std::vector<LstmLayer> layers_;
  PackedMatrix output_;
  AlignedVector<float> output_bias_;
  size_t outputs_;
  size_t state_size_ = 0;
};

}  // namespace inference

#endif  // AM_CSRC_NETWORK_H_
