// A whole network, from raw features to log posteriors, for batches of streams.
#ifndef AM_CSRC_NETWORK_NETWORK_H_
#define AM_CSRC_NETWORK_NETWORK_H_

#include <cstddef>
#include <vector>

#include "am/csrc/layers/output_layer.h"
#include "am/csrc/network/input_layer.h"
#include "am/csrc/network/stream_group.h"

namespace inference {

// Input normalisation and output layer, as am/nnet/options.py names their tensors; only read while
// the network is made.
struct InputOutputTensors {
  std::vector<float> mean;     // [D]
  std::vector<float> inv_std;  // [D]
  size_t mean_window;          // of the running mean, 0 for none
  size_t mean_prior;
  MatrixView output_weight;    // [S, H]
  const float* output_bias;    // [S]
  size_t subsampling;          // frames from one output to the next
};

class Network {
 public:
  Network(const Kernels& kernels, const InputOutputTensors& tensors, bool int8);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  virtual ~Network() = default;

  const Kernels& kernels() const { return *kernels_; }
  size_t inputs() const { return input_.size(); }
  size_t outputs() const { return output_.outputs(); }
  // Frames from one output to the next, and how many outputs so many frames have.
  size_t subsampling() const { return subsampling_; }
  size_t OutputFrames(size_t frames) const { return (frames + subsampling_ - 1) / subsampling_; }
  // Streams' frames, and those that they skip, come in whole groups of so many.
  virtual size_t frame_group() const { return 1; }
  // Floats of each stream that are to be kept from one call to the next.
  virtual size_t state_size() const = 0;

  // What a stream gets does not depend on the other streams, on how its frames were cut into calls,
  // or on the number of threads. Safe to call from several threads, for streams that differ.
  virtual void Run(const std::vector<StreamTask>& streams, size_t threads) const = 0;

 protected:
  // Memory of one thread for outputs; what it holds has no meaning afterwards.
  struct OutputScratch {
    Activations wanted;  // the rows whose outputs are wanted, where those are not all
    std::vector<size_t> rows;
    std::vector<float*> results;
    AlignedVector<float> logits;
  };

  // For blocks of at most so many rows of activations of this stride, `rate` frames apart.
  OutputScratch MakeOutputScratch(size_t rows, size_t rate, size_t stride, bool quantised) const;
  const InputLayer& input() const { return input_; }
  // Posteriors of a block of a group from the rows of x, `rate` frames apart, into the streams'
  // results.
  void RunOutput(const StreamGroup& group, size_t block, size_t rate, const Activations& x,
                 OutputScratch* scratch) const;

 private:
  const Kernels* kernels_;
  InputLayer input_;
  OutputLayer output_;
  size_t subsampling_;
};

}  // namespace inference

#endif  // AM_CSRC_NETWORK_NETWORK_H_
