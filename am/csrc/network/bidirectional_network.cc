#include "am/csrc/network/bidirectional_network.h"

#include <algorithm>
#include <utility>

#include "am/csrc/network/stage_schedule.h"

namespace inference {

BidirectionalNetwork::BidirectionalNetwork(const Kernels& kernels, const InputOutputTensors& tensors,
                                           std::vector<LayerPair> layers, bool int8)
    : Network(kernels, tensors, int8), layers_(std::move(layers)), int8_(int8) {}

void BidirectionalNetwork::Run(const std::vector<StreamTask>& streams, size_t threads) const {
  // Each group keeps two threads busy.
  const std::vector<StreamGroup> groups = GroupStreams(streams, RoundUp(threads, 2) / 2, 1, {1});
  std::vector<Values> values;
  for (const StreamGroup& group : groups) values.push_back(NormaliseAll(group));
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const size_t width = 2 * layers_[layer][0]->outputs();
    std::vector<Values> above;
    for (const StreamGroup& group : groups) above.emplace_back(group.size() * width);
    RunAll(2 * groups.size(), threads, [&](size_t task) {
      const size_t g = task / 2;
      RunDirection(layer, task % 2, groups[g], values[g], &above[g]);
    });
    values = std::move(above);
  }
  std::vector<std::pair<size_t, size_t>> blocks;
  for (size_t g = 0; g < groups.size(); ++g) {
    for (size_t block = 0; block < groups[g].blocks(); ++block) blocks.emplace_back(g, block);
  }
  RunAll(blocks.size(), threads, [&](size_t task) {
    const auto [g, block] = blocks[task];
    RunOutputBlock(groups[g], block, values[g]);
  });
}

BidirectionalNetwork::Values BidirectionalNetwork::NormaliseAll(const StreamGroup& group) const {
  Values values(group.size() * inputs());
  for (size_t i = 0; i < group.streams().size(); ++i) {
    const StreamTask& stream = group.streams()[i];
    std::vector<float> state(input().state_size());
    for (size_t t = 0; t < stream.frames; ++t) {
      input().Run(stream.features + t * inputs(), state.data(),
                  values.data() + group.row(t, i) * inputs());
    }
  }
  return values;
}

void BidirectionalNetwork::RunDirection(size_t layer, size_t direction, const StreamGroup& group,
                                        const Values& below, Values* above) const {
  const Layer& own = *layers_[layer][direction];
  const size_t inputs = below.size() / group.size(), outputs = own.outputs();
  Activations x = MakeRows(group, inputs, int8_ && layer > 0);
  Activations out(kernels(), group.block_size(), own.output_stride(), int8_);
  LayerState state = own.MakeState(group.streams().size());
  LayerScratch scratch = own.MakeScratch(group.block_size(), group.streams().size());
  // Reversed, utterances have the lengths that they had, and so the same rows.
  const auto place = [&](size_t t, size_t i) {
    return group.row(direction == 0 ? t : group.streams()[i].frames - 1 - t, i);
  };
  for (size_t block = 0; block < group.blocks(); ++block) {
    const BlockRows rows = group.rows(block);
    const size_t first = block * group.frames_per_block();
    for (size_t t = 0; t < rows.frames; ++t) {
      for (size_t i = 0; i < rows.streams(t); ++i) {
        std::copy_n(below.data() + place(first + t, i) * inputs, inputs,
                    x.row(rows.begin[t] + i));
      }
    }
    x.Quantise(0, rows.rows());
    own.Run(rows, rows, x, &state, &scratch, &out);
    for (size_t t = 0; t < rows.frames; ++t) {
      for (size_t i = 0; i < rows.streams(t); ++i) {
        float* const to = above->data() + place(first + t, i) * 2 * outputs;
        std::copy_n(out.row(rows.begin[t] + i), outputs, to + direction * outputs);
      }
    }
  }
}

void BidirectionalNetwork::RunOutputBlock(const StreamGroup& group, size_t block,
                                          const Values& top) const {
  const size_t width = top.size() / group.size(), rows = group.rows(block).rows();
  const float* const from = top.data() + group.row(block * group.frames_per_block(), 0) * width;
  Activations x = MakeRows(group, width, int8_);
  for (size_t row = 0; row < rows; ++row) std::copy_n(from + row * width, width, x.row(row));
  x.Quantise(0, rows);
  OutputScratch scratch = MakeOutputScratch(group.block_size(), 1, x.stride(), int8_);
  RunOutput(group, block, 1, x, &scratch);
}

Activations BidirectionalNetwork::MakeRows(const StreamGroup& group, size_t width,
                                           bool quantised) const {
  return Activations(kernels(), group.block_size(), RoundUp(width, kernels().lanes), quantised);
}

}  // namespace inference
