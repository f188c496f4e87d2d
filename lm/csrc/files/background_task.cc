#include "lm/csrc/files/background_task.h"

#include <exception>
#include <thread>
#include <utility>

namespace lm {

struct BackgroundTask::State {
  std::thread thread;
  std::exception_ptr error;
};

BackgroundTask::BackgroundTask() = default;
BackgroundTask::BackgroundTask(BackgroundTask&&) noexcept = default;

BackgroundTask::~BackgroundTask() {
  if (state_ != nullptr) state_->thread.join();
}

void BackgroundTask::Start(std::function<void()> work) {
  auto state = std::make_unique<State>();
  State* const shared = state.get();
  shared->thread = std::thread([shared, work = std::move(work)] {
    try {
      work();
    } catch (...) {
      shared->error = std::current_exception();
    }
  });
  state_ = std::move(state);
}

void BackgroundTask::Wait() {
  if (state_ == nullptr) return;
  state_->thread.join();
  const std::exception_ptr error = state_->error;
  state_.reset();
  if (error != nullptr) std::rethrow_exception(error);
}

}  // namespace lm
