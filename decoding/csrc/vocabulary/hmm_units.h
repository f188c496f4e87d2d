// Phones in context as HMMs: what a tree and a transition model say about triphones.
#ifndef DECODING_CSRC_VOCABULARY_HMM_UNITS_H_
#define DECODING_CSRC_VOCABULARY_HMM_UNITS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace decoding {

// A phonetic decision tree as arrays; they must outlive it. Phone 0 is the edge of the utterance.
struct TreeArrays {
  size_t num_phones = 0;
  size_t max_states = 0;              // of a phone
  const int32_t* roots = nullptr;     // [num_phones, max_states], -1: no such state
  size_t num_nodes = 0;
  const int32_t* position = nullptr;  // [num_nodes] which phone is asked about, -1: a leaf
  const int32_t* question = nullptr;  // row of `member`
  const int32_t* yes = nullptr;
  const int32_t* no = nullptr;
  const int32_t* pdf = nullptr;       // of leaves
  const bool* member = nullptr;       // [questions, num_phones]
};

// A transition model as arrays by transition-id, index 0 unused; they must outlive it. The
// transition-ids of one (phone, HMM state, pdf) follow each other.
struct TransitionArrays {
  size_t size = 0;
  const int32_t* phone = nullptr;
  const int32_t* hmm_state = nullptr;
  const int32_t* pdf = nullptr;
  const int32_t* next_state = nullptr;  // HMM state; their number where the arc leaves the phone
  const int32_t* self_loop = nullptr;   // transition-id of the state's self-loop, 0: none
  const float* cost = nullptr;          // as it enters graphs
};

// Triphones of the same phone with the same pdfs are one unit.
class HmmUnits {
 public:
  struct Unit {
    int32_t phone;
    std::vector<int32_t> pdfs;
  };

  HmmUnits(const TreeArrays& tree, const TransitionArrays& transitions)
      : tree_(tree), transitions_(transitions), num_states_(tree.num_phones, 0) {
    for (size_t tid = 1; tid < transitions.size; ++tid) {
      const int32_t phone = transitions.phone[tid];
      int32_t& states = num_states_[static_cast<size_t>(phone)];
      if (transitions.hmm_state[tid] >= states) states = transitions.hmm_state[tid] + 1;
      const uint64_t key = Key(phone, transitions.hmm_state[tid], transitions.pdf[tid]);
      const auto [found, is_new] = tids_.try_emplace(key, std::make_pair(tid, tid + 1));
      if (!is_new) found->second.second = tid + 1;
    }
  }

  const TransitionArrays& transitions() const { return transitions_; }
  bool IsSelfLoop(int32_t tid) const { return tid > 0 && transitions_.self_loop[tid] == tid; }
  // Whether a phone begins with the transition.
  bool Enters(int32_t tid) const {
    return tid > 0 && transitions_.hmm_state[tid] == 0 && !IsSelfLoop(tid);
  }
  bool Leaves(int32_t tid) const {
    return tid > 0 && transitions_.next_state[tid] == num_states_[PhoneOf(tid)];
  }
  size_t PhoneOf(int32_t tid) const { return static_cast<size_t>(transitions_.phone[tid]); }
  int32_t num_states(int32_t phone) const { return num_states_[static_cast<size_t>(phone)]; }
  const Unit& unit(uint32_t number) const { return units_[number]; }

  // First and one past the last transition-id of a unit's HMM state.
  std::pair<size_t, size_t> Tids(const Unit& unit, int32_t state) const {
    const auto found =
        tids_.find(Key(unit.phone, state, unit.pdfs[static_cast<size_t>(state)]));
    if (found == tids_.end()) {
      throw std::invalid_argument("transitions: phone " + std::to_string(unit.phone) + " state " +
                                  std::to_string(state) + ": expected the pdf " +
                                  std::to_string(unit.pdfs[static_cast<size_t>(state)]) +
                                  " of the tree");
    }
    return found->second;
  }

  uint32_t Find(int32_t left, int32_t phone, int32_t right) {
    const uint64_t triphone = Key(left, phone, right);
    const auto known = of_triphone_.find(triphone);
    if (known != of_triphone_.end()) return known->second;
    Unit unit{phone, {}};
    std::vector<int32_t> key{phone};
    for (int32_t state = 0; state < num_states(phone); ++state) {
      unit.pdfs.push_back(Pdf(left, phone, right, state));
      key.push_back(unit.pdfs.back());
    }
    const auto [found, is_new] = numbers_.try_emplace(key, static_cast<uint32_t>(units_.size()));
    if (is_new) units_.push_back(std::move(unit));
    of_triphone_.emplace(triphone, found->second);
    return found->second;
  }

 private:
  static uint64_t Key(int32_t a, int32_t b, int32_t c) {
    return static_cast<uint64_t>(a) << 42 | static_cast<uint64_t>(b) << 21 |
           static_cast<uint64_t>(c);
  }

  int32_t Pdf(int32_t left, int32_t phone, int32_t right, int32_t state) const {
    const int32_t context[3] = {left, phone, right};
    auto node = static_cast<size_t>(
        tree_.roots[static_cast<size_t>(phone) * tree_.max_states + static_cast<size_t>(state)]);
    while (tree_.position[node] >= 0) {
      const size_t row = static_cast<size_t>(tree_.question[node]) * tree_.num_phones;
      const bool yes = tree_.member[row + static_cast<size_t>(context[tree_.position[node]])];
      node = static_cast<size_t>(yes ? tree_.yes[node] : tree_.no[node]);
    }
    return tree_.pdf[node];
  }

  const TreeArrays tree_;
  const TransitionArrays transitions_;
  std::vector<int32_t> num_states_;  // of each phone
  std::unordered_map<uint64_t, std::pair<size_t, size_t>> tids_;
  std::vector<Unit> units_;
  std::map<std::vector<int32_t>, uint32_t> numbers_;
  std::unordered_map<uint64_t, uint32_t> of_triphone_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_VOCABULARY_HMM_UNITS_H_
