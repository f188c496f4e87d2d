// The Python module of the n-gram automaton: one word at a time, or a text at once without the GIL.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "lm/csrc/automaton/automaton.h"
#include "lm/csrc/automaton/automaton_arrays.h"
#include "lm/csrc/automaton/compact_arrays.h"
#include "lm/csrc/automaton/sentence_scorer.h"
#include "lm/csrc/automaton/word_lookup.h"

namespace nb = nanobind;

namespace {

using arrays::Expect;
using arrays::Vector;

template <typename Arrays>
class PyAutomaton {
 public:
  using View = typename Arrays::View;

  PyAutomaton(const nb::dict& arrays, bool validate) : arrays_(arrays) {
    if (!validate) return;
    nb::gil_scoped_release release;
    view().Validate();
  }

  const View& view() const { return arrays_.view(); }

  uint32_t num_states() const { return view().num_states(); }
  uint32_t num_words() const { return view().num_words(); }
  uint32_t start() const { return view().start(); }

  nb::tuple Advance(uint32_t state, uint32_t word) const {
    ExpectState(state);
    uint32_t next = 0;
    const float log_prob = view().Advance(state, word, &next);
    return nb::make_tuple(log_prob, next);
  }

  float Final(uint32_t state) const {
    ExpectState(state);
    return view().Final(state);
  }

  float Backoff(uint32_t state) const {
    ExpectState(state);
    return view().backoff(state);
  }

  uint32_t BackoffState(uint32_t state) const {
    ExpectState(state);
    return view().backoff_state(state);
  }

  nb::list ExplicitArcs(uint32_t state) const {
    ExpectState(state);
    nb::list arcs;
    view().ForEachArc(state, [&](const lm::Arc& arc) {
      arcs.append(nb::make_tuple(arc.word, arc.log_prob, arc.next));
    });
    return arcs;
  }

  nb::tuple Score(const Vector<int32_t>& words, const Vector<int64_t>& offsets,
                  size_t at_once) const {
    Expect(at_once > 0, "at_once: expected at least 1");
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
      lm::SentenceScorer<View> scorer(view());
      for (size_t s = 0; s < sentences; s += std::min(at_once, sentences - s)) {
        scorer.Score(words.data(), offsets.data() + s, std::min(at_once, sentences - s),
                     log_probs.data(), finals.data() + s);
      }
    }
    return nb::make_tuple(arrays::Give(std::move(log_probs)), arrays::Give(std::move(finals)));
  }

  static auto Bind(nb::module_& m, const char* name) {
    return nb::class_<PyAutomaton>(m, name)
        .def(nb::init<const nb::dict&, bool>(), nb::arg("arrays"), nb::arg("validate"))
        .def_prop_ro("num_states", &PyAutomaton::num_states)
        .def_prop_ro("num_words", &PyAutomaton::num_words)
        .def_prop_ro("start", &PyAutomaton::start)
        .def("advance", &PyAutomaton::Advance, nb::arg("state"), nb::arg("word"),
             "(log_prob, state after the word)")
        .def("final", &PyAutomaton::Final, nb::arg("state"))
        .def("backoff", &PyAutomaton::Backoff, nb::arg("state"))
        .def("backoff_state", &PyAutomaton::BackoffState, nb::arg("state"))
        .def("explicit_arcs", &PyAutomaton::ExplicitArcs, nb::arg("state"),
             "[(word, log_prob, next)]")
        .def("score", &PyAutomaton::Score, nb::arg("words").noconvert(),
             nb::arg("offsets").noconvert(), nb::arg("at_once"),
             "Log probability of every word of sentences and of every sentence's end.");
  }

 private:
  void ExpectState(uint32_t state) const {
    Expect(state < num_states(), "state: expected less than " + std::to_string(num_states()) +
                                     ", found " + std::to_string(state));
  }

  Arrays arrays_;
};

using Fast = PyAutomaton<lm::AutomatonArrays>;
using Compact = PyAutomaton<lm::CompactAutomatonArrays>;

template <typename T, size_t kColumns>
using OpenTable =
    nb::ndarray<T, nb::shape<-1, kColumns>, nb::c_contig, nb::device::cpu>;  // to be written to

lm::ArcIndexer Indexer(const OpenTable<uint64_t, 2>& states,
                       const lm::AutomatonArrays::Table<uint32_t, 3>& arcs) {
  Expect(states.shape(0) > 0 && states.shape(0) <= UINT32_MAX, "states: expected 1 to 2^32 - 1");
  return {reinterpret_cast<lm::HistoryRecord*>(states.data()),
          static_cast<uint32_t>(states.shape(0) - 1),
          reinterpret_cast<const lm::Arc*>(arcs.data())};
}

uint64_t NumSlots(const OpenTable<uint64_t, 2>& states,
                  const lm::AutomatonArrays::Table<uint32_t, 3>& arcs) {
  const lm::ArcIndexer indexer = Indexer(states, arcs);
  nb::gil_scoped_release release;
  return indexer.NumSlots();
}

void FillSlots(const OpenTable<uint64_t, 2>& states,
               const lm::AutomatonArrays::Table<uint32_t, 3>& arcs,
               const OpenTable<uint32_t, 4>& slots) {
  const lm::ArcIndexer indexer = Indexer(states, arcs);
  Expect(slots.shape(0) == indexer.NumSlots(), "slots: expected as many as the index takes");
  nb::gil_scoped_release release;
  indexer.Fill(reinterpret_cast<lm::ArcSlot*>(slots.data()), slots.shape(0));
}

uint64_t NumCompactSlots(const Compact& compact) {
  nb::gil_scoped_release release;
  return compact.view().NumSlots();
}

void FillCompactSlots(const Compact& compact,
                      const nb::ndarray<uint32_t, nb::ndim<1>, nb::c_contig>& slots) {
  Expect(slots.shape(0) == compact.view().NumSlots(), "slots: expected as many as the index takes");
  nb::gil_scoped_release release;
  compact.view().FillSlots(slots.data(), slots.shape(0));
}

std::string_view Lines(const Vector<uint8_t>& bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.shape(0));
  Expect(text.empty() || text.back() == '\n', "words: expected a line feed behind each of them");
  return text;
}

nb::object WordIds(const Vector<uint8_t>& vocabulary, const Vector<uint8_t>& words) {
  const std::string_view known = Lines(vocabulary), asked = Lines(words);
  std::vector<int32_t> ids;
  {
    nb::gil_scoped_release release;
    const lm::WordLookup lookup(known);
    lm::ForEachLine(asked, [&](std::string_view word) { ids.push_back(lookup.Find(word)); });
  }
  return arrays::Give(std::move(ids));
}

}  // namespace

NB_MODULE(_automaton, m) {
  m.doc() = "A back-off n-gram model as a deterministic automaton.";
  Fast::Bind(m, "Automaton");
  Compact::Bind(m, "CompactAutomaton");
  m.def("word_ids", &WordIds, nb::arg("vocabulary").noconvert(), nb::arg("words").noconvert(),
        "Row in the vocabulary of each word, -1: none; a line feed follows each word of both.");
  m.def("num_slots", &NumSlots, nb::arg("states").noconvert(), nb::arg("arcs").noconvert(),
        "Rows that the index of a valid automaton's arcs takes.");
  m.def("fill_slots", &FillSlots, nb::arg("states").noconvert(), nb::arg("arcs").noconvert(),
        nb::arg("slots").noconvert(), "Mark the states and fill slots that are zeros.");
  m.def("num_slots", &NumCompactSlots, nb::arg("automaton"),
        "Slots that the index of a valid automaton's arcs takes.");
  m.def("fill_slots", &FillCompactSlots, nb::arg("automaton"), nb::arg("slots").noconvert(),
        "Fill slots that are zeros.");
}
