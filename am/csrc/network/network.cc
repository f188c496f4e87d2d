#include "am/csrc/network/network.h"

namespace inference {

Network::Network(const Kernels& kernels, const EndTensors& ends, bool int8)
    : kernels_(&kernels),
      mean_(ends.mean),
      inv_std_(ends.inv_std),
      output_(kernels, ends.output_weight, ends.output_bias, int8) {}

void Network::Normalise(const float* features, float* result) const {
  for (size_t d = 0; d < mean_.size(); ++d) result[d] = (features[d] - mean_[d]) * inv_std_[d];
}

void Network::RunOutput(const StreamGroup& group, size_t block, const Activations& x,
                        AlignedVector<float>* logits) const {
  const BlockRows rows = group.rows(block);
  logits->resize(rows.rows() * output_.stride());
  output_.Multiply(x, rows.rows(), logits->data());
  for (size_t t = 0; t < rows.frames; ++t) {
    const size_t frame = block * group.frames_per_block() + t;
    for (size_t i = 0; i < rows.streams(t); ++i) {
      const StreamTask& stream = group.streams()[i];
      if (frame < stream.skip) continue;
      output_.LogSoftmax(logits->data() + (rows.begin[t] + i) * output_.stride(),
                         stream.result + (frame - stream.skip) * outputs());
    }
  }
}

}  // namespace inference
