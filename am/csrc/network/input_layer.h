// What features pass before the first layer of weights.
#ifndef AM_CSRC_NETWORK_INPUT_LAYER_H_
#define AM_CSRC_NETWORK_INPUT_LAYER_H_

#include <cstddef>
#include <vector>

namespace inference {

// A frame x of a stream becomes (x - m) * inv_std, where m is the mean of the training features or,
// with a window, the stream's running mean, which begins with it: see am/nnet/options.py.
class InputLayer {
 public:
  // `window` 0: no running mean. Otherwise `prior` is 1 to `window`.
  InputLayer(std::vector<float> mean, std::vector<float> inv_std, size_t window, size_t prior);

  size_t size() const { return mean_.size(); }
  // Floats that are remembered of a stream; zeros before its first frame.
  size_t state_size() const { return window_ > 0 ? mean_.size() + 1 : 0; }

  // Normalises the next frame of a stream and brings its state to it.
  void Run(const float* frame, float* state, float* result) const;

 private:
  std::vector<float> mean_;
  std::vector<float> inv_std_;
  size_t window_;
  float decay_;
  float prior_;
  float prior_leaves_;  // share of the prior that one frame's decay takes
};

}  // namespace inference

#endif  // AM_CSRC_NETWORK_INPUT_LAYER_H_
