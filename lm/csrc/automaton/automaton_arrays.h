// The numpy arrays of lm.automaton.NgramAutomaton.arrays as an lm::Automaton, for native modules.
#ifndef LM_CSRC_AUTOMATON_AUTOMATON_ARRAYS_H_
#define LM_CSRC_AUTOMATON_AUTOMATON_ARRAYS_H_

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "data/csrc/arrays.h"
#include "lm/csrc/automaton/automaton.h"

namespace lm {

// Keeps the arrays alive as long as itself. Make and destroy it with the GIL held.
class AutomatonArrays {
 public:
  using View = Automaton;

  template <typename T, size_t kColumns>
  using Table = nanobind::ndarray<const T, nanobind::shape<-1, kColumns>, nanobind::c_contig,
                                  nanobind::device::cpu>;

  // states: uint64 [states + 1, 2], each row a HistoryRecord; arcs: uint32 [arcs, 3], each row an
  // Arc; finals: float32 [states]; where the arcs are indexed slots: uint32 [slots, 4], each row an
  // ArcSlot. Throws std::invalid_argument or nanobind's cast error.
  explicit AutomatonArrays(const nanobind::dict& arrays)
      : states_(nanobind::cast<Table<uint64_t, 2>>(arrays["states"], false)),
        arcs_(nanobind::cast<Table<uint32_t, 3>>(arrays["arcs"], false)),
        finals_(nanobind::cast<arrays::Vector<float>>(arrays["finals"], false)),
        slots_(arrays.contains("slots")
                   ? nanobind::cast<Table<uint32_t, 4>>(arrays["slots"], false)
                   : Table<uint32_t, 4>()),
        view_(reinterpret_cast<const HistoryRecord*>(states_.data()), states_.shape(0),
              reinterpret_cast<const Arc*>(arcs_.data()), arcs_.shape(0), finals_.data(),
              finals_.shape(0), TableOf(slots_)) {}

  const Automaton& view() const { return view_; }

 private:
  static ArcTable TableOf(const Table<uint32_t, 4>& slots) {
    if (!slots.is_valid()) return {};
    return {reinterpret_cast<const ArcSlot*>(slots.data()), slots.shape(0)};
  }

  Table<uint64_t, 2> states_;
  Table<uint32_t, 3> arcs_;
  arrays::Vector<float> finals_;
  Table<uint32_t, 4> slots_;
  Automaton view_;
};

}  // namespace lm

#endif  // LM_CSRC_AUTOMATON_AUTOMATON_ARRAYS_H_
