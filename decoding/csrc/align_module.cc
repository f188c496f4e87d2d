// Python's door to the aligner: checks every buffer, releases the GIL, returns numpy arrays.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "align.h"
#include "data/csrc/arrays.h"

namespace nb = nanobind;

namespace {

using arrays::Expect;
using arrays::ExpectSize;
using arrays::Matrix;
using arrays::Vector;

void ExpectRange(const Vector<int32_t>& array, int64_t limit, const char* name) {
  for (size_t i = 0; i < array.shape(0); ++i) {
    const int64_t value = array.data()[i];
    Expect(value >= 0 && value < limit, std::string(name) + "[" + std::to_string(i) +
                                            "]: expected 0 .. " + std::to_string(limit - 1) +
                                            ", found " + std::to_string(value));
  }
}

nb::tuple Viterbi(const Matrix& log_likelihoods, double scale, double beam,
                  const Vector<int32_t>& columns,
                  const Vector<float>& loop_log_probs,
                  const Vector<float>& final_log_probs,
                  const Vector<int64_t>& offsets, const Vector<int32_t>& targets,
                  const Vector<float>& arc_log_probs,
                  const Vector<int32_t>& starts,
                  const Vector<float>& start_log_probs) {
  const size_t num_nodes = columns.shape(0);
  Expect(num_nodes < static_cast<size_t>(INT32_MAX), "columns: too many nodes");
  Expect(std::isfinite(scale) && scale >= 0, "scale: expected a finite number >= 0");
  Expect(beam > 0, "beam: expected a number > 0");
  ExpectSize(loop_log_probs, num_nodes, "loop_log_probs");
  ExpectSize(final_log_probs, num_nodes, "final_log_probs");
  ExpectSize(offsets, num_nodes + 1, "offsets");
  ExpectSize(arc_log_probs, targets.shape(0), "arc_log_probs");
  ExpectSize(start_log_probs, starts.shape(0), "start_log_probs");
  Expect(starts.shape(0) < static_cast<size_t>(INT32_MAX), "starts: too many");
  ExpectRange(columns, static_cast<int64_t>(log_likelihoods.shape(1)), "columns");
  ExpectRange(targets, static_cast<int64_t>(num_nodes), "targets");
  ExpectRange(starts, static_cast<int64_t>(num_nodes), "starts");
  Expect(offsets.data()[0] == 0, "offsets: expected to start with 0");
  for (size_t n = 0; n < num_nodes; ++n) {
    Expect(offsets.data()[n] <= offsets.data()[n + 1], "offsets: expected to ascend");
  }
  Expect(offsets.data()[num_nodes] == static_cast<int64_t>(targets.shape(0)),
         "offsets: expected to end with the number of arcs");
  for (size_t n = 0; n < num_nodes; ++n) {
    for (int64_t a = offsets.data()[n]; a < offsets.data()[n + 1]; ++a) {
      Expect(targets.data()[a] != static_cast<int32_t>(n),
             "targets: node " + std::to_string(n) + " leads to itself: give it a loop instead");
    }
  }

  decoding::AlignGraph graph;
  graph.num_nodes = static_cast<int32_t>(num_nodes);
  graph.columns = columns.data();
  graph.loop_log_probs = loop_log_probs.data();
  graph.final_log_probs = final_log_probs.data();
  graph.offsets = offsets.data();
  graph.targets = targets.data();
  graph.arc_log_probs = arc_log_probs.data();
  graph.num_starts = static_cast<int32_t>(starts.shape(0));
  graph.starts = starts.data();
  graph.start_log_probs = start_log_probs.data();

  decoding::Alignment alignment;
  {
    nb::gil_scoped_release release;
    alignment = decoding::Align(graph, log_likelihoods.data(),
                                static_cast<int64_t>(log_likelihoods.shape(0)),
                                static_cast<int64_t>(log_likelihoods.shape(1)), scale, beam);
  }
  return nb::make_tuple(arrays::Give(std::move(alignment.nodes)), alignment.log_prob);
}

}  // namespace

NB_MODULE(_align, m) {
  m.doc() = "Viterbi alignment of one utterance against the graph of its transcript.";
  // noconvert: a wrong type is a mistake to hear of, not to copy around.
  m.def("viterbi", &Viterbi, nb::arg("log_likelihoods").noconvert(), nb::arg("scale"),
        nb::arg("beam"), nb::arg("columns").noconvert(), nb::arg("loop_log_probs").noconvert(),
        nb::arg("final_log_probs").noconvert(), nb::arg("offsets").noconvert(),
        nb::arg("targets").noconvert(), nb::arg("arc_log_probs").noconvert(),
        nb::arg("starts").noconvert(), nb::arg("start_log_probs").noconvert(),
        "Best path: (node of every frame int32 [T], its natural-log score); no nodes where no "
        "path within the beam reaches a final node.");
}
