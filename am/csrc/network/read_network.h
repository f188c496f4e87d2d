// Networks from the dictionaries of arrays that come from Python, everything checked.
#ifndef AM_CSRC_NETWORK_READ_NETWORK_H_
#define AM_CSRC_NETWORK_READ_NETWORK_H_

#include <nanobind/nanobind.h>

#include <memory>
#include <string>

#include "am/csrc/network/network.h"

namespace inference {

// Throws std::invalid_argument, with the layer and the tensor's name, where something does not fit.
void ExpectFinite(const float* values, size_t n, const std::string& name);

// `input_output`: mean, inv_std, weight, bias. `layers`: of each the tensors and options as
// am/nnet/layers.py names them: of an LSTM (w_x, w_r, bias; peep_i, peep_f, peep_o; w_p; cell_clip)
// a TDNN layer (weight; linear; bias; offset; left, right, dilation, stride, activation, bypass), or
// a pooling layer (window, prior).
// `reverse_layers`: those of the other direction, or none. Outputs are made for every
// `subsampling`-th frame. `mean_window` and `mean_prior`: see InputLayer.
std::unique_ptr<Network> ReadNetwork(const nanobind::dict& input_output,
                                     const nanobind::list& layers, bool int8,
                                     const std::string& level, const nanobind::list& reverse_layers,
                                     size_t subsampling, size_t mean_window, size_t mean_prior);

}  // namespace inference

#endif  // AM_CSRC_NETWORK_READ_NETWORK_H_
