#include "lm/csrc/pronunciation/alignment.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lm/csrc/pronunciation/log_add.h"

namespace lm {

namespace {

struct Size {
  int letters;
  int phones;
};

// Many-to-one and one-to-many, as Jiampojamarn et al. (2007) restrict them: what stands for two
// letters and two phones can be cut in two.
constexpr Size kSizes[] = {{1, 0}, {1, 1}, {1, 2}, {2, 1}};

}  // namespace

AlignmentGraphs::AlignmentGraphs(const Sequences& letters, const Sequences& phones) : starts_{0} {
  for (size_t i = 0; i < letters.size; ++i) {
    AddEntry(letters.begin(i), letters.length(i), phones.begin(i), phones.length(i));
    starts_.push_back(arcs_.size());
  }
}

int32_t AlignmentGraphs::IdOf(const Graphone& graphone) {
  const auto [found, is_new] = ids_.emplace(graphone, static_cast<int32_t>(graphones_.size()));
  if (is_new) graphones_.push_back(graphone);
  return found->second;
}

void AlignmentGraphs::AddEntry(const int32_t* letters, int num_letters, const int32_t* phones,
                               int num_phones) {
  const int columns = num_phones + 1;
  nodes_.push_back((num_letters + 1) * columns);
  // Whether the end can be reached from a node.
  std::vector<uint8_t> ends(static_cast<size_t>(nodes_.back()), 0);
  ends.back() = 1;
  const auto fits = [&](int i, int j, const Size& size) {
    return i + size.letters <= num_letters && j + size.phones <= num_phones;
  };
  for (int i = num_letters - 1; i >= 0; --i) {
    for (int j = num_phones; j >= 0; --j) {
      for (const Size& size : kSizes) {
        if (fits(i, j, size) && ends[(i + size.letters) * columns + j + size.phones]) {
          ends[i * columns + j] = 1;
        }
      }
    }
  }
  std::vector<uint8_t> reached(ends.size(), 0);
  reached[0] = ends[0];
  for (int i = 0; i < num_letters; ++i) {
    for (int j = 0; j <= num_phones; ++j) {
      const int from = i * columns + j;
      if (!reached[from]) continue;
      for (const Size& size : kSizes) {
        const int to = (i + size.letters) * columns + j + size.phones;
        if (!fits(i, j, size) || !ends[to]) continue;
        Graphone graphone;
        graphone.fill(-1);
        std::copy_n(letters + i, size.letters, graphone.begin());
        std::copy_n(phones + j, size.phones, graphone.begin() + kMaxLetters);
        arcs_.push_back({from, to, IdOf(graphone)});
        reached[to] = 1;
      }
    }
  }
}

double AlignmentGraphs::Count(const double* log_weights, double* counts) const {
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  std::fill_n(counts, graphones_.size(), 0.0);
  double total = 0.0;
  std::vector<double> forward, backward;
  for (size_t entry = 0; entry + 1 < starts_.size(); ++entry) {
    if (!CanAlign(entry)) continue;
    const Arc* const begin = arcs_.data() + starts_[entry];
    const Arc* const end = arcs_.data() + starts_[entry + 1];
    forward.assign(static_cast<size_t>(nodes_[entry]), kNone);
    backward.assign(static_cast<size_t>(nodes_[entry]), kNone);
    forward.front() = backward.back() = 0.0;
    for (const Arc* arc = begin; arc != end; ++arc) {
      forward[arc->to] = LogAdd(forward[arc->to], forward[arc->from] + log_weights[arc->graphone]);
    }
    const double sum = forward.back();
    if (sum == kNone) continue;  // a graphone of weight 0 in every alignment
    total += sum;
    for (const Arc* arc = end; arc != begin;) {
      --arc;
      const double rest = backward[arc->to] + log_weights[arc->graphone];
      backward[arc->from] = LogAdd(backward[arc->from], rest);
      counts[arc->graphone] += std::exp(forward[arc->from] + rest - sum);
    }
  }
  return total;
}

void AlignmentGraphs::Align(const double* log_weights, std::vector<int32_t>* graphones,
                            std::vector<int64_t>* offsets) const {
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  offsets->assign(1, 0);
  std::vector<double> best;
  std::vector<const Arc*> last;
  std::vector<int32_t> path;
  for (size_t entry = 0; entry + 1 < starts_.size(); ++entry) {
    if (CanAlign(entry)) {
      best.assign(static_cast<size_t>(nodes_[entry]), kNone);
      last.assign(best.size(), nullptr);
      best.front() = 0.0;
      for (size_t a = starts_[entry]; a < starts_[entry + 1]; ++a) {
        const Arc& arc = arcs_[a];
        const double score = best[arc.from] + log_weights[arc.graphone];
        if (score > best[arc.to]) {
          best[arc.to] = score;
          last[arc.to] = &arc;
        }
      }
      path.clear();
      if (last.back() != nullptr) {
        for (int32_t node = nodes_[entry] - 1; node != 0; node = last[node]->from) {
          path.push_back(last[node]->graphone);
        }
      }
      graphones->insert(graphones->end(), path.rbegin(), path.rend());
    }
    offsets->push_back(static_cast<int64_t>(graphones->size()));
  }
}

}  // namespace lm
