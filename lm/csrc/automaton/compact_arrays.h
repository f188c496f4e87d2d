// The numpy arrays of a compact lm.automaton.NgramAutomaton as an lm::CompactAutomaton.
#ifndef LM_CSRC_AUTOMATON_COMPACT_ARRAYS_H_
#define LM_CSRC_AUTOMATON_COMPACT_ARRAYS_H_

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstring>

#include "data/csrc/arrays.h"
#include "lm/csrc/automaton/compact_automaton.h"

namespace lm {

// Keeps the arrays alive as long as itself. Make and destroy it with the GIL held.
class CompactAutomatonArrays {
 public:
  using View = CompactAutomaton;

  // Throws std::invalid_argument or nanobind's cast error.
  explicit CompactAutomatonArrays(const nanobind::dict& arrays)
      : sizes_(Get<uint64_t>(arrays, "sizes")),
        unigrams_(Get<float>(arrays, "unigrams")),
        arcs_(Get<uint8_t>(arrays, "arcs")),
        spells_state_(Get<uint64_t>(arrays, "spells_state")),
        first_arcs_(Get<uint64_t>(arrays, "first_arcs")),
        offsets_(Get<uint8_t>(arrays, "offsets")),
        states_(Get<uint8_t>(arrays, "states")),
        log_prob_table_(Get<float>(arrays, "log_prob_table")),
        backoff_table_(Get<float>(arrays, "backoff_table")),
        slots_(arrays.contains("slots") ? Get<uint32_t>(arrays, "slots")
                                        : arrays::Vector<uint32_t>()),
        view_(Parts()) {}

  const CompactAutomaton& view() const { return view_; }

 private:
  template <typename T>
  static arrays::Vector<T> Get(const nanobind::dict& arrays, const char* name) {
    return nanobind::cast<arrays::Vector<T>>(arrays[name], false);
  }

  CompactParts Parts() const {
    CompactParts parts{};
    arrays::ExpectSize(sizes_, sizeof(parts.sizes) / sizeof(uint64_t), "sizes");
    std::memcpy(&parts.sizes, sizes_.data(), sizeof(parts.sizes));
    parts.unigrams = unigrams_.data();
    parts.unigrams_size = unigrams_.shape(0);
    parts.arcs = arcs_.data();
    parts.arcs_size = arcs_.shape(0);
    parts.spells_state = spells_state_.data();
    parts.spells_state_size = spells_state_.shape(0);
    parts.first_arcs = first_arcs_.data();
    parts.first_arcs_size = first_arcs_.shape(0);
    parts.offsets = offsets_.data();
    parts.offsets_size = offsets_.shape(0);
    parts.states = states_.data();
    parts.states_size = states_.shape(0);
    parts.log_prob_table = log_prob_table_.data();
    parts.log_prob_table_size = log_prob_table_.shape(0);
    parts.backoff_table = backoff_table_.data();
    parts.backoff_table_size = backoff_table_.shape(0);
    if (slots_.is_valid()) {
      parts.slots = slots_.data();
      parts.slots_size = slots_.shape(0);
    }
    return parts;
  }

  arrays::Vector<uint64_t> sizes_;
  arrays::Vector<float> unigrams_;
  arrays::Vector<uint8_t> arcs_;
  arrays::Vector<uint64_t> spells_state_;
  arrays::Vector<uint64_t> first_arcs_;
  arrays::Vector<uint8_t> offsets_;
  arrays::Vector<uint8_t> states_;
  arrays::Vector<float> log_prob_table_;
  arrays::Vector<float> backoff_table_;
  arrays::Vector<uint32_t> slots_;
  CompactAutomaton view_;
};

}  // namespace lm

#endif  // LM_CSRC_AUTOMATON_COMPACT_ARRAYS_H_
