#include "am/csrc/sequence/denominator.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <thread>
#include <type_traits>

namespace sequence {
namespace {

struct Level {
  const char* name;
  const DenominatorKernels<float>* of_float;
  const DenominatorKernels<double>* of_double;
};

std::vector<Level> AvailableLevels() {
  std::vector<Level> found = {
      {"portable", PortableDenominatorKernels<float>(), PortableDenominatorKernels<double>()}};
#ifdef HAVE_AVX2
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2) {
    found.push_back({"avx2", Avx2DenominatorKernels<float>(), Avx2DenominatorKernels<double>()});
  }
#ifdef HAVE_AVX512
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
    found.push_back(
        {"avx512", Avx512DenominatorKernels<float>(), Avx512DenominatorKernels<double>()});
  }
#endif
#endif
  return found;
}

// Arcs grouped by the state in column `by` of (source, destination, pdf).
void Group(const std::vector<std::array<uint32_t, 3>>& arcs, const float* probs, size_t by,
           size_t states, std::vector<Arc>& grouped, std::vector<uint32_t>& begin) {
  begin.assign(states + 1, 0);
  for (const auto& arc : arcs) ++begin[arc[by] + 1];
  for (size_t i = 0; i < states; ++i) begin[i + 1] += begin[i];
  std::vector<uint32_t> next(begin.begin(), begin.end() - 1);
  grouped.resize(arcs.size());
  for (size_t a = 0; a < arcs.size(); ++a) {
    grouped[next[arcs[a][by]]++] = {arcs[a][1 - by], arcs[a][2], probs[a]};
  }
}

}  // namespace

std::vector<std::string> DenominatorLevels() {
  std::vector<std::string> names;
  for (const Level& level : AvailableLevels()) names.push_back(level.name);
  return names;
}

Denominator::Denominator(std::vector<std::array<uint32_t, 3>> arcs, const float* probs,
                         std::vector<float> occupancy, size_t outputs, float leak,
                         const std::string& level)
    : occupancy_(std::move(occupancy)), outputs_(outputs), leak_(leak) {
  Group(arcs, probs, 1, states(), incoming_arcs_, incoming_begin_);
  Group(arcs, probs, 0, states(), outgoing_arcs_, outgoing_begin_);
  const std::vector<Level> available = AvailableLevels();
  const auto chosen = level.empty() ? available.end() - 1
                                    : std::find_if(available.begin(), available.end(),
                                                   [&](const Level& one) { return one.name == level; });
  if (chosen == available.end()) {
    throw std::invalid_argument("level of instructions: expected one that runs here, found " +
                                level);
  }
  float_kernels_ = chosen->of_float;
  double_kernels_ = chosen->of_double;
}

template <typename Real>
const DenominatorKernels<Real>& Denominator::kernels() const {
  if constexpr (std::is_same_v<Real, float>) {
    return *float_kernels_;
  } else {
    return *double_kernels_;
  }
}

template <typename Real>
std::vector<Denominator::Workspace<Real>>& Denominator::workspaces() {
  if constexpr (std::is_same_v<Real, float>) {
    return float_workspaces_;
  } else {
    return double_workspaces_;
  }
}

template <typename Real>
void Denominator::Run(const DenominatorTask<Real>& task, size_t threads) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const size_t blocks = (task.streams + kLanes - 1) / kLanes;
  threads = std::max<size_t>(1, std::min(threads, blocks));
  auto& works = workspaces<Real>();
  if (works.size() < threads) works.resize(threads);
  std::atomic<size_t> next{0};
  const auto run = [&](Workspace<Real>& work) {
    for (size_t block; (block = next.fetch_add(1)) < blocks;) {
      RunLanes(task, block * kLanes, work);
    }
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < threads; ++i) others.emplace_back(run, std::ref(works[i]));
  run(works[0]);
  for (std::thread& thread : others) thread.join();
}

template <typename Real>
void Denominator::RunLanes(const DenominatorTask<Real>& task, size_t first,
                           Workspace<Real>& work) const {
  const DenominatorKernels<Real>& k = kernels<Real>();
  const ArcsByState incoming{incoming_arcs_.data(), incoming_begin_.data(), states()};
  const ArcsByState outgoing{outgoing_arcs_.data(), outgoing_begin_.data(), states()};
  const size_t lanes = std::min(kLanes, task.streams - first);
  const size_t row = task.streams * outputs_;
  const size_t state_size = states() * kLanes, output_size = outputs_ * kLanes;
  const Real leak = static_cast<Real>(leak_);
  size_t begin[kLanes] = {}, length[kLanes] = {}, frames = 0;
  for (size_t lane = 0; lane < lanes; ++lane) {
    begin[lane] = static_cast<size_t>(task.begins[first + lane]);
    length[lane] = static_cast<size_t>(task.lengths[first + lane]);
    frames = std::max(frames, length[lane]);
  }
  const auto offset = [&](size_t t, size_t lane) {
    return (begin[lane] + t) * row + (first + lane) * outputs_;
  };
  const bool backward = task.posteriors != nullptr;
  const size_t kept = backward ? frames : 1;
  const auto grow = [](arrays::AlignedVector<Real>& values, size_t size) {
    if (values.size() < size) values.resize(size);
  };
  grow(work.leaked, kept * state_size);
  grow(work.outputs, kept * output_size);
  grow(work.inverse, kept * kLanes);
  grow(work.alpha, state_size);

  for (size_t i = 0; i < states(); ++i) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const bool used = lane < lanes && length[lane] > 0;
      work.alpha[i * kLanes + lane] = used ? task.alphas[(first + lane) * states() + i] : Real{0};
    }
  }
  double scale[kLanes] = {};
  for (size_t t = 0; t < frames; ++t) {
    const size_t slot = backward ? t : 0;
    Real* const leaked = work.leaked.data() + slot * state_size;
    Real* const x = work.outputs.data() + slot * output_size;
    const Real* rows[kLanes];
    for (size_t lane = 0; lane < kLanes; ++lane) {
      rows[lane] = t < length[lane] ? task.logits + offset(t, lane) : nullptr;
    }
    double frame_scale[kLanes] = {};
    k.exponentiate(rows, outputs_, x, frame_scale);
    k.leak(work.alpha.data(), occupancy_.data(), states(), leak, leaked);
    k.forward(incoming, leaked, x, work.alpha.data(), work.inverse.data() + slot * kLanes,
              frame_scale);
    for (size_t lane = 0; lane < lanes; ++lane) {
      if (t >= length[lane]) continue;
      scale[lane] += frame_scale[lane];
      if (t + 1 < length[lane]) continue;
      for (size_t i = 0; i < states(); ++i) {
        task.alphas[(first + lane) * states() + i] = work.alpha[i * kLanes + lane];
      }
    }
  }
  for (size_t lane = 0; lane < lanes; ++lane) task.values[first + lane] = scale[lane];
  if (!backward) return;

  // Rows without a frame of the stream have no posteriors.
  for (size_t lane = 0; lane < lanes; ++lane) {
    for (size_t t = 0; t < task.frames; ++t) {
      if (t >= begin[lane] && t < begin[lane] + length[lane]) continue;
      std::fill_n(task.posteriors + t * row + (first + lane) * outputs_, outputs_, Real{0});
    }
  }
  grow(work.beta, state_size);
  grow(work.before, state_size);
  grow(work.posteriors, output_size);
  std::fill_n(work.beta.begin(), state_size, Real{0});
  for (size_t t = frames; t-- > 0;) {
    for (size_t lane = 0; lane < lanes; ++lane) {
      if (length[lane] != t + 1) continue;
      for (size_t i = 0; i < states(); ++i) work.beta[i * kLanes + lane] = 1;
    }
    std::fill_n(work.posteriors.begin(), output_size, Real{0});
    k.backward(outgoing, work.leaked.data() + t * state_size, work.outputs.data() + t * output_size,
               work.beta.data(), occupancy_.data(), leak, work.inverse.data() + t * kLanes,
               work.before.data(), work.posteriors.data());
    std::swap(work.beta, work.before);
    for (size_t lane = 0; lane < lanes; ++lane) {
      if (t >= length[lane]) continue;
      Real* const out = task.posteriors + offset(t, lane);
      for (size_t s = 0; s < outputs_; ++s) out[s] = work.posteriors[s * kLanes + lane];
    }
  }
  // Posteriors of a frame add up to one; where they do not, the numbers have left their range.
  for (size_t lane = 0; lane < lanes; ++lane) {
    if (length[lane] == 0) continue;
    const Real* const out = task.posteriors + offset(0, lane);
    double sum = 0;
    for (size_t s = 0; s < outputs_; ++s) sum += static_cast<double>(out[s]);
    if (!(std::abs(sum - 1) < 1e-2)) {
      task.values[first + lane] = std::numeric_limits<double>::quiet_NaN();
    }
  }
}

template void Denominator::Run<float>(const DenominatorTask<float>&, size_t);
template void Denominator::Run<double>(const DenominatorTask<double>&, size_t);

}  // namespace sequence
