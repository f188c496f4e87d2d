#include "am/csrc/network/stream_group.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace inference {
namespace {

// Rows of a block: enough that weights of the products over whole blocks are read seldom, few
// enough that a block's sums stay in the cache and threads do not wait long for each other.
constexpr size_t kBlockRows = 24;
// Frames of a block when a short call is cut for several threads.
constexpr size_t kLeastBlockFrames = 4;
// Streams that share each reading of the recurrent weights.
constexpr size_t kGroupStreams = 12;

}  // namespace

StreamGroup::StreamGroup(std::vector<StreamTask> streams, size_t frames_per_block,
                         const std::vector<size_t>& rates)
    : streams_(std::move(streams)),
      frames_per_block_(frames_per_block),
      rates_(rates),
      begin_(rates.size()),
      first_(1) {
  const size_t blocks = RoundUp(streams_[0].frames, frames_per_block) / frames_per_block;
  for (size_t r = 0; r < rates_.size(); ++r) {
    std::vector<size_t>& begin = begin_[r];
    size_t active = streams_.size();
    for (size_t block = 0; block < blocks; ++block) {
      begin.push_back(0);
      for (size_t t = 0; t < frames_per_block; t += rates_[r]) {
        while (active > 0 && streams_[active - 1].frames <= block * frames_per_block + t) --active;
        begin.push_back(begin.back() + active);
      }
      if (r == 0) first_.push_back(first_.back() + begin.back());
    }
  }
}

BlockRows StreamGroup::rows(size_t block, size_t rate) const {
  const size_t frames = streams_[0].frames - block * frames_per_block_;
  const auto at = std::find(rates_.begin(), rates_.end(), rate) - rates_.begin();
  return {begin_[static_cast<size_t>(at)].data() + block * (frames_per_block_ / rate + 1),
          std::min(frames, frames_per_block_) / rate};
}

size_t StreamGroup::row(size_t frame, size_t stream) const {
  const size_t block = frame / frames_per_block_;
  return first_[block] + rows(block).begin[frame % frames_per_block_] + stream;
}

std::vector<StreamGroup> GroupStreams(const std::vector<StreamTask>& streams, size_t wanted_groups,
                                      size_t wanted_blocks, const std::vector<size_t>& rates) {
  std::vector<StreamTask> sorted;
  std::copy_if(streams.begin(), streams.end(), std::back_inserter(sorted),
               [](const StreamTask& stream) { return stream.frames > 0; });
  std::stable_sort(sorted.begin(), sorted.end(), [](const StreamTask& a, const StreamTask& b) {
    return a.frames > b.frames;
  });
  const size_t total = sorted.size();
  const size_t least = RoundUp(total, kGroupStreams) / kGroupStreams;
  const size_t count = std::min(total, std::max(least, wanted_groups));
  std::vector<StreamGroup> groups;
  groups.reserve(count);
  for (size_t g = 0; g < count; ++g) {
    const auto from = sorted.begin() + static_cast<ptrdiff_t>(total * g / count);
    const auto to = sorted.begin() + static_cast<ptrdiff_t>(total * (g + 1) / count);
    const size_t frames = from->frames, size = static_cast<size_t>(to - from);
    const size_t most = std::max<size_t>(1, kBlockRows / size);
    const size_t share = std::max(frames / wanted_blocks, kLeastBlockFrames);
    const size_t whole = *std::max_element(rates.begin(), rates.end());
    groups.emplace_back(std::vector<StreamTask>(from, to),
                        std::min(frames, RoundUp(std::min(most, share), whole)), rates);
  }
  return groups;
}

}  // namespace inference
