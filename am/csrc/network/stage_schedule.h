// The order in which threads run a network: layers follow each other block by block, as in a
// pipeline, and groups of streams are independent.
#ifndef AM_CSRC_NETWORK_STAGE_SCHEDULE_H_
#define AM_CSRC_NETWORK_STAGE_SCHEDULE_H_

#include <cstddef>
#include <functional>
#include <vector>

namespace inference {

struct Task {
  size_t group;
  size_t stage;
  size_t block;
};

// Runs each block of each group through each stage. Block b of a stage comes after block b - 1 of
// it, after block b of the stage before it, and after block b - slots of the stage behind it, which
// has then freed the memory that block b's result goes into. What a task throws ends the run and is
// thrown from here.
//
// No thread waits for another inside a block: one that loses its core delays no more than its task.
void RunStages(const std::vector<size_t>& blocks_of_groups, size_t stages, size_t slots,
               size_t threads, const std::function<void(const Task&, size_t thread)>& run);

// Runs tasks 0, 1, ... that depend on nothing.
void RunAll(size_t tasks, size_t threads, const std::function<void(size_t task)>& run);

}  // namespace inference

#endif  // AM_CSRC_NETWORK_STAGE_SCHEDULE_H_
