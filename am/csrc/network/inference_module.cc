// The Python binding of native inference: checks its arguments, releases the interpreter's lock.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "am/csrc/kernels/cpu_level.h"
#include "am/csrc/network/network.h"
#include "am/csrc/network/read_network.h"
#include "data/csrc/arrays.h"

namespace nb = nanobind;

namespace {

using arrays::Expect;
using arrays::Matrix;
using inference::ExpectFinite;
using FloatVector = arrays::Vector<float>;
using State = nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

nb::list Run(const inference::Network& network, const nb::list& features, const nb::list& states,
             const nb::list& skips, size_t threads) {
  const size_t count = features.size();
  Expect(states.size() == count && skips.size() == count,
         "features, states, skips: expected lists of one length");
  Expect(threads > 0 && threads <= 1024, "threads: expected 1 to 1024");
  std::vector<inference::StreamTask> streams;
  std::vector<nb::object> results;
  for (size_t i = 0; i < count; ++i) {
    Matrix frames;
    State state;
    // No conversion: the arrays are those of the lists and live as long.
    Expect(nb::try_cast<Matrix>(features[i], frames, false) && frames.shape(1) == network.inputs(),
           "features: expected float32 [T, " + std::to_string(network.inputs()) +
               "], C-contiguous");
    Expect(nb::try_cast<State>(states[i], state, false) &&
               state.shape(0) == network.state_size(),
           "state: expected writable float32 [" + std::to_string(network.state_size()) + "]");
    ExpectFinite(frames.data(), frames.size(), "features");
    ExpectFinite(state.data(), state.size(), "state");
    const size_t skip = nb::cast<size_t>(skips[i]), whole = network.frame_group();
    Expect(frames.shape(0) % whole == 0 && skip % whole == 0,
           "features, skip: expected multiples of " + std::to_string(whole) + " frames");
    Expect(skip <= frames.shape(0), "skip: expected at most the number of frames");
    const size_t rows = network.OutputFrames(frames.shape(0) - skip);
    // Not filled with zeros: every element will be written.
    std::unique_ptr<float[]> values(new float[std::max<size_t>(1, rows * network.outputs())]);
    float* const data = values.get();
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<float*>(p); });
    values.release();
    results.push_back(nb::cast(nb::ndarray<nb::numpy, float, nb::ndim<2>>(
        data, {rows, network.outputs()}, owner)));
    streams.push_back({frames.data(), frames.shape(0), skip, state.data(), data});
  }
  {
    nb::gil_scoped_release release;
    network.Run(streams, threads);
  }
  nb::list list;
  for (nb::object& result : results) list.append(std::move(result));
  return list;
}

nb::tuple Functions(const FloatVector& x, const std::string& level) {
  const inference::Kernels& kernels = inference::ChooseKernels(level);
  const size_t n = x.shape(0);
  std::vector<float> in(inference::RoundUp(n, kernels.lanes));
  std::copy_n(x.data(), n, in.begin());
  std::vector<float> exp(in.size()), sigmoid(in.size()), tanh(in.size());
  kernels.functions(in.data(), in.size(), exp.data(), sigmoid.data(), tanh.data());
  for (std::vector<float>* values : {&exp, &sigmoid, &tanh}) values->resize(n);
  return nb::make_tuple(arrays::Give(std::move(exp)), arrays::Give(std::move(sigmoid)),
                        arrays::Give(std::move(tanh)));
}

}  // namespace

NB_MODULE(_inference, m) {
  nb::class_<inference::Network>(m, "Network")
      .def(nb::new_(&inference::ReadNetwork), nb::arg("input_output"), nb::arg("layers"),
           nb::arg("int8"), nb::arg("level"), nb::arg("reverse_layers") = nb::list(),
           nb::arg("subsampling") = 1,
           nb::arg("mean_window") = 0, nb::arg("mean_prior") = 0)
      .def_prop_ro("level", [](const inference::Network& n) { return n.kernels().level; })
      .def_prop_ro("state_size", &inference::Network::state_size)
      .def("run", &Run, nb::arg("features"), nb::arg("states"), nb::arg("skips"),
           nb::arg("threads"));
  m.def("levels", [] {
    nb::list names;
    for (const inference::Kernels* kernels : inference::AvailableKernels()) {
      names.append(kernels->level);
    }
    return names;
  });
  m.def("functions", &Functions, nb::arg("x"), nb::arg("level"));
}
