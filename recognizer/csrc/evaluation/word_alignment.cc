#include "recognizer/csrc/evaluation/word_alignment.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace evaluation {

namespace {

constexpr float kGap = 3.0F;
constexpr float kOptionalGap = 2.0F;
constexpr float kEmptyGap = 0.001F;
constexpr float kSubstitution = 4.0F;
constexpr float kEmptyForEmpty = 1.0F;
constexpr float kFar = std::numeric_limits<float>::infinity();

enum Operation : uint32_t { kSubstitute = 0, kDelete = 1, kInsert = 2 };

// How a pair of arcs was reached: the operation, and which predecessor of each of the two arcs.
template <typename Packed, unsigned kIndexBits>
struct Choice {
  static constexpr size_t kMostPredecessors = size_t{1} << kIndexBits;

  static Packed Pack(uint32_t operation, uint32_t a, uint32_t b) {
    return static_cast<Packed>(operation | a << 2 | b << (2 + kIndexBits));
  }
  static uint32_t OperationOf(Packed packed) { return packed & 3U; }
  static uint32_t A(Packed packed) { return packed >> 2 & (kMostPredecessors - 1); }
  static uint32_t B(Packed packed) {
    return static_cast<uint32_t>(packed) >> (2 + kIndexBits) & (kMostPredecessors - 1);
  }
};

using Narrow = Choice<uint8_t, 3>;
using Wide = Choice<uint32_t, 15>;

struct Span {
  const int32_t* first;
  uint32_t size;
};

Span PredecessorsOf(const NetworkView& network, size_t arc) {
  const int32_t begin = network.offsets[arc];
  return {network.predecessors + begin, static_cast<uint32_t>(network.offsets[arc + 1] - begin)};
}

size_t MostPredecessors(const NetworkView& network) {
  size_t most = 0;
  for (size_t arc = 0; arc < network.num_arcs; ++arc) {
    most = std::max<size_t>(most, PredecessorsOf(network, arc).size);
  }
  return most;
}

float GapCost(const NetworkView& network, size_t arc) {
  switch (network.kinds[arc]) {
    case kEmpty:
      return kEmptyGap;
    case kOptional:
      return kOptionalGap;
    default:
      return kGap;
  }
}

// Rows of costs, one for each arc of the reference, kept for as long as later arcs look back at
// them and then used again.
class Rows {
 public:
  Rows(const NetworkView& network, size_t width)
      : width_(width), rows_(network.num_arcs), last_use_(network.num_arcs, 0) {
    for (size_t arc = 0; arc < network.num_arcs; ++arc) {
      const Span predecessors = PredecessorsOf(network, arc);
      for (uint32_t i = 0; i < predecessors.size; ++i) last_use_[predecessors.first[i]] = arc;
    }
    for (size_t i = 0; i < network.num_finals; ++i) {
      last_use_[network.finals[i]] = network.num_arcs;
    }
  }

  const float* operator[](size_t arc) const { return rows_[arc].data(); }

  float* Open(size_t arc) {
    if (free_.empty()) {
      rows_[arc].resize(width_);
    } else {
      rows_[arc] = std::move(free_.back());
      free_.pop_back();
    }
    return rows_[arc].data();
  }

  // Frees the predecessors of an arc whose last successor it is.
  void Close(const Span& predecessors, size_t arc) {
    for (uint32_t i = 0; i < predecessors.size; ++i) {
      std::vector<float>& row = rows_[predecessors.first[i]];
      if (last_use_[predecessors.first[i]] == arc && !row.empty()) {
        free_.push_back(std::move(row));
        row.clear();
      }
    }
  }

 private:
  size_t width_;
  std::vector<std::vector<float>> rows_;
  std::vector<size_t> last_use_;
  std::vector<std::vector<float>> free_;
};

template <typename Packed, typename Code>
std::vector<Step> Align(const NetworkView& reference, const NetworkView& hypothesis) {
  const size_t height = reference.num_arcs;
  const size_t width = hypothesis.num_arcs;
  std::vector<Packed> choices(height * width);
  Rows rows(reference, width);
  std::vector<float> insertion(width);
  for (size_t b = 1; b < width; ++b) insertion[b] = GapCost(hypothesis, b);

  for (size_t a = 0; a < height; ++a) {
    const Span above = PredecessorsOf(reference, a);
    const float deletion = a == 0 ? 0.0F : GapCost(reference, a);
    const bool a_empty = a != 0 && reference.kinds[a] == kEmpty;
    float* const row = rows.Open(a);
    Packed* const choice = choices.data() + a * width;
    for (size_t b = 0; b < width; ++b) {
      if (a == 0 && b == 0) {
        row[b] = 0.0F;
        continue;
      }
      const Span left = PredecessorsOf(hypothesis, b);
      float inserted = kFar;
      uint32_t insert_b = 0;
      for (uint32_t i = 0; i < left.size; ++i) {
        const float cost = row[left.first[i]];
        if (cost < inserted) {
          inserted = cost;
          insert_b = i;
        }
      }
      float deleted = kFar;
      float substituted = kFar;
      uint32_t delete_a = 0;
      uint32_t substitute_a = 0;
      uint32_t substitute_b = 0;
      for (uint32_t i = 0; i < above.size; ++i) {
        const float* const before = rows[above.first[i]];
        if (before[b] < deleted) {
          deleted = before[b];
          delete_a = i;
        }
        for (uint32_t j = 0; j < left.size; ++j) {
          const float cost = before[left.first[j]];
          if (cost < substituted) {
            substituted = cost;
            substitute_a = i;
            substitute_b = j;
          }
        }
      }
      deleted += deletion;
      if (b != 0) inserted += insertion[b];
      if (a != 0 && b != 0) {
        const bool both_empty = a_empty && hypothesis.kinds[b] == kEmpty;
        const bool equal = reference.words[a] == hypothesis.words[b];
        substituted += both_empty ? kEmptyForEmpty : equal ? 0.0F : kSubstitution;
      }
      if (substituted <= deleted && substituted <= inserted) {
        row[b] = substituted;
        choice[b] = Code::Pack(kSubstitute, substitute_a, substitute_b);
      } else if (deleted < inserted) {
        row[b] = deleted;
        choice[b] = Code::Pack(kDelete, delete_a, 0);
      } else {
        row[b] = inserted;
        choice[b] = Code::Pack(kInsert, 0, insert_b);
      }
    }
    rows.Close(above, a);
  }

  float best = kFar;
  size_t a = 0;
  size_t b = 0;
  for (size_t i = 0; i < reference.num_finals; ++i) {
    for (size_t j = 0; j < hypothesis.num_finals; ++j) {
      const float cost = rows[reference.finals[i]][hypothesis.finals[j]];
      if (cost < best) {
        best = cost;
        a = static_cast<size_t>(reference.finals[i]);
        b = static_cast<size_t>(hypothesis.finals[j]);
      }
    }
  }
  std::vector<Step> steps;
  while (a != 0 || b != 0) {
    const Packed packed = choices[a * width + b];
    const uint32_t operation = Code::OperationOf(packed);
    steps.push_back({operation == kInsert ? -1 : static_cast<int32_t>(a),
                     operation == kDelete ? -1 : static_cast<int32_t>(b)});
    if (operation != kInsert) a = PredecessorsOf(reference, a).first[Code::A(packed)];
    if (operation != kDelete) b = PredecessorsOf(hypothesis, b).first[Code::B(packed)];
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

}  // namespace

std::vector<Step> AlignNetworks(const NetworkView& reference, const NetworkView& hypothesis) {
  const size_t most = std::max(MostPredecessors(reference), MostPredecessors(hypothesis));
  if (most <= Narrow::kMostPredecessors) return Align<uint8_t, Narrow>(reference, hypothesis);
  if (most <= Wide::kMostPredecessors) return Align<uint32_t, Wide>(reference, hypothesis);
  throw std::invalid_argument("expected at most 32768 alternatives, found " +
                              std::to_string(most));
}

}  // namespace evaluation
