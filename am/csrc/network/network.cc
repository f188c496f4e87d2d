#include "am/csrc/network/network.h"

#include <numeric>

namespace inference {

Network::Network(const Kernels& kernels, const InputOutputTensors& tensors, bool int8)
    : kernels_(&kernels),
      input_(tensors.mean, tensors.inv_std, tensors.mean_window, tensors.mean_prior),
      output_(kernels, tensors.output_weight, tensors.output_bias, int8),
      subsampling_(tensors.subsampling) {}

Network::OutputScratch Network::MakeOutputScratch(size_t rows, size_t rate, size_t stride,
                                                  bool quantised) const {
  // Without subsampling, the few outputs that a stream's delay drops are computed with the others.
  const size_t copied = subsampling_ > rate ? rows : 0;
  return {Activations(*kernels_, copied, stride, quantised), {}, {}, {}};
}

void Network::RunOutput(const StreamGroup& group, size_t block, size_t rate,
                        const Activations& x, OutputScratch* scratch) const {
  const BlockRows rows = group.rows(block, rate);
  scratch->rows.clear();
  scratch->results.clear();
  for (size_t t = 0; t < rows.frames; ++t) {
    const size_t frame = block * group.frames_per_block() + t * rate;
    for (size_t i = 0; i < rows.streams(t); ++i) {
      const StreamTask& stream = group.streams()[i];
      if (frame < stream.skip || (frame - stream.skip) % subsampling_ != 0) continue;
      scratch->rows.push_back(rows.begin[t] + i);
      scratch->results.push_back(stream.result +
                                 (frame - stream.skip) / subsampling_ * outputs());
    }
  }
  const size_t wanted = scratch->rows.size(), stride = output_.stride();
  if (wanted == 0) return;
  const Activations* from = &x;
  size_t multiplied = rows.rows();
  if (subsampling_ > rate) {
    for (size_t k = 0; k < wanted; ++k) scratch->wanted.Copy(k, x, scratch->rows[k]);
    std::iota(scratch->rows.begin(), scratch->rows.end(), size_t{0});
    from = &scratch->wanted;
    multiplied = wanted;
  }
  scratch->logits.resize(multiplied * stride);
  output_.Multiply(*from, multiplied, scratch->logits.data());
  for (size_t k = 0; k < wanted; ++k) {
    output_.LogSoftmax(scratch->logits.data() + scratch->rows[k] * stride, scratch->results[k]);
  }
}

}  // namespace inference
