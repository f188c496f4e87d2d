#include "am/csrc/network/read_network.h"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "am/csrc/network/bidirectional_network.h"
#include "am/csrc/kernels/cpu_level.h"
#include "am/csrc/layers/convolution_layer.h"
#include "am/csrc/layers/lookahead_layer.h"
#include "am/csrc/layers/lstm_layer.h"
#include "am/csrc/layers/pooling_layer.h"
#include "am/csrc/layers/recurrent_layer.h"
#include "am/csrc/layers/tdnn_layer.h"
#include "am/csrc/network/stream_network.h"
#include "data/csrc/arrays.h"

namespace nb = nanobind;

namespace inference {
namespace {

using arrays::Expect;
using arrays::Matrix;
using FloatVector = arrays::Vector<float>;

// The sums of int8 products of longer rows might not fit into 32 bits.
constexpr size_t kWidest = 65536;

std::string Shape(size_t rows, size_t columns) {
  return "[" + std::to_string(rows) + ", " + std::to_string(columns) + "]";
}

// Tensors and options of one dictionary; keeps the arrays alive as long as their pointers are used.
class Tensors {
 public:
  Tensors(const nb::dict& dict, std::string at) : dict_(dict), at_(std::move(at)) {}

  bool Has(const char* name) const { return dict_.contains(name); }

  MatrixView GetMatrix(const char* name, size_t rows, size_t columns) {
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

  // An option of the layer, at least `least`.
  size_t GetSize(const char* name, size_t least) const {
    size_t value = 0;
    Expect(Has(name) && nb::try_cast<size_t>(dict_[name], value) && value >= least &&
               value <= kWidest,
           at_ + name + ": expected an integer, " + std::to_string(least) + " to " +
               std::to_string(kWidest));
    return value;
  }

  float GetNumber(const char* name) const {
    float value = 0;
    Expect(Has(name) && nb::try_cast<float>(dict_[name], value) && std::isfinite(value),
           at_ + name + ": expected a number");
    return value;
  }

  std::string GetText(const char* name) const {
    std::string value;
    Expect(Has(name) && nb::try_cast<std::string>(dict_[name], value),
           at_ + name + ": expected a string");
    return value;
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

LstmTensors ReadLstm(Tensors* tensors, const std::string& at, size_t inputs) {
  const auto [gates, recurrent] = tensors->ShapeOf("w_r");
  Expect(gates % 4 == 0,
         at + "w_r: expected 4 rows for each cell, found " + std::to_string(gates));
  const size_t cells = gates / 4;
  Expect(cells <= kWidest, at + "cells: expected at most " + std::to_string(kWidest));
  tensors->ShapeOf("w_x");  // neither empty nor too wide
  LstmTensors layer{};
  layer.w_x = tensors->GetMatrix("w_x", gates, inputs);
  layer.w_r = tensors->GetMatrix("w_r", gates, recurrent);
  layer.bias = tensors->GetVector("bias", gates);
  if (tensors->Has("peep_i") || tensors->Has("peep_f") || tensors->Has("peep_o")) {
    layer.peep_i = tensors->GetVector("peep_i", cells);
    layer.peep_f = tensors->GetVector("peep_f", cells);
    layer.peep_o = tensors->GetVector("peep_o", cells);
  }
  if (tensors->Has("w_p")) {
    layer.w_p = tensors->GetMatrix("w_p", recurrent, cells);
  } else {
    Expect(recurrent == cells, at + "w_r without w_p: expected " + std::to_string(cells) +
                                   " columns, found " + std::to_string(recurrent));
  }
  return layer;
}

Nonlinearity ReadNonlinearity(const std::string& at, const std::string& name) {
  if (name == "none") return Nonlinearity::kLinear;
  Expect(name == "relu" || name == "sigmoid",
         at + "activation: expected none, relu or sigmoid, found " + name);
  return name == "relu" ? Nonlinearity::kRelu : Nonlinearity::kSigmoid;
}

TdnnShape ReadTdnnShape(const Tensors& tensors, const std::string& at) {
  TdnnShape shape{};
  shape.left = tensors.GetSize("left", 0);
  shape.right = tensors.GetSize("right", 0);
  shape.dilation = tensors.GetSize("dilation", 1);
  shape.stride = tensors.GetSize("stride", 1);
  shape.nonlinearity = ReadNonlinearity(at, tensors.GetText("activation"));
  shape.bypass = tensors.GetNumber("bypass");
  Expect(shape.bypass >= 0 && (shape.bypass == 0 || shape.stride == 1),
         at + "bypass: expected a number >= 0, and 0 in a layer with a stride");
  return shape;
}

TdnnTensors ReadTdnn(Tensors* tensors, const std::string& at, size_t inputs,
                     const TdnnShape& shape) {
  TdnnTensors layer{};
  const size_t outputs = tensors->ShapeOf("weight").first;
  if (tensors->Has("linear")) {
    const size_t bottleneck = tensors->ShapeOf("linear").first;
    layer.linear = tensors->GetMatrix("linear", bottleneck, (shape.left + 1) * inputs);
    layer.weight = tensors->GetMatrix("weight", outputs, (shape.right + 1) * bottleneck);
    Expect(shape.right == 0 || shape.dilation % shape.stride == 0,
           at + "dilation: expected a multiple of the stride");
  } else {
    layer.weight =
        tensors->GetMatrix("weight", outputs, (shape.left + 1 + shape.right) * inputs);
  }
  Expect(shape.bypass == 0 || inputs == outputs,
         at + "bypass: expected 0 where inputs and outputs differ in number");
  if (tensors->Has("bias")) layer.bias = tensors->GetVector("bias", outputs);
  if (tensors->Has("offset")) layer.offset = tensors->GetVector("offset", outputs);
  return layer;
}

float GetClip(const Tensors& tensors, const char* name, const std::string& at) {
  const float clip = tensors.GetNumber(name);
  Expect(clip > 0, at + name + ": expected a number > 0");
  return clip;
}

// Sizes as ConvolutionOptions of am/nnet/convolution.py makes them of its options and inputs.
std::unique_ptr<const Layer> ReadConvolution(Tensors* tensors, const std::string& at, size_t inputs,
                                             const Kernels& kernels, bool int8) {
  ConvolutionShape shape{};
  shape.window = tensors->GetSize("left", 0) + 1 + tensors->GetSize("right", 0);
  shape.stride = tensors->GetSize("stride", 1);
  shape.maps = tensors->GetSize("maps", 1);
  shape.frequency_stride = tensors->GetSize("frequency_stride", 1);
  shape.clip = GetClip(*tensors, "clip", at);
  Expect(inputs % shape.maps == 0,
         at + "maps: expected a divisor of its " + std::to_string(inputs) + " inputs");
  shape.bins = inputs / shape.maps;
  const size_t height = tensors->GetSize("height", 0);
  shape.height = height == 0 ? shape.bins : height;
  shape.output_bins =
      height == 0 ? 1 : RoundUp(shape.bins, shape.frequency_stride) / shape.frequency_stride;
  if (height > 0) {
    shape.padding_low = (height - 1) / 2;
    const size_t seen = (shape.output_bins - 1) * shape.frequency_stride + height;
    const size_t there = shape.padding_low + shape.bins;
    shape.padding_high = seen > there ? seen - there : 0;
  }
  const size_t filters = tensors->ShapeOf("weight").first;
  Expect(filters * shape.output_bins <= kWidest,
         at + "expected at most " + std::to_string(kWidest) + " outputs");
  const MatrixView weight =
      tensors->GetMatrix("weight", filters, shape.window * shape.height * shape.maps);
  const float* const bias = tensors->GetVector("bias", filters);
  nb::gil_scoped_release release;
  return std::make_unique<ConvolutionLayer>(kernels, weight, bias, shape, int8);
}

RecurrentKind ReadRecurrentKind(const Tensors& tensors, const std::string& at,
                                const std::string& kind) {
  if (kind == "rnn") return RecurrentKind::kRnn;
  const std::string activation = tensors.GetText("activation");
  Expect(activation == "tanh" || activation == "relu",
         at + "activation: expected tanh or relu, found " + activation);
  return activation == "tanh" ? RecurrentKind::kGruTanh : RecurrentKind::kGruRelu;
}

RecurrentTensors ReadRecurrent(Tensors* tensors, const std::string& at, size_t inputs,
                               size_t gates) {
  const size_t units = tensors->ShapeOf("w_r").second, rows = gates * units;
  Expect(rows <= kWidest, at + "w_r: expected at most " + std::to_string(kWidest) + " rows");
  tensors->ShapeOf("w_x");  // neither empty nor too wide
  RecurrentTensors layer{};
  layer.w_x = tensors->GetMatrix("w_x", rows, inputs);
  layer.w_r = tensors->GetMatrix("w_r", rows, units);
  layer.bias = tensors->GetVector("bias", rows);
  return layer;
}

// What all layers of a network share.
struct Plan {
  const Kernels& kernels;
  bool int8;
};

// Features, and so the weights of a first layer that meet them, stay float32 in int8 networks too:
// those weights are few, and features differ in range.
std::unique_ptr<const Layer> ReadLayer(const nb::handle& dict, const std::string& at, bool first,
                                       size_t inputs, const Plan& plan) {
  Tensors tensors(nb::cast<nb::dict>(dict), at);
  const bool int8_inputs = plan.int8 && !first;
  const std::string kind = tensors.GetText("kind");
  if (kind == "pooling") {
    const size_t window = tensors.GetSize("window", 1), prior = tensors.GetSize("prior", 1);
    Expect(3 * inputs <= kWidest, at + "expected at most " + std::to_string(kWidest / 3) + " inputs");
    return std::make_unique<PoolingLayer>(plan.kernels, inputs, window, prior);
  }
  if (kind == "lookahead") {
    const size_t right = tensors.GetSize("right", 1);
    const MatrixView weight = tensors.GetMatrix("weight", inputs, right + 1);
    return std::make_unique<LookaheadLayer>(plan.kernels, weight);
  }
  if (kind == "convolution") {
    return ReadConvolution(&tensors, at, inputs, plan.kernels, int8_inputs);
  }
  if (kind == "rnn" || kind == "gru") {
    const RecurrentKind recurrent = ReadRecurrentKind(tensors, at, kind);
    const RecurrentTensors layer =
        ReadRecurrent(&tensors, at, inputs, recurrent == RecurrentKind::kRnn ? 1 : 3);
    const float clip = GetClip(tensors, "clip", at);
    nb::gil_scoped_release release;
    return std::make_unique<RecurrentLayer>(plan.kernels, layer, recurrent, clip, plan.int8,
                                            int8_inputs);
  }
  if (kind == "lstmp") {
    const LstmTensors lstm = ReadLstm(&tensors, at, inputs);
    const float clip = GetClip(tensors, "cell_clip", at);
    nb::gil_scoped_release release;
    return std::make_unique<LstmLayer>(plan.kernels, lstm, clip, plan.int8, int8_inputs);
  }
  Expect(kind == "tdnn", at + "kind: expected tdnn, lstmp, pooling, convolution, rnn, gru or "
                              "lookahead, found " + kind);
  const TdnnShape shape = ReadTdnnShape(tensors, at);
  const TdnnTensors tdnn = ReadTdnn(&tensors, at, inputs, shape);
  nb::gil_scoped_release release;
  return std::make_unique<TdnnLayer>(plan.kernels, tdnn, shape, plan.int8, int8_inputs);
}

InputOutputTensors ReadInput(Tensors* tensors, size_t mean_window, size_t mean_prior) {
  InputOutputTensors result{};
  const size_t inputs = tensors->SizeOf("mean");
  const float* const mean = tensors->GetVector("mean", inputs);
  const float* const inv_std = tensors->GetVector("inv_std", inputs);
  result.mean.assign(mean, mean + inputs);
  result.inv_std.assign(inv_std, inv_std + inputs);
  Expect(mean_window == 0 ? mean_prior == 0 : mean_prior > 0 && mean_prior <= mean_window,
         "mean_prior: expected 1 to mean_window, or 0 without one");
  result.mean_window = mean_window;
  result.mean_prior = mean_prior;
  return result;
}

void ReadOutput(Tensors* tensors, size_t width, InputOutputTensors* result) {
  const size_t outputs = tensors->ShapeOf("weight").first;
  result->output_weight = tensors->GetMatrix("weight", outputs, width);
  result->output_bias = tensors->GetVector("bias", outputs);
}

}  // namespace

void ExpectFinite(const float* values, size_t n, const std::string& name) {
  const bool finite = std::all_of(values, values + n, [](float x) { return std::isfinite(x); });
  Expect(finite, name + ": expected finite numbers, found NaN or inf");
}

std::unique_ptr<Network> ReadNetwork(const nb::dict& input_output, const nb::list& layers, bool int8,
                                     const std::string& level, const nb::list& reverse_layers,
                                     size_t subsampling, size_t mean_window, size_t mean_prior) {
  Expect(layers.size() > 0, "layers: expected at least one");
  const Plan plan = {ChooseKernels(level), int8};
  Expect(subsampling > 0, "subsampling: expected at least 1");
  Tensors tensors(input_output, "");
  InputOutputTensors outer = ReadInput(&tensors, mean_window, mean_prior);
  outer.subsampling = subsampling;
  size_t width = outer.mean.size();
  if (reverse_layers.size() == 0) {
    std::vector<std::unique_ptr<const Layer>> stack;
    size_t rate = 1;
    for (size_t i = 0; i < layers.size(); ++i) {
      const std::string at = "layer " + std::to_string(i) + ": ";
      stack.push_back(ReadLayer(layers[i], at, i == 0, width, plan));
      width = stack.back()->outputs();
      rate *= stack.back()->stride();
    }
    Expect(subsampling % rate == 0, "subsampling: expected a multiple of " + std::to_string(rate) +
                                        ", the product of the layers' strides");
    ReadOutput(&tensors, width, &outer);
    nb::gil_scoped_release release;
    return std::make_unique<StreamNetwork>(plan.kernels, outer, std::move(stack), int8);
  }
  Expect(reverse_layers.size() == layers.size(),
         "reverse layers: expected " + std::to_string(layers.size()) + ", found " +
             std::to_string(reverse_layers.size()));
  std::vector<BidirectionalNetwork::LayerPair> pairs;
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string at = "layer " + std::to_string(i) + ": ";
    pairs.push_back({ReadLayer(layers[i], at, i == 0, width, plan),
                     ReadLayer(reverse_layers[i], "reverse " + at, i == 0, width, plan)});
    const size_t outputs = pairs.back()[0]->outputs();
    Expect(pairs.back()[0]->stride() == 1 && pairs.back()[1]->stride() == 1,
           at + "stride: expected 1 in two directions");
    Expect(pairs.back()[1]->outputs() == outputs, "reverse " + at + "expected " +
                                                      std::to_string(outputs) + " outputs");
    width = 2 * outputs;
  }
  ReadOutput(&tensors, width, &outer);
  nb::gil_scoped_release release;
  return std::make_unique<BidirectionalNetwork>(plan.kernels, outer, std::move(pairs), int8);
}

}  // namespace inference
