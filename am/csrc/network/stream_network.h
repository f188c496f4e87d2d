// A network whose outputs come while frames come: recurrent in one direction, or over windows.
#ifndef AM_CSRC_NETWORK_STREAM_NETWORK_H_
#define AM_CSRC_NETWORK_STREAM_NETWORK_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "am/csrc/network/network.h"

namespace inference {

class StreamNetwork : public Network {
 public:
  // At least one layer; each takes the outputs of the one before it. The subsampling is a multiple
  // of the product of their strides.
  StreamNetwork(const Kernels& kernels, const InputOutputTensors& tensors,
                std::vector<std::unique_ptr<const Layer>> layers, bool int8);

  size_t frame_group() const override { return rates_.back(); }
  size_t state_size() const override { return state_size_; }
  void Run(const std::vector<StreamTask>& streams, size_t threads) const override;

 private:
  struct Work;
  struct Scratch;

  Work MakeWork(const StreamGroup& group) const;
  Scratch MakeScratch(const std::vector<StreamGroup>& groups) const;
  void RunBlock(size_t stage, size_t block, const StreamGroup& group, Work* work,
                Scratch* scratch) const;
  void RunInput(const StreamGroup& group, size_t block, Work* work, Activations* x) const;
  void SaveStates(const StreamGroup& group, const Work& work) const;

  std::vector<std::unique_ptr<const Layer>> layers_;
  std::vector<size_t> rates_;  // of each layer's inputs, and then of the last one's outputs
  bool int8_;
  size_t state_size_;
};

}  // namespace inference

#endif  // AM_CSRC_NETWORK_STREAM_NETWORK_H_
