// How far long work is, told to another thread, which may also ask it to stop.
#ifndef LM_CSRC_FILES_PROGRESS_H_
#define LM_CSRC_FILES_PROGRESS_H_

#include <atomic>
#include <cstdint>
#include <stdexcept>

namespace lm {

// What work throws that was asked to stop.
class Cancelled : public std::runtime_error {
 public:
  Cancelled() : std::runtime_error("cancelled") {}
};

class Progress {
 public:
  // Called by the work.
  void Advance(uint64_t amount) {
    done_.fetch_add(amount, std::memory_order_relaxed);
    if (cancelled_.load(std::memory_order_relaxed)) throw Cancelled();
  }

  // Called by the one who waits for it.
  uint64_t done() const { return done_.load(std::memory_order_relaxed); }
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> done_{0};
  std::atomic<bool> cancelled_{false};
};

// Advances a shared progress in steps that are large enough to cost nothing.
class Steps {
 public:
  explicit Steps(Progress* progress) : progress_(progress) {}

  void Advance(uint64_t amount) {
    pending_ += amount;
    if (++calls_ % kCallsPerStep == 0) Flush();
  }
  void Flush() {
    progress_->Advance(pending_);
    pending_ = 0;
  }

 private:
  static constexpr uint64_t kCallsPerStep = uint64_t{1} << 16;

  Progress* progress_;
  uint64_t pending_ = 0;
  uint64_t calls_ = 0;
};

}  // namespace lm

#endif  // LM_CSRC_FILES_PROGRESS_H_
