// Language models as the expansion of a lattice asks them: histories are numbers, words those of
// the lattice.
#ifndef DECODING_CSRC_RESCORE_HISTORY_MODELS_H_
#define DECODING_CSRC_RESCORE_HISTORY_MODELS_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "decoding/csrc/rescore/id_table.h"
#include "lm/csrc/automaton/automaton.h"

namespace decoding {

// Log probabilities are natural. Not for several threads at once.
class HistoryModel {
 public:
  virtual ~HistoryModel() = default;
  virtual uint32_t Start() = 0;
  // Log p(word | history), and the history after the word. Not finite if there is no such word.
  virtual double Score(uint32_t history, int32_t word, uint32_t* next) = 0;
  // Log p(end of sentence | history).
  virtual double Final(uint32_t history) = 0;
};

// An automaton of lm/csrc (of either layout) by the longest n-grams; a history is a state of it.
// word_ids: the automaton's number of each word of the lattice, negative for none.
template <typename Automaton>
class ExactModel : public HistoryModel {
 public:
  ExactModel(const Automaton& automaton, const int32_t* word_ids)
      : automaton_(automaton), word_ids_(word_ids) {}

  uint32_t Start() override { return automaton_.start(); }

  double Score(uint32_t history, int32_t word, uint32_t* next) override {
    const int32_t id = word_ids_[word];
    if (id < 0) return -std::numeric_limits<double>::infinity();
    return automaton_.Advance(history, static_cast<uint32_t>(id), next);
  }

  double Final(uint32_t history) override { return automaton_.Final(history); }

 private:
  const Automaton& automaton_;
  const int32_t* const word_ids_;
};

// The same as a search scores it that takes back-off arcs for epsilons: a word may be reached by
// backing off even where the longer n-gram is explicit, if that is better (Kaldi's G). A history is
// a set of states of the automaton with the log probability of each relative to the best; those
// that another one reaches as well by backing off are left out. All are suffixes of the words so
// far, so that the longest one's chain of back-offs meets all others.
template <typename Automaton>
class EpsilonModel : public HistoryModel {
 public:
  EpsilonModel(const Automaton& automaton, const int32_t* word_ids)
      : automaton_(automaton), word_ids_(word_ids) {}

  uint32_t Start() override {
    kept_.assign(1, {automaton_.start(), 0.0f});
    return Number();
  }

  double Score(uint32_t history, int32_t word, uint32_t* next) override {
    const int32_t id = word_ids_[word];
    if (id < 0) return -std::numeric_limits<double>::infinity();
    reached_.clear();
    double best = -std::numeric_limits<double>::infinity();
    VisitBackoffs(history, [&](uint32_t state, double log_prob) {
      lm::Arc arc;
      if (!automaton_.Find(state, static_cast<uint32_t>(id), &arc)) return;
      log_prob += arc.log_prob;
      best = std::max(best, log_prob);
      // From shorter histories a word leads to shorter ones: the same state comes again at once.
      if (!reached_.empty() && reached_.back().state == arc.next) {
        reached_.back().log_prob = std::max(reached_.back().log_prob, log_prob);
      } else {
        reached_.push_back({arc.next, log_prob});
      }
    });
    if (reached_.empty()) return best;
    kept_.clear();
    uint32_t state = reached_[0].state;
    double by_backing_off = -std::numeric_limits<double>::infinity();
    for (const Reached& reached : reached_) {
      while (state != reached.state && state != lm::Automaton::kEmpty) {
        by_backing_off += automaton_.backoff(state);
        state = automaton_.backoff_state(state);
      }
      if (reached.log_prob <= by_backing_off) continue;
      by_backing_off = reached.log_prob;
      kept_.push_back({reached.state, static_cast<float>(reached.log_prob - best)});
    }
    *next = Number();
    return best;
  }

  double Final(uint32_t history) override {
    double best = -std::numeric_limits<double>::infinity();
    VisitBackoffs(history, [&](uint32_t state, double log_prob) {
      const float final = automaton_.explicit_final(state);
      if (!std::isnan(final)) best = std::max(best, log_prob + final);
    });
    return best;
  }

 private:
  struct Member {
    uint32_t state;
    float log_prob;
  };
  struct Reached {
    uint32_t state;
    double log_prob;
  };

  // Calls visit(state, log_prob) for every state that the history reaches by backing off, longest
  // first.
  template <typename Visit>
  void VisitBackoffs(uint32_t history, const Visit& visit) const {
    const Member* member = members_.data() + first_member_[history];
    const Member* const last = members_.data() + first_member_[history + 1];
    uint32_t state = member->state;
    double log_prob = -std::numeric_limits<double>::infinity();
    for (;;) {
      if (member != last && member->state == state) log_prob = member++->log_prob;  // is better
      visit(state, log_prob);
      if (state == lm::Automaton::kEmpty) return;
      log_prob += automaton_.backoff(state);
      state = automaton_.backoff_state(state);
    }
  }

  // The history whose members are kept_.
  uint32_t Number() {
    uint64_t hash = kept_.size();
    for (const Member& member : kept_) {
      const float log_prob = member.log_prob + 0.0f;  // -0 is 0
      uint32_t bits;
      std::memcpy(&bits, &log_prob, sizeof(bits));
      hash = MixHash(hash ^ static_cast<uint64_t>(member.state) << 32 ^ bits);
    }
    const auto same = [this](uint32_t history) {
      const Member* member = members_.data() + first_member_[history];
      if (first_member_[history + 1] - first_member_[history] != kept_.size()) return false;
      for (const Member& kept : kept_) {
        if (member->state != kept.state || member->log_prob != kept.log_prob) return false;
        ++member;
      }
      return true;
    };
    return numbers_.FindOrAdd(hash, same, [this] {
      members_.insert(members_.end(), kept_.begin(), kept_.end());
      first_member_.push_back(members_.size());
      return static_cast<uint32_t>(first_member_.size() - 2);
    });
  }

  const Automaton& automaton_;
  const int32_t* const word_ids_;
  std::vector<Member> members_;
  std::vector<size_t> first_member_{0};
  IdTable numbers_;
  std::vector<Reached> reached_;
  std::vector<Member> kept_;
};

// Models interpolated linearly: a history has one of each. A model gives no probability to the words
// that its mask leaves out, but its history goes on with them.
class MixtureModel : public HistoryModel {
 public:
  struct Part {
    std::unique_ptr<HistoryModel> model;
    double weight;        // above 0
    const bool* scores;   // by word of the lattice: whether the model gives it its probability
  };

  explicit MixtureModel(std::vector<Part> parts)
      : parts_(std::move(parts)), next_(parts_.size()), log_probs_(parts_.size()) {}

  uint32_t Start() override {
    for (size_t i = 0; i < parts_.size(); ++i) next_[i] = parts_[i].model->Start();
    return Number();
  }

  double Score(uint32_t history, int32_t word, uint32_t* next) override {
    for (size_t i = 0; i < parts_.size(); ++i) {
      next_[i] = 0;
      const uint32_t own = histories_[history * parts_.size() + i];
      const double log_prob = parts_[i].model->Score(own, word, &next_[i]);
      log_probs_[i] = parts_[i].scores[word] ? log_prob : -std::numeric_limits<double>::infinity();
    }
    *next = Number();
    return Sum();
  }

  double Final(uint32_t history) override {
    for (size_t i = 0; i < parts_.size(); ++i) {
      log_probs_[i] = parts_[i].model->Final(histories_[history * parts_.size() + i]);
    }
    return Sum();
  }

 private:
  double Sum() const {
    const double best = *std::max_element(log_probs_.begin(), log_probs_.end());
    if (!std::isfinite(best)) return best;
    double sum = 0.0;
    for (size_t i = 0; i < parts_.size(); ++i) {
      sum += parts_[i].weight * std::exp(log_probs_[i] - best);
    }
    return best + std::log(sum);
  }

  // The history that is made of next_.
  uint32_t Number() {
    uint64_t hash = next_.size();
    for (const uint32_t own : next_) hash = MixHash(hash ^ own);
    const auto same = [this](uint32_t history) {
      return std::equal(next_.begin(), next_.end(),
                        histories_.begin() + static_cast<std::ptrdiff_t>(history * next_.size()));
    };
    return numbers_.FindOrAdd(hash, same, [this] {
      histories_.insert(histories_.end(), next_.begin(), next_.end());
      return static_cast<uint32_t>(histories_.size() / next_.size() - 1);
    });
  }

  const std::vector<Part> parts_;
  std::vector<uint32_t> histories_;  // of all parts, by number
  IdTable numbers_;
  std::vector<uint32_t> next_;
  std::vector<double> log_probs_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_RESCORE_HISTORY_MODELS_H_
