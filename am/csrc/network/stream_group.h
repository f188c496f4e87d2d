// Streams that run in step, cut into blocks of frames.
#ifndef AM_CSRC_NETWORK_STREAM_GROUP_H_
#define AM_CSRC_NETWORK_STREAM_GROUP_H_

#include <cstddef>
#include <vector>

#include "am/csrc/layers/layer.h"

namespace inference {

// What one call does for one stream.
struct StreamTask {
  const float* features;  // [frames, D]
  size_t frames;
  size_t skip;    // no posteriors of so many first frames; then of every n-th (Network::subsampling)
  float* state;   // [state_size], from the frame before to the last one
  float* result;  // [Network::OutputFrames(frames - skip), S]
};

class StreamGroup {
 public:
  // `streams` are sorted, longest first; none is empty. `rates`: frames from one row to the next at
  // each rate that rows are wanted at, 1 first; blocks and streams are whole numbers of each.
  StreamGroup(std::vector<StreamTask> streams, size_t frames_per_block,
              const std::vector<size_t>& rates);

  const std::vector<StreamTask>& streams() const { return streams_; }
  size_t frames_per_block() const { return frames_per_block_; }
  size_t blocks() const { return first_.size() - 1; }
  BlockRows rows(size_t block, size_t rate = 1) const;
  // Most rows of a block.
  size_t block_size(size_t rate = 1) const { return streams_.size() * frames_per_block_ / rate; }
  // Rows of all blocks at rate 1, and among them the one of a stream's frame.
  size_t size() const { return first_.back(); }
  size_t row(size_t frame, size_t stream) const;

 private:
  std::vector<StreamTask> streams_;
  size_t frames_per_block_;
  std::vector<size_t> rates_;
  std::vector<std::vector<size_t>> begin_;  // [rates][blocks][frames_per_block / rate + 1]
  std::vector<size_t> first_;  // [blocks + 1] rows before each block
};

// Groups of streams of like length; streams without frames are left out. As many groups, and in
// each as many blocks, as are wanted, or more: if there are so many streams, and frames that are
// worth it.
std::vector<StreamGroup> GroupStreams(const std::vector<StreamTask>& streams, size_t wanted_groups,
                                      size_t wanted_blocks, const std::vector<size_t>& rates);

}  // namespace inference

#endif  // AM_CSRC_NETWORK_STREAM_GROUP_H_
