// A network whose layers run from both ends of each utterance.
#ifndef AM_CSRC_NETWORK_BIDIRECTIONAL_NETWORK_H_
#define AM_CSRC_NETWORK_BIDIRECTIONAL_NETWORK_H_

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "am/csrc/network/network.h"

namespace inference {

class BidirectionalNetwork : public Network {
 public:
  // From the first frame on, and from the last one back. Both take what both of the layer below
  // give, those of the first kind first.
  using LayerPair = std::array<std::unique_ptr<const Layer>, 2>;

  BidirectionalNetwork(const Kernels& kernels, const InputOutputTensors& tensors,
                       std::vector<LayerPair> layers, bool int8);

  size_t state_size() const override { return 0; }
  // Streams are whole utterances.
  void Run(const std::vector<StreamTask>& streams, size_t threads) const override;

 private:
  // Rows of all frames of a group: values alone, they are quantised where they are used.
  using Values = AlignedVector<float>;

  Values NormaliseAll(const StreamGroup& group) const;
  void RunDirection(size_t layer, size_t direction, const StreamGroup& group, const Values& below,
                    Values* above) const;
  void RunOutputBlock(const StreamGroup& group, size_t block, const Values& top) const;
  Activations MakeRows(const StreamGroup& group, size_t width, bool quantised) const;

  std::vector<LayerPair> layers_;
  bool int8_;
};

}  // namespace inference

#endif  // AM_CSRC_NETWORK_BIDIRECTIONAL_NETWORK_H_
