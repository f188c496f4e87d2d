// A whole network, from raw features to log posteriors, for batches of streams.
#ifndef AM_CSRC_NETWORK_H_
#define AM_CSRC_NETWORK_H_

#include <cstddef>
#include <vector>

#include "am/csrc/layers/output_layer.h"
#include "am/csrc/network/stream_group.h"

namespace inference {

// A network's ends as am/nnet/options.py names them; only read while the network is made.
struct EndTensors {
  std::vector<float> mean;     // [D]
  std::vector<float> inv_std;  // [D]
  MatrixView output_weight;    // [S, H]
  const float* output_bias;    // [S]
};

class Network {
 public:
  Network(const Kernels& kernels, const EndTensors& ends, bool int8);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  virtual ~Network() = default;

  const Kernels& kernels() const { return *kernels_; }
  size_t inputs() const { return mean_.size(); }
  size_t outputs() const { return output_.outputs(); }
  // Floats of each stream that are to be kept from one call to the next.
  virtual size_t state_size() const = 0;

  // What a stream gets does not depend on the other streams, on how its frames were cut into calls,
  // or on the number of threads. Safe to call from several threads, for streams that differ.
  virtual void Run(const std::vector<StreamTask>& streams, size_t threads) const = 0;

 protected:
  void Normalise(const float* features, float* result) const;
  // Posteriors of a block of a group from the rows of x, into the streams' results.
  void RunOutput(const StreamGroup& group, size_t block, const Activations& x,
                 AlignedVector<float>* logits) const;

 private:
  const Kernels* kernels_;
  std::vector<float> mean_;
  std::vector<float> inv_std_;
  OutputLayer output_;
};

}  // namespace inference

#endif  // AM_CSRC_NETWORK_H_
