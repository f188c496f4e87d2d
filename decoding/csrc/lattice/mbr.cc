#include "decoding/csrc/lattice/mbr.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "decoding/csrc/lattice/posteriors.h"

namespace decoding {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Insertions cost a little more than other errors: of equally good alignments the one with fewer of
// them is taken.
constexpr double kInsertionLoss = 1.0 + 1e-5;
constexpr int kMaxIterations = 100;

double Loss(int32_t a, int32_t b) { return a == b ? 0.0 : 1.0; }

// q counts the bins from 1, as in the paper; bin q has word hypothesis_[q - 1] or none.
class BayesRisk {
 public:
  BayesRisk(const ArcList& lattice, const double* begins, const double* ends,
            const double* final_begins, const double* final_ends)
      : num_nodes_(static_cast<size_t>(lattice.num_states) + 1) {
    const PathSums sums = ForwardBackward(lattice);
    const double total = sums.backward[0];
    for (size_t a = 0; a < lattice.num_arcs; ++a) {
      const int32_t source = lattice.sources[a];
      const int32_t target = lattice.targets[a];
      // What is on no complete path has no influence.
      if (sums.forward[source] == kInfinity || sums.backward[target] == kInfinity) continue;
      const double share = std::exp(sums.forward[target] - sums.forward[source] - lattice.costs[a]);
      arcs_.push_back({source, target, lattice.words[a], share, begins[a], ends[a]});
    }
    const int32_t end = lattice.num_states;
    for (int32_t s = 0; s < lattice.num_states; ++s) {
      if (lattice.final_costs[s] == kInfinity || sums.forward[s] == kInfinity) continue;
      const double share = std::exp(total - sums.forward[s] - lattice.final_costs[s]);
      arcs_.push_back({s, end, 0, share, final_begins[s], final_ends[s]});
    }
    std::stable_sort(arcs_.begin(), arcs_.end(),
                     [](const Arc& a, const Arc& b) { return a.target < b.target; });
  }

  Sausage Run(const std::vector<int32_t>& words, bool decode) {
    SetHypothesis(words);
    for (int iteration = 0;; ++iteration) {
      Sausage sausage;
      sausage.risk = Accumulate();
      sausage.chosen = hypothesis_;
      sausage.bins = Bins();
      if (!decode || iteration == kMaxIterations || !Improve(sausage.bins)) return sausage;
    }
  }

 private:
  struct Arc {
    int32_t source;
    int32_t target;
    int32_t word;
    double share;  // of the paths into the target, those by this arc
    double begin;
    double end;
  };
  enum class Step : char { kBoth, kInsertion, kDeletion };
  using Matrix = std::vector<double>;  // [num_nodes_, Q + 1]

  // No word before, between and after the words: insertions go there.
  void SetHypothesis(const std::vector<int32_t>& words) {
    hypothesis_.assign(1, 0);
    for (const int32_t word : words) {
      if (word == 0) continue;
      hypothesis_.push_back(word);
      hypothesis_.push_back(0);
    }
  }

  // Takes the likeliest word of each bin; false if nothing changes.
  bool Improve(const std::vector<std::vector<BinWord>>& bins) {
    bool changed = false;
    std::vector<int32_t> words = hypothesis_;
    for (size_t q = 0; q < bins.size(); ++q) {
      double own = 0.0;
      for (const BinWord& one : bins[q]) {
        if (one.word == words[q]) own = one.posterior;
      }
      if (own < bins[q].front().posterior) {
        words[q] = bins[q].front().word;
        changed = true;
      }
    }
    SetHypothesis(words);
    return changed;
  }

  // The distance of the words so far by this arc from each beginning of the hypothesis.
  void DistancesByArc(const Arc& arc, const double* before) {
    by_arc_[0] = before[0] + (arc.word == 0 ? 0.0 : kInsertionLoss);
    for (size_t q = 1; q <= hypothesis_.size(); ++q) {
      const double both = before[q - 1] + Loss(arc.word, hypothesis_[q - 1]);
      const double insertion = before[q] + (arc.word == 0 ? 0.0 : kInsertionLoss);
      const double deletion = by_arc_[q - 1] + Loss(0, hypothesis_[q - 1]);
      if (both <= insertion && both <= deletion) {
        by_arc_[q] = both;
        steps_[q] = Step::kBoth;
      } else if (insertion <= deletion) {
        by_arc_[q] = insertion;
        steps_[q] = Step::kInsertion;
      } else {
        by_arc_[q] = deletion;
        steps_[q] = Step::kDeletion;
      }
    }
  }

  void Add(size_t q, int32_t word, double posterior, double begin, double end) {
    if (posterior == 0.0) return;
    BinWord& sum = sums_[q - 1].insert({word, {word, 0.0, 0.0, 0.0}}).first->second;
    sum.posterior += posterior;
    sum.begin += posterior * begin;
    sum.end += posterior * end;
  }

  // Fills sums_; returns the expected edit distance (figures 4 and 5).
  double Accumulate() {
    const size_t width = hypothesis_.size() + 1;
    by_arc_.assign(width, 0.0);
    steps_.assign(width, Step::kBoth);
    sums_.assign(hypothesis_.size(), {});
    Matrix alpha(num_nodes_ * width, 0.0);
    for (size_t q = 1; q < width; ++q) alpha[q] = alpha[q - 1] + Loss(0, hypothesis_[q - 1]);
    for (const Arc& arc : arcs_) {
      DistancesByArc(arc, alpha.data() + arc.source * width);
      double* const at = alpha.data() + arc.target * width;
      for (size_t q = 0; q < width; ++q) at[q] += arc.share * by_arc_[q];
    }
    const double risk = alpha.back();
    Matrix beta(num_nodes_ * width, 0.0);
    beta.back() = 1.0;
    std::vector<double> passing(width);  // what goes by the arc
    for (size_t a = arcs_.size(); a-- > 0;) {
      const Arc& arc = arcs_[a];
      DistancesByArc(arc, alpha.data() + arc.source * width);
      const double* const after = beta.data() + arc.target * width;
      double* const before = beta.data() + arc.source * width;
      for (size_t q = 0; q < width; ++q) passing[q] = arc.share * after[q];
      for (size_t q = width - 1; q >= 1; --q) {
        switch (steps_[q]) {
          case Step::kBoth:
            before[q - 1] += passing[q];
            Add(q, arc.word, passing[q], arc.begin, arc.end);
            break;
          case Step::kInsertion:
            before[q] += passing[q];
            break;
          case Step::kDeletion:
            passing[q - 1] += passing[q];
            Add(q, 0, passing[q], arc.end, arc.end);
            break;
        }
      }
      before[0] += passing[0];
    }
    for (size_t q = width - 1; q >= 1; --q) {
      Add(q, 0, beta[q], 0.0, 0.0);
      beta[q - 1] += beta[q];
    }
    return risk;
  }

  std::vector<std::vector<BinWord>> Bins() const {
    std::vector<std::vector<BinWord>> bins;
    for (const std::map<int32_t, BinWord>& sums : sums_) {
      bins.emplace_back();
      for (const auto& [word, sum] : sums) {
        // Sums of the same numbers in another order may differ in their last bits.
        const double begin = sum.begin / sum.posterior;
        const double end = std::max(begin, sum.end / sum.posterior);
        bins.back().push_back({word, std::min(sum.posterior, 1.0), begin, end});
      }
      std::stable_sort(
          bins.back().begin(), bins.back().end(),
          [](const BinWord& a, const BinWord& b) { return a.posterior > b.posterior; });
    }
    return bins;
  }

  const size_t num_nodes_;  // the lattice's states and one end
  std::vector<Arc> arcs_;  // by target
  std::vector<int32_t> hypothesis_;
  std::vector<double> by_arc_;
  std::vector<Step> steps_;
  std::vector<std::map<int32_t, BinWord>> sums_;  // by bin and word; times weighted by posteriors
};

}  // namespace

Sausage MinimumBayesRisk(const ArcList& lattice, const double* begins, const double* ends,
                         const double* final_begins, const double* final_ends,
                         const std::vector<int32_t>& words, bool decode) {
  return BayesRisk(lattice, begins, ends, final_begins, final_ends).Run(words, decode);
}

}  // namespace decoding
