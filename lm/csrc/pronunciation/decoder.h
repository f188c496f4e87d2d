// The likeliest pronunciations of words under an n-gram model of graphones.
#ifndef LM_CSRC_PRONUNCIATION_DECODER_H_
#define LM_CSRC_PRONUNCIATION_DECODER_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lm/csrc/pronunciation/alignment.h"
#include "lm/csrc/pronunciation/log_add.h"

namespace lm {

struct PronunciationLimits {
  size_t count;       // of pronunciations that are wanted
  double beam;        // natural log; below the best hypothesis behind the same letters
  size_t max_active;  // hypotheses behind the same letters
  size_t max_paths;   // segmentations that are looked at for the pronunciations
};

struct ScoredPhones {
  std::vector<int32_t> phones;
  double log_prob;
};

// The graphones that a word's letters can be cut into, by letters.
class GraphoneIndex {
 public:
  struct Entry {
    uint32_t word;  // id in the n-gram model
    std::vector<int32_t> phones;
  };

  // Row i of `graphones` belongs to the n-gram model's word i; rows without a letter are skipped.
  GraphoneIndex(const Graphone* graphones, size_t size) {
    for (size_t i = 0; i < size; ++i) {
      const Graphone& graphone = graphones[i];
      if (graphone[0] < 0) continue;
      Entry entry{static_cast<uint32_t>(i), {}};
      for (int p = kMaxLetters; p < kMaxLetters + kMaxPhones && graphone[p] >= 0; ++p) {
        entry.phones.push_back(graphone[p]);
      }
      of_letters_[{graphone[0], graphone[1]}].push_back(std::move(entry));
    }
  }

  // Those of the next letters, so many; nullptr where there are none. A letter that no graphone has
  // is -1.
  const std::vector<Entry>* Find(const int32_t* letters, int count) const {
    const int32_t first = letters[0];
    const int32_t second = count == 1 ? -1 : letters[1];
    if (first < 0 || (count > 1 && second < 0)) return nullptr;
    const auto found = of_letters_.find({first, second});
    return found == of_letters_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::pair<int32_t, int32_t>, std::vector<Entry>> of_letters_;
};

// Searches one word after the other. A hypothesis is a number of letters and a state of the n-gram
// model: all segmentations that lead there go on alike, and are kept as a lattice.
template <typename Model>
class PronunciationDecoder {
 public:
  PronunciationDecoder(const Model& model, const GraphoneIndex& index,
                       const PronunciationLimits& limits)
      : model_(model), index_(index), limits_(limits) {}

  // The likeliest distinct pronunciations, each with the log of its probability given the letters:
  // of all its segmentations that were looked at, among all that survived the beam. The first is
  // the one of the least expected number of wrong phones, the others follow by their probability.
  // Empty where no graphones fit, or only such without phones.
  std::vector<ScoredPhones> Decode(const int32_t* letters, int num_letters) {
    nodes_.clear();
    arcs_.clear();
    layers_.assign(static_cast<size_t>(num_letters) + 1, {});
    AddNode(0, model_.start(), 0.0, 0.0);
    for (int at = 0; at < num_letters; ++at) {
      Prune(&layers_[at]);
      Expand(at, letters, num_letters);
    }
    return Best(layers_[num_letters]);
  }

 private:
  static constexpr size_t kCompared = 25;  // pronunciations, for the least expected errors

  struct Node {
    uint32_t state;
    double best;  // log probability of the best way here
    double sum;   // and of all ways
    int32_t last_arc;
  };
  struct Arc {
    int32_t from;
    int32_t previous;  // of those into the same node
    const GraphoneIndex::Entry* graphone;
    double log_prob;
  };
  struct Layer {
    std::vector<int32_t> nodes;
    std::unordered_map<uint32_t, int32_t> of_state;
  };
  // The end of a path: it leads from `node` to the word's end.
  struct Suffix {
    double bound;     // log probability of the best whole path with this end
    double log_prob;  // of this end alone
    int32_t node;
    int32_t next;  // suffix that this one was made of
    const GraphoneIndex::Entry* graphone;
  };

  int32_t AddNode(size_t at, uint32_t state, double best, double sum) {
    const auto id = static_cast<int32_t>(nodes_.size());
    nodes_.push_back({state, best, sum, -1});
    layers_[at].nodes.push_back(id);
    layers_[at].of_state.emplace(state, id);
    return id;
  }

  void Prune(Layer* layer) const {
    auto& nodes = layer->nodes;
    const auto better = [this](int32_t a, int32_t b) {
      return nodes_[a].best != nodes_[b].best ? nodes_[a].best > nodes_[b].best : a < b;
    };
    if (nodes.size() > limits_.max_active) {
      std::nth_element(nodes.begin(), nodes.begin() + static_cast<ptrdiff_t>(limits_.max_active),
                       nodes.end(), better);
      nodes.resize(limits_.max_active);
    }
    double best = -std::numeric_limits<double>::infinity();
    for (const int32_t node : nodes) best = std::max(best, nodes_[node].best);
    nodes.erase(std::remove_if(nodes.begin(), nodes.end(),
                               [&](int32_t node) {
                                 return nodes_[node].best < best - limits_.beam;
                               }),
                nodes.end());
  }

  void Expand(int at, const int32_t* letters, int num_letters) {
    for (int count = 1; count <= std::min(kMaxLetters, num_letters - at); ++count) {
      const auto* graphones = index_.Find(letters + at, count);
      if (graphones == nullptr) continue;
      const auto to = static_cast<size_t>(at + count);
      for (const int32_t from : layers_[at].nodes) {
        for (const GraphoneIndex::Entry& graphone : *graphones) {
          uint32_t state = 0;
          const double log_prob = model_.Advance(nodes_[from].state, graphone.word, &state);
          Connect(from, to, state, &graphone, log_prob);
        }
      }
    }
  }

  void Connect(int32_t from, size_t to, uint32_t state, const GraphoneIndex::Entry* graphone,
               double log_prob) {
    const double best = nodes_[from].best + log_prob;
    const double sum = nodes_[from].sum + log_prob;
    const auto found = layers_[to].of_state.find(state);
    int32_t id = 0;
    if (found == layers_[to].of_state.end()) {
      id = AddNode(to, state, best, sum);
    } else {
      id = found->second;
      nodes_[id].best = std::max(nodes_[id].best, best);
      nodes_[id].sum = LogAdd(nodes_[id].sum, sum);
    }
    arcs_.push_back({from, nodes_[id].last_arc, graphone, log_prob});
    nodes_[id].last_arc = static_cast<int32_t>(arcs_.size() - 1);
  }

  // A* from the end to the start (Soong and Huang, 1991): `Node::best` is the exact rest, so paths
  // come in order of their probability.
  std::vector<ScoredPhones> Best(const Layer& last) const {
    std::vector<Suffix> suffixes;
    const auto worse = [&suffixes](int32_t a, int32_t b) {
      return suffixes[a].bound != suffixes[b].bound ? suffixes[a].bound < suffixes[b].bound : a > b;
    };
    std::priority_queue<int32_t, std::vector<int32_t>, decltype(worse)> queue(worse);
    double total = -std::numeric_limits<double>::infinity();
    const auto push = [&](const Suffix& suffix) {
      suffixes.push_back(suffix);
      queue.push(static_cast<int32_t>(suffixes.size() - 1));
    };
    for (const int32_t node : last.nodes) {
      const double final = model_.Final(nodes_[node].state);
      total = LogAdd(total, nodes_[node].sum + final);
      push({nodes_[node].best + final, final, node, -1, nullptr});
    }
    std::map<std::vector<int32_t>, double> found;
    std::vector<int32_t> phones;
    for (size_t paths = 0; paths < limits_.max_paths && !queue.empty();) {
      const int32_t id = queue.top();
      queue.pop();
      const Suffix suffix = suffixes[id];
      if (suffix.node == 0) {
        ++paths;
        phones.clear();
        for (int32_t s = id; suffixes[s].graphone != nullptr; s = suffixes[s].next) {
          const auto& more = suffixes[s].graphone->phones;
          phones.insert(phones.end(), more.begin(), more.end());
        }
        if (phones.empty()) continue;
        const auto place = found.find(phones);
        if (place == found.end()) {
          found.emplace(phones, suffix.log_prob);
        } else {
          place->second = LogAdd(place->second, suffix.log_prob);
        }
        continue;
      }
      for (int32_t a = nodes_[suffix.node].last_arc; a >= 0; a = arcs_[a].previous) {
        const Arc& arc = arcs_[a];
        const double log_prob = suffix.log_prob + arc.log_prob;
        push({nodes_[arc.from].best + log_prob, log_prob, arc.from, id, arc.graphone});
      }
    }
    std::vector<ScoredPhones> result;
    for (auto& [sequence, log_prob] : found) result.push_back({sequence, log_prob - total});
    std::stable_sort(result.begin(), result.end(), [](const auto& a, const auto& b) {
      return a.log_prob > b.log_prob;
    });
    PutSafestFirst(&result);
    if (result.size() > limits_.count) result.resize(limits_.count);
    return result;
  }

  // Minimum Bayes risk: the likeliest pronunciation may have a sound that most others, which share
  // the rest, do not have.
  void PutSafestFirst(std::vector<ScoredPhones>* result) const {
    const size_t size = std::min(result->size(), kCompared);
    double least = std::numeric_limits<double>::infinity();
    size_t safest = 0;
    for (size_t i = 0; i < size; ++i) {
      double risk = 0.0;
      for (size_t j = 0; j < size; ++j) {
        risk += std::exp((*result)[j].log_prob) * Distance((*result)[i].phones, (*result)[j].phones);
      }
      if (risk < least) {
        least = risk;
        safest = i;
      }
    }
    const auto first = result->begin();
    std::rotate(first, first + static_cast<ptrdiff_t>(safest),
                first + static_cast<ptrdiff_t>(safest + (size > 0)));
  }

  // Levenshtein's.
  static int Distance(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
    std::vector<int> row(b.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = static_cast<int>(j);
    for (size_t i = 0; i < a.size(); ++i) {
      int diagonal = row[0]++;
      for (size_t j = 0; j < b.size(); ++j) {
        const int substituted = diagonal + (a[i] != b[j]);
        diagonal = row[j + 1];
        row[j + 1] = std::min({substituted, row[j] + 1, row[j + 1] + 1});
      }
    }
    return row.back();
  }

  const Model& model_;
  const GraphoneIndex& index_;
  const PronunciationLimits limits_;
  std::vector<Node> nodes_;
  std::vector<Arc> arcs_;
  std::vector<Layer> layers_;
};

}  // namespace lm

#endif  // LM_CSRC_PRONUNCIATION_DECODER_H_
