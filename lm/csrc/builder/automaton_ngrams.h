// The n-grams of an automaton, read back from its states and arcs.
#ifndef LM_CSRC_BUILDER_AUTOMATON_NGRAMS_H_
#define LM_CSRC_BUILDER_AUTOMATON_NGRAMS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "lm/csrc/automaton/automaton.h"
#include "lm/csrc/automaton/compact_automaton.h"

namespace lm {

// N-grams of one order: `order` ids of each, and log10 values.
struct NgramRows {
  std::vector<int32_t> ids;
  std::vector<double> log10_probs;
  std::vector<double> log10_backoffs;
};

// Of the model that an automaton was built of, all n-grams come but those that say nothing of any
// sentence; back-off weights of n-grams that are no history are 0. Everything is read from front to
// back. Ids are those of a vocabulary with <s> and </s>.
class AutomatonNgrams {
 public:
  struct Options {
    int order;            // of the model that the automaton was made of
    uint32_t begin;       // the rows of <s> and </s> in the vocabulary
    uint32_t end;
    float begin_log_prob;  // of <s>, which no arc has
  };

  // The automaton must outlive the result. Throws std::invalid_argument where states have no arcs
  // that lead to them.
  static std::unique_ptr<AutomatonNgrams> Make(const Automaton& automaton, const Options& options);
  static std::unique_ptr<AutomatonNgrams> Make(const CompactAutomaton& automaton,
                                               const Options& options);

  virtual ~AutomatonNgrams() = default;

  // N-grams of each order.
  virtual const std::vector<uint64_t>& counts() const = 0;

  // Before the n-grams of an order, of 1 to the highest.
  virtual void Begin(int order) = 0;

  // The next n-grams of the order, sorted by the rows of their words from the first one on: at least
  // so many, or all that are left. None at the end.
  virtual NgramRows Next(size_t at_least) = 0;
};

}  // namespace lm

#endif  // LM_CSRC_BUILDER_AUTOMATON_NGRAMS_H_
