#include "am/csrc/network/stage_schedule.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

namespace inference {
namespace {

class Schedule {
 public:
  Schedule(const std::vector<size_t>& blocks_of_groups, size_t stages, size_t slots)
      : blocks_(blocks_of_groups), stages_(stages), slots_(slots),
        done_(blocks_.size() * stages), running_(blocks_.size() * stages) {
    for (size_t blocks : blocks_) left_ += blocks * stages;
  }

  // Works until nothing is left.
  void Work(size_t thread, const std::function<void(const Task&, size_t)>& run) {
    Task task{0, 0, 0};
    std::unique_lock<std::mutex> lock(mutex_);
    while (left_ > 0) {
      if (!Take(&task)) {
        changed_.wait(lock);
        continue;
      }
      lock.unlock();
      std::exception_ptr failure;
      try {
        run(task, thread);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      if (failure) {
        failure_ = failure;
        left_ = 0;
        changed_.notify_all();
        return;
      }
      const size_t at = task.group * stages_ + task.stage;
      running_[at] = false;
      ++done_[at];
      if (!failure_) --left_;
      changed_.notify_all();
    }
  }

  void Rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  // The stage that the thread ran last comes first: its weights are in the core's cache.
  bool Take(Task* task) {
    const size_t all = done_.size(), from = task->group * stages_ + task->stage;
    for (size_t i = 0; i < all; ++i) {
      const size_t at = (from + i) % all;
      const size_t group = at / stages_, stage = at % stages_;
      if (!Ready(group, stage)) continue;
      running_[at] = true;
      *task = {group, stage, done_[at]};
      return true;
    }
    return false;
  }

  bool Ready(size_t group, size_t stage) const {
    const size_t at = group * stages_ + stage, block = done_[at];
    if (running_[at] || block == blocks_[group]) return false;
    if (stage > 0 && done_[at - 1] <= block) return false;
    return stage + 1 == stages_ || done_[at + 1] + slots_ > block;
  }

  const std::vector<size_t> blocks_;
  const size_t stages_;
  const size_t slots_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<size_t> done_;  // [group][stage] blocks
  std::vector<bool> running_;
  size_t left_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

void RunStages(const std::vector<size_t>& blocks_of_groups, size_t stages, size_t slots,
               size_t threads, const std::function<void(const Task&, size_t thread)>& run) {
  Schedule schedule(blocks_of_groups, stages, slots);
  std::vector<std::thread> others;
  for (size_t thread = 1; thread < threads; ++thread) {
    try {
      others.emplace_back([&schedule, &run, thread] { schedule.Work(thread, run); });
    } catch (const std::system_error&) {
      break;  // The system gives no more threads: those that are there do the work.
    }
  }
  schedule.Work(0, run);
  for (std::thread& other : others) other.join();
  schedule.Rethrow();
}

void RunAll(size_t tasks, size_t threads, const std::function<void(size_t task)>& run) {
  RunStages(std::vector<size_t>(tasks, 1), 1, 1, std::min(tasks, threads),
            [&run](const Task& task, size_t) { run(task.group); });
}

}  // namespace inference
