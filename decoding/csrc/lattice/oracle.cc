#include "decoding/csrc/lattice/oracle.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace decoding {

namespace {

constexpr int32_t kUnreached = std::numeric_limits<int32_t>::max() / 2;

// Levenshtein distances of the best paths to each state from each beginning of the reference.
class Distances {
 public:
  Distances(const ArcList& lattice, const int32_t* reference, size_t length)
      : lattice_(lattice),
        reference_(reference),
        length_(length),
        errors_(static_cast<size_t>(lattice.num_states) * (length + 1), kUnreached) {
    row(0)[0] = 0;
    size_t arc = 0;
    for (int32_t state = 0; state < lattice.num_states; ++state) {
      int32_t* const here = row(state);
      for (size_t j = 1; j <= length; ++j) here[j] = std::min(here[j], here[j - 1] + 1);
      for (; arc < lattice.num_arcs && lattice.sources[arc] == state; ++arc) {
        int32_t* const there = row(lattice.targets[arc]);
        const int32_t word = lattice.words[arc];
        const int32_t inserted = word == 0 ? 0 : 1;
        for (size_t j = 0; j <= length; ++j) there[j] = std::min(there[j], here[j] + inserted);
        if (word == 0) continue;
        for (size_t j = 0; j < length; ++j) {
          there[j + 1] = std::min(there[j + 1], here[j] + (word == reference[j] ? 0 : 1));
        }
      }
    }
  }

  const int32_t* row(int32_t state) const {
    return errors_.data() + static_cast<size_t>(state) * (length_ + 1);
  }

  OraclePath BestPath() const {
    int32_t state = -1;
    for (int32_t s = 0; s < lattice_.num_states; ++s) {
      if (lattice_.final_costs[s] == std::numeric_limits<double>::infinity()) continue;
      if (state < 0 || row(s)[length_] < row(state)[length_]) state = s;
    }
    if (state < 0 || row(state)[length_] >= kUnreached) {
      throw std::invalid_argument("lattice: expected a path from the start to a final state");
    }
    // Arcs into a state stand before those out of it: one pass backwards finds the path.
    OraclePath path;
    size_t j = length_;
    size_t arc = lattice_.num_arcs;
    while (state != 0 || j > 0) {
      if (j > 0 && row(state)[j] == row(state)[j - 1] + 1) {
        ++path.deletions;
        --j;
        continue;
      }
      while (!IsStep(--arc, state, j)) {
      }
      const int32_t word = lattice_.words[arc];
      if (word != 0) {
        path.words.push_back(word);
        if (j > 0 && IsMatch(arc, state, j)) {
          --j;
          path.substitutions += word == reference_[j] ? 0 : 1;
        } else {
          ++path.insertions;
        }
      }
      state = lattice_.sources[arc];
    }
    std::reverse(path.words.begin(), path.words.end());
    return path;
  }

 private:
  int32_t* row(int32_t state) {
    return errors_.data() + static_cast<size_t>(state) * (length_ + 1);
  }
  bool IsMatch(size_t arc, int32_t state, size_t j) const {
    return row(lattice_.sources[arc])[j - 1] +
               (lattice_.words[arc] == reference_[j - 1] ? 0 : 1) == row(state)[j];
  }
  // Whether the arc ends a best path to the state with j words of the reference behind it.
  bool IsStep(size_t arc, int32_t state, size_t j) const {
    if (lattice_.targets[arc] != state) return false;
    const int32_t before = row(lattice_.sources[arc])[j];
    if (lattice_.words[arc] == 0) return before == row(state)[j];
    return before + 1 == row(state)[j] || (j > 0 && IsMatch(arc, state, j));
  }

  const ArcList& lattice_;
  const int32_t* const reference_;
  const size_t length_;
  std::vector<int32_t> errors_;
};

}  // namespace

OraclePath Oracle(const ArcList& lattice, const int32_t* reference, size_t length) {
  return Distances(lattice, reference, length).BestPath();
}

}  // namespace decoding
