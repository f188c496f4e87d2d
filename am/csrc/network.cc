#include "am/csrc/network.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>

#include "am/csrc/stage_schedule.h"

namespace inference {
namespace {

// Rows of a block: enough that weights of the products over whole blocks are read seldom, few
// enough that a block's sums stay in the cache and threads do not wait long for each other.
constexpr size_t kBlockRows = 24;
// Frames of a block when a short call is cut for several threads.
constexpr size_t kLeastBlockFrames = 4;
// Streams that share each reading of the recurrent weights.
constexpr size_t kGroupStreams = 12;
// Blocks by which a layer may be ahead of the next one.
constexpr size_t kSlots = 4;

// Of the logits that fill the last panel up: their exponentials vanish in every sum.
constexpr float kNoLogit = -1e30f;

}  // namespace

// Streams that run in step, longest first.
struct Network::Group {
  std::vector<StreamTask> streams;
  size_t frames_per_block;
  size_t blocks;
  std::vector<size_t> begin;  // [blocks][frames_per_block + 1] as in BlockRows
  std::vector<LstmLayer::State> states;        // of each layer
  std::vector<std::vector<Activations>> slots;  // of each layer: outputs of its latest blocks

  BlockRows rows(size_t block) const {
    const size_t frames = streams[0].frames - block * frames_per_block;
    return {begin.data() + block * (frames_per_block + 1), std::min(frames, frames_per_block)};
  }
};

struct Network::Scratch {
  Activations x;
  std::vector<LstmLayer::Scratch> layers;
  AlignedVector<float> logits;
};

Network::Network(const Kernels& kernels, const NetworkTensors& tensors, bool int8)
    : kernels_(&kernels),
      mean_(tensors.mean),
      inv_std_(tensors.inv_std),
      outputs_(tensors.output_weight.rows) {
  layers_.reserve(tensors.layers.size());
  for (const LstmTensors& layer : tensors.layers) {
    // Features stay float32: their few weights cost little, and their dimensions differ in range.
    const bool first = layers_.empty();
    layers_.emplace_back(kernels, layer, tensors.clip, int8, int8 && !first);
    state_size_ += layers_.back().cells() + layers_.back().outputs();
  }
  const std::vector<size_t> order = PlainOrder(kernels, outputs_);
  output_ = PackedMatrix(kernels, tensors.output_weight, order, int8);
  output_bias_.assign(order.size(), kNoLogit);
  std::copy_n(tensors.output_bias, outputs_, output_bias_.begin());
}

void Network::Run(const std::vector<StreamTask>& streams, size_t threads) const {
  std::vector<Group> groups = MakeGroups(streams, threads);
  if (groups.empty()) return;
  std::vector<size_t> blocks;
  size_t most_blocks = 0;
  for (const Group& group : groups) {
    blocks.push_back(group.blocks);
    most_blocks = std::max(most_blocks, group.blocks);
  }
  // A single block goes through the layers one after the other: nothing to share out.
  threads = std::min(threads, groups.size() * std::min(most_blocks, layers_.size() + 1));
  std::vector<Scratch> scratch;
  for (size_t i = 0; i < threads; ++i) scratch.push_back(MakeScratch(groups));
  RunStages(blocks, layers_.size() + 1, kSlots, threads, [&](const Task& task, size_t thread) {
    RunBlock(task.stage, task.block, &groups[task.group], &scratch[thread]);
  });
  for (const Group& group : groups) {
    for (size_t i = 0; i < group.streams.size(); ++i) {
      float* state = group.streams[i].state;
      for (size_t l = 0; l < layers_.size(); ++l) {
        layers_[l].Save(group.states[l], i, state);
        state += layers_[l].cells() + layers_[l].outputs();
      }
    }
  }
}

std::vector<Network::Group> Network::MakeGroups(const std::vector<StreamTask>& streams,
                                                size_t threads) const {
  std::vector<StreamTask> sorted;
  std::copy_if(streams.begin(), streams.end(), std::back_inserter(sorted),
               [](const StreamTask& stream) { return stream.frames > 0; });
  std::stable_sort(sorted.begin(), sorted.end(), [](const StreamTask& a, const StreamTask& b) {
    return a.frames > b.frames;
  });
  const size_t total = sorted.size();
  // Layers keep as many threads busy as there are layers; more threads need more groups.
  const size_t wanted = RoundUp(threads, layers_.size()) / layers_.size();
  const size_t least = RoundUp(total, kGroupStreams) / kGroupStreams;
  const size_t count = std::min(total, std::max(least, wanted));
  std::vector<Group> groups(count);
  for (size_t g = 0; g < count; ++g) {
    Group& group = groups[g];
    group.streams.assign(sorted.begin() + static_cast<ptrdiff_t>(total * g / count),
                         sorted.begin() + static_cast<ptrdiff_t>(total * (g + 1) / count));
    const size_t size = group.streams.size(), frames = group.streams[0].frames;
    group.frames_per_block = std::min(frames, std::max<size_t>(1, kBlockRows / size));
    if (threads > 1) {
      // Several blocks for each stage of a short call, so that threads can follow each other.
      const size_t share = std::max(frames / (2 * (layers_.size() + 1)), kLeastBlockFrames);
      group.frames_per_block = std::min(group.frames_per_block, share);
    }
    group.blocks = RoundUp(frames, group.frames_per_block) / group.frames_per_block;
    size_t active = size;
    for (size_t t = 0; t < group.blocks * group.frames_per_block; ++t) {
      while (active > 0 && group.streams[active - 1].frames <= t) --active;
      if (t % group.frames_per_block == 0) group.begin.push_back(0);
      group.begin.push_back(group.begin.back() + active);
    }
    const size_t rows = size * group.frames_per_block;
    size_t offset = 0;
    for (const LstmLayer& layer : layers_) {
      group.states.push_back(layer.MakeState(size));
      for (size_t i = 0; i < size; ++i) {
        layer.Load(group.streams[i].state + offset, i, &group.states.back());
      }
      offset += layer.cells() + layer.outputs();
      group.slots.emplace_back();
      for (size_t slot = 0; slot < std::min(kSlots, group.blocks); ++slot) {
        group.slots.back().emplace_back(*kernels_, rows, layer.output_stride(), layer.int8());
      }
    }
  }
  return groups;
}

Network::Scratch Network::MakeScratch(const std::vector<Group>& groups) const {
  size_t rows = 0, streams = 0;
  for (const Group& group : groups) {
    streams = std::max(streams, group.streams.size());
    rows = std::max(rows, group.streams.size() * group.frames_per_block);
  }
  Scratch scratch = {Activations(*kernels_, rows, RoundUp(inputs(), kernels_->lanes), false),
                     {},
                     AlignedVector<float>(rows * output_.outputs())};
  for (const LstmLayer& layer : layers_) {
    scratch.layers.push_back(layer.MakeScratch(rows, streams));
  }
  return scratch;
}

void Network::RunBlock(size_t stage, size_t block, Group* group, Scratch* scratch) const {
  const size_t slot = block % kSlots;
  if (stage == layers_.size()) {
    RunOutput(*group, block, group->slots[stage - 1][slot], scratch->logits.data());
    return;
  }
  if (stage == 0) RunInput(*group, block, &scratch->x);
  const Activations& x = stage == 0 ? scratch->x : group->slots[stage - 1][slot];
  layers_[stage].Run(group->rows(block), x, &group->states[stage], &scratch->layers[stage],
                     &group->slots[stage][slot]);
}

void Network::RunInput(const Group& group, size_t block, Activations* x) const {
  const BlockRows rows = group.rows(block);
  for (size_t t = 0; t < rows.frames; ++t) {
    const size_t frame = block * group.frames_per_block + t;
    for (size_t i = 0; i < rows.streams(t); ++i) {
      const float* const features = group.streams[i].features + frame * inputs();
      float* const row = x->row(rows.begin[t] + i);
      for (size_t d = 0; d < inputs(); ++d) row[d] = (features[d] - mean_[d]) * inv_std_[d];
    }
  }
}

void Network::RunOutput(const Group& group, size_t block, const Activations& x,
                        float* logits) const {
  const BlockRows rows = group.rows(block);
  const size_t stride = output_.outputs();
  output_.Multiply(x, 0, rows.rows(), output_bias_.data(), 0, logits, stride);
  for (size_t t = 0; t < rows.frames; ++t) {
    const size_t frame = block * group.frames_per_block + t;
    for (size_t i = 0; i < rows.streams(t); ++i) {
      const StreamTask& stream = group.streams[i];
      if (frame < stream.skip) continue;
      const float* const row = logits + (rows.begin[t] + i) * stride;
      float largest, sum;
      kernels_->sum_exp(row, stride, &largest, &sum);
      const float whole = largest + std::log(sum);
      float* const result = stream.result + (frame - stream.skip) * outputs_;
      for (size_t s = 0; s < outputs_; ++s) result[s] = row[s] - whole;
    }
  }
}

}  // namespace inference
