#include "am/csrc/network/stream_network.h"

#include <algorithm>
#include <utility>

#include "am/csrc/network/stage_schedule.h"

namespace inference {
namespace {

// Blocks by which a layer may be ahead of the next one.
constexpr size_t kSlots = 4;

}  // namespace

// What a group's blocks go through.
struct StreamNetwork::Work {
  std::vector<float> inputs;                    // of each stream: state of the input
  std::vector<LayerState> states;               // of each layer
  std::vector<std::vector<Activations>> slots;  // of each layer: outputs of its latest blocks
};

struct StreamNetwork::Scratch {
  Activations x;
  std::vector<LayerScratch> layers;
  OutputScratch output;
};

StreamNetwork::StreamNetwork(const Kernels& kernels, const InputOutputTensors& tensors,
                             std::vector<std::unique_ptr<const Layer>> layers, bool int8)
    : Network(kernels, tensors, int8),
      layers_(std::move(layers)),
      int8_(int8),
      state_size_(input().state_size()) {
  rates_.push_back(1);
  for (const auto& layer : layers_) {
    state_size_ += layer->state_size();
    rates_.push_back(rates_.back() * layer->stride());
  }
}

void StreamNetwork::Run(const std::vector<StreamTask>& streams, size_t threads) const {
  const size_t stages = layers_.size() + 1;
  // Layers keep as many threads busy as there are layers; more threads need more groups. A short
  // call is cut into several blocks for each stage, so that threads can follow each other.
  const size_t wanted_groups = RoundUp(threads, layers_.size()) / layers_.size();
  std::vector<size_t> rates = rates_;
  rates.erase(std::unique(rates.begin(), rates.end()), rates.end());
  const std::vector<StreamGroup> groups =
      GroupStreams(streams, wanted_groups, threads > 1 ? 2 * stages : 1, rates);
  if (groups.empty()) return;
  std::vector<size_t> blocks;
  std::vector<Work> work;
  for (const StreamGroup& group : groups) {
    blocks.push_back(group.blocks());
    work.push_back(MakeWork(group));
  }
  // A single block goes through the layers one after the other: nothing to share out.
  const size_t most_blocks = *std::max_element(blocks.begin(), blocks.end());
  threads = std::min(threads, groups.size() * std::min(most_blocks, stages));
  std::vector<Scratch> scratch;
  for (size_t i = 0; i < threads; ++i) scratch.push_back(MakeScratch(groups));
  RunStages(blocks, stages, kSlots, threads, [&](const Task& task, size_t thread) {
    RunBlock(task.stage, task.block, groups[task.group], &work[task.group], &scratch[thread]);
  });
  for (size_t g = 0; g < groups.size(); ++g) SaveStates(groups[g], work[g]);
}

StreamNetwork::Work StreamNetwork::MakeWork(const StreamGroup& group) const {
  Work work;
  size_t offset = input().state_size();
  for (const StreamTask& stream : group.streams()) {
    work.inputs.insert(work.inputs.end(), stream.state, stream.state + offset);
  }
  for (size_t l = 0; l < layers_.size(); ++l) {
    const auto& layer = layers_[l];
    work.states.push_back(layer->MakeState(group.streams().size()));
    for (size_t i = 0; i < group.streams().size(); ++i) {
      layer->Load(group.streams()[i].state + offset, i, &work.states.back());
    }
    offset += layer->state_size();
    work.slots.emplace_back();
    for (size_t slot = 0; slot < std::min(kSlots, group.blocks()); ++slot) {
      work.slots.back().emplace_back(kernels(), group.block_size(rates_[l + 1]),
                                     layer->output_stride(), int8_);
    }
  }
  return work;
}

StreamNetwork::Scratch StreamNetwork::MakeScratch(const std::vector<StreamGroup>& groups) const {
  size_t rows = 0, streams = 0;
  for (const StreamGroup& group : groups) {
    streams = std::max(streams, group.streams().size());
    rows = std::max(rows, group.block_size());
  }
  // Features stay float32, see read_network.cc.
  Scratch scratch = {Activations(kernels(), rows, RoundUp(inputs(), kernels().lanes), false),
                     {},
                     MakeOutputScratch(rows / rates_.back(), rates_.back(),
                                       layers_.back()->output_stride(), int8_)};
  for (size_t l = 0; l < layers_.size(); ++l) {
    scratch.layers.push_back(layers_[l]->MakeScratch(rows / rates_[l], streams));
  }
  return scratch;
}

void StreamNetwork::RunBlock(size_t stage, size_t block, const StreamGroup& group, Work* work,
                             Scratch* scratch) const {
  const size_t slot = block % kSlots;
  if (stage == layers_.size()) {
    RunOutput(group, block, rates_[stage], work->slots[stage - 1][slot], &scratch->output);
    return;
  }
  if (stage == 0) RunInput(group, block, work, &scratch->x);
  const Activations& x = stage == 0 ? scratch->x : work->slots[stage - 1][slot];
  layers_[stage]->Run(group.rows(block, rates_[stage]), group.rows(block, rates_[stage + 1]), x,
                      &work->states[stage], &scratch->layers[stage], &work->slots[stage][slot]);
}

void StreamNetwork::RunInput(const StreamGroup& group, size_t block, Work* work,
                             Activations* x) const {
  const BlockRows rows = group.rows(block);
  for (size_t t = 0; t < rows.frames; ++t) {
    const size_t frame = block * group.frames_per_block() + t;
    for (size_t i = 0; i < rows.streams(t); ++i) {
      input().Run(group.streams()[i].features + frame * inputs(),
                  work->inputs.data() + i * input().state_size(), x->row(rows.begin[t] + i));
    }
  }
}

void StreamNetwork::SaveStates(const StreamGroup& group, const Work& work) const {
  for (size_t i = 0; i < group.streams().size(); ++i) {
    const size_t size = input().state_size();
    float* state = std::copy_n(work.inputs.data() + i * size, size, group.streams()[i].state);
    for (size_t l = 0; l < layers_.size(); ++l) {
      layers_[l]->Save(work.states[l], i, state);
      state += layers_[l]->state_size();
    }
  }
}

}  // namespace inference
