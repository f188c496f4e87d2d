// Python's door to native inference: checks what comes in, gives the interpreter's lock away.
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

#include "am/csrc/cpu_level.h"
#include "am/csrc/network.h"
#include "data/csrc/arrays.h"

namespace nb = nanobind;

namespace {

using arrays::Expect;
using arrays::Matrix;
using FloatVector = arrays::Vector<float>;
using State = nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// The sums of int8 products of longer rows might not fit into 32 bits.
constexpr size_t kWidest = 65536;

void ExpectFinite(const float* values, size_t n, const std::string& name) {
  const bool finite = std::all_of(values, values + n, [](float x) { return std::isfinite(x); });
  Expect(finite, name + ": expected finite numbers, found NaN or inf");
}

std::string Shape(size_t rows, size_t columns) {
  return "[" + std::to_string(rows) + ", " + std::to_string(columns) + "]";
}

// Tensors of one dictionary; keeps the arrays alive as long as their pointers are used.
class Tensors {
 public:
  Tensors(const nb::dict& dict, std::string at) : dict_(dict), at_(std::move(at)) {}

  bool Has(const char* name) const { return dict_.contains(name); }

  inference::MatrixView GetMatrix(const char* name, size_t rows, size_t columns) {
    const Matrix array = Get<Matrix>(name, "a float32 matrix");
    Expect(array.shape(0) == rows && array.shape(1) == columns,
           at_ + name + ": expected " + Shape(rows, columns) + ", found " +
               Shape(array.shape(0), array.shape(1)));
    ExpectFinite(array.data(), rows * columns, at_ + name);
    return {array.data(), rows, columns};
  }

  const float* GetVector(const char* name, size_t size) {
    const FloatVector array = Get<FloatVector>(name, "a float32 vector");
    arrays::ExpectSize(array, size, (at_ + name).c_str());
    ExpectFinite(array.data(), size, at_ + name);
    return array.data();
  }

  size_t SizeOf(const char* name) const {
    return Get<FloatVector>(name, "a float32 vector").shape(0);
  }

  // The shape that says what the others must be.
  std::pair<size_t, size_t> ShapeOf(const char* name) const {
    const Matrix array = Get<Matrix>(name, "a float32 matrix");
    Expect(array.shape(0) > 0 && array.shape(1) > 0,
           at_ + name + ": expected rows and columns, found none");
    Expect(array.shape(1) <= kWidest, at_ + name + ": expected at most " +
                                          std::to_string(kWidest) + " columns, found " +
                                          std::to_string(array.shape(1)));
    return {array.shape(0), array.shape(1)};
  }

 private:
  template <typename Array>
  Array Get(const char* name, const char* kind) const {
    Expect(Has(name), at_ + name + ": missing");
    Array array;
    // No conversion: a copy would not live as long as its pointer.
    Expect(nb::try_cast<Array>(dict_[name], array, false),
           at_ + name + ": expected " + kind + ", C-contiguous");
    return array;
  }

  const nb::dict dict_;
  const std::string at_;
};

inference::LstmTensors ReadLayer(const nb::dict& dict, size_t index, size_t inputs,
                                 size_t* outputs) {
  Tensors tensors(dict, "layer " + std::to_string(index) + ": ");
  const auto [gates, recurrent] = tensors.ShapeOf("w_r");
  Expect(gates % 4 == 0, "layer " + std::to_string(index) +
                             ": w_r: expected 4 rows for each cell, found " +
                             std::to_string(gates));
  const size_t cells = gates / 4;
  *outputs = recurrent;
  Expect(cells <= kWidest, "cells: expected at most " + std::to_string(kWidest));
  inference::LstmTensors layer{};
  layer.w_x = tensors.GetMatrix("w_x", gates, inputs);
  layer.w_r = tensors.GetMatrix("w_r", gates, recurrent);
  layer.bias = tensors.GetVector("bias", gates);
  if (tensors.Has("peep_i") || tensors.Has("peep_f") || tensors.Has("peep_o")) {
    layer.peep_i = tensors.GetVector("peep_i", cells);
    layer.peep_f = tensors.GetVector("peep_f", cells);
    layer.peep_o = tensors.GetVector("peep_o", cells);
  }
  if (tensors.Has("w_p")) {
    layer.w_p = tensors.GetMatrix("w_p", recurrent, cells);
  } else {
    Expect(recurrent == cells, "layer " + std::to_string(index) +
                                   ": w_r without w_p: expected " + std::to_string(cells) +
                                   " columns, found " + std::to_string(recurrent));
  }
  return layer;
}

std::unique_ptr<inference::Network> MakeNetwork(const nb::dict& ends, const nb::list& layers,
                                                float clip, bool int8, const std::string& level) {
  const inference::Kernels& kernels = inference::ChooseKernels(level);
  Tensors tensors(ends, "");
  Expect(clip > 0, "cell_clip: expected a number > 0");
  Expect(layers.size() > 0, "layers: expected at least one");
  inference::NetworkTensors network{};
  network.clip = clip;
  size_t width = tensors.SizeOf("mean");
  const float* const mean = tensors.GetVector("mean", width);
  const float* const inv_std = tensors.GetVector("inv_std", width);
  network.mean.assign(mean, mean + width);
  network.inv_std.assign(inv_std, inv_std + width);
  for (size_t i = 0; i < layers.size(); ++i) {
    network.layers.push_back(ReadLayer(nb::cast<nb::dict>(layers[i]), i, width, &width));
  }
  const size_t outputs = tensors.ShapeOf("weight").first;
  network.output_weight = tensors.GetMatrix("weight", outputs, width);
  network.output_bias = tensors.GetVector("bias", outputs);
  nb::gil_scoped_release release;
  return std::make_unique<inference::Network>(kernels, network, int8);
}

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
    const size_t skip = nb::cast<size_t>(skips[i]);
    Expect(skip <= frames.shape(0), "skip: expected at most the number of frames");
    const size_t rows = frames.shape(0) - skip;
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
      .def(nb::new_(&MakeNetwork), nb::arg("ends"), nb::arg("layers"), nb::arg("cell_clip"),
           nb::arg("int8"), nb::arg("level"))
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
