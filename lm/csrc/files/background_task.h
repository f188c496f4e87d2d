// Work in another thread.
#ifndef LM_CSRC_FILES_BACKGROUND_TASK_H_
#define LM_CSRC_FILES_BACKGROUND_TASK_H_

#include <functional>
#include <memory>

namespace lm {

class BackgroundTask {
 public:
  BackgroundTask();
  // Waits for the work; what it threw is lost.
  ~BackgroundTask();
  BackgroundTask(BackgroundTask&&) noexcept;
  BackgroundTask& operator=(BackgroundTask&&) = delete;

  // Starts work. The work before, if there was any, must have been waited for.
  void Start(std::function<void()> work);

  // Waits until the work is done, if any was started, and throws what it threw.
  void Wait();

 private:
  struct State;

  std::unique_ptr<State> state_;
};

}  // namespace lm

#endif  // LM_CSRC_FILES_BACKGROUND_TASK_H_
