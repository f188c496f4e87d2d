// Python's door to the n-gram automaton: one step at a time, or a text at once without the GIL.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "lm/csrc/automaton.h"
#include "lm/csrc/automaton_arrays.h"

namespace nb = nanobind;

namespace {

using arrays::Expect;
using arrays::Vector;

class PyAutomaton {
 public:
  PyAutomaton(const nb::dict& arrays, bool validate) : arrays_(arrays) {
    if (!validate) return;
    nb::gil_scoped_release release;
    arrays_.view().Validate();
  }

  uint32_t num_states() const { return arrays_.view().num_states(); }
  uint32_t num_words() const { return arrays_.view().num_words(); }
  uint64_t num_arcs() const { return arrays_.view().num_arcs(); }
  uint32_t start() const { return arrays_.view().start(); }

  nb::tuple Advance(uint32_t state, uint32_t word) const {
    ExpectState(state);
    uint32_t next = 0;
    const float log_prob = arrays_.view().Advance(state, word, &next);
    return nb::make_tuple(log_prob, next);
  }

  float Final(uint32_t state) const {
    ExpectState(state);
    return arrays_.view().Final(state);
  }

  float Backoff(uint32_t state) const {
    ExpectState(state);
    return arrays_.view().backoff(state);
  }

  uint32_t BackoffState(uint32_t state) const {
    ExpectState(state);
    return arrays_.view().backoff_state(state);
  }

  nb::tuple Score(const Vector<int32_t>& words, const Vector<int64_t>& offsets) const {
    Expect(offsets.shape(0) > 0 && offsets.data()[0] == 0, "offsets: expected to start with 0");
    const size_t sentences = offsets.shape(0) - 1;
    for (size_t i = 0; i < sentences; ++i) {
      Expect(offsets.data()[i] <= offsets.data()[i + 1], "offsets: expected to ascend");
    }
    Expect(offsets.data()[sentences] == static_cast<int64_t>(words.shape(0)),
           "offsets: expected to end with the number of words");
    std::vector<float> log_probs(words.shape(0));
    std::vector<float> finals(sentences);
    {
      nb::gil_scoped_release release;
      const lm::Automaton& automaton = arrays_.view();
      for (size_t i = 0; i < sentences; ++i) {
        uint32_t state = automaton.start();
        for (int64_t w = offsets.data()[i]; w < offsets.data()[i + 1]; ++w) {
          log_probs[w] =
              automaton.Advance(state, static_cast<uint32_t>(words.data()[w]), &state);
        }
        finals[i] = automaton.Final(state);
      }
    }
    return nb::make_tuple(arrays::Give(std::move(log_probs)), arrays::Give(std::move(finals)));
  }

 private:
  void ExpectState(uint32_t state) const {
    Expect(state < num_states(), "state: expected less than " + std::to_string(num_states()) +
                                     ", found " + std::to_string(state));
  }

  lm::AutomatonArrays arrays_;
};

}  // namespace

NB_MODULE(_automaton, m) {
  m.doc() = "A back-off n-gram model as a deterministic automaton.";
  nb::class_<PyAutomaton>(m, "Automaton")
      .def(nb::init<const nb::dict&, bool>(), nb::arg("arrays"), nb::arg("validate"))
      .def_prop_ro("num_states", &PyAutomaton::num_states)
      .def_prop_ro("num_words", &PyAutomaton::num_words)
      .def_prop_ro("num_arcs", &PyAutomaton::num_arcs)
      .def_prop_ro("start", &PyAutomaton::start)
      .def("advance", &PyAutomaton::Advance, nb::arg("state"), nb::arg("word"),
           "(log_prob, state after the word)")
      .def("final", &PyAutomaton::Final, nb::arg("state"))
      .def("backoff", &PyAutomaton::Backoff, nb::arg("state"))
      .def("backoff_state", &PyAutomaton::BackoffState, nb::arg("state"))
      .def("score", &PyAutomaton::Score, nb::arg("words").noconvert(),
           nb::arg("offsets").noconvert(),
           "Log probability of every word of sentences and of every sentence's end.");
}
