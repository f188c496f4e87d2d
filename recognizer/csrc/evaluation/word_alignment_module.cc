// Python binding of the alignment of words: checks every array and releases the GIL.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "recognizer/csrc/evaluation/word_alignment.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using arrays::Expect;
using arrays::Vector;
using evaluation::NetworkView;

NetworkView View(const std::string& name, const Vector<int32_t>& words,
                 const Vector<uint8_t>& kinds, const Vector<int32_t>& offsets,
                 const Vector<int32_t>& predecessors, const Vector<int32_t>& finals) {
  const size_t num_arcs = words.shape(0);
  Expect(num_arcs > 0, name + ": expected an arc before all words, found none");
  Expect(kinds.shape(0) == num_arcs, name + ": expected a kind for each arc");
  Expect(offsets.shape(0) == num_arcs + 1, name + ": expected an offset for each arc and the end");
  Expect(finals.shape(0) > 0, name + ": expected a final arc, found none");
  const int64_t num_predecessors = static_cast<int64_t>(predecessors.shape(0));
  Expect(offsets.data()[0] == 0 && offsets.data()[1] == 0, name + ": arc 0: expected no predecessor");
  for (size_t arc = 0; arc < num_arcs; ++arc) {
    const int32_t begin = offsets.data()[arc];
    const int32_t end = offsets.data()[arc + 1];
    Expect(begin <= end && end <= num_predecessors && (arc == 0 || begin < end),
           name + ": arc " + std::to_string(arc) + ": expected predecessors");
    for (int32_t i = begin; i < end; ++i) {
      const int32_t predecessor = predecessors.data()[i];
      Expect(predecessor >= 0 && predecessor < static_cast<int64_t>(arc),
             name + ": arc " + std::to_string(arc) + ": expected predecessors before it, found " +
                 std::to_string(predecessor));
    }
  }
  for (size_t i = 0; i < finals.shape(0); ++i) {
    Expect(finals.data()[i] >= 0 && finals.data()[i] < static_cast<int64_t>(num_arcs),
           name + ": expected final arcs of the network, found " +
               std::to_string(finals.data()[i]));
  }
  return {words.data(),  kinds.data(), offsets.data(), predecessors.data(),
          finals.data(), num_arcs,     finals.shape(0)};
}

// Steps as two arrays: the arcs of the reference and of the hypothesis, -1 where there is none.
nb::tuple AlignNetworks(Vector<int32_t> words, Vector<uint8_t> kinds, Vector<int32_t> offsets,
                        Vector<int32_t> predecessors, Vector<int32_t> finals,
                        Vector<int32_t> other_words, Vector<uint8_t> other_kinds,
                        Vector<int32_t> other_offsets, Vector<int32_t> other_predecessors,
                        Vector<int32_t> other_finals) {
  const NetworkView reference =
      View("reference", words, kinds, offsets, predecessors, finals);
  const NetworkView hypothesis = View("hypothesis", other_words, other_kinds, other_offsets,
                                      other_predecessors, other_finals);
  std::vector<int32_t> reference_arcs;
  std::vector<int32_t> hypothesis_arcs;
  {
    nb::gil_scoped_release release;
    for (const evaluation::Step& step : evaluation::AlignNetworks(reference, hypothesis)) {
      reference_arcs.push_back(step.reference);
      hypothesis_arcs.push_back(step.hypothesis);
    }
  }
  return nb::make_tuple(arrays::Give(std::move(reference_arcs)),
                        arrays::Give(std::move(hypothesis_arcs)));
}

}  // namespace

NB_MODULE(_word_alignment, m) {
  m.def("align_networks", &AlignNetworks, "words"_a, "kinds"_a, "offsets"_a, "predecessors"_a,
        "finals"_a, "other_words"_a, "other_kinds"_a, "other_offsets"_a, "other_predecessors"_a,
        "other_finals"_a);
}
