// The Python binding of forward-backward for sequence criteria: checks its arguments, releases the
// interpreter's lock.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "am/csrc/sequence/denominator.h"
#include "am/csrc/sequence/expected_accuracy.h"
#include "am/csrc/sequence/numerator.h"
#include "data/csrc/arrays.h"

namespace nb = nanobind;

namespace {

using arrays::Expect;
using arrays::ExpectSize;
using Ints = arrays::Vector<int32_t>;
using Longs = arrays::Vector<int64_t>;
using Floats = arrays::Vector<float>;
using Doubles = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename Real>
using Logits = nb::ndarray<const Real, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
template <typename Real>
using Posteriors = nb::ndarray<Real, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
template <typename Real>
using Alphas = nb::ndarray<Real, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr size_t kMostThreads = 1024;

void ExpectBelow(const Ints& values, size_t limit, const char* name) {
  for (size_t i = 0; i < values.shape(0); ++i) {
    Expect(values.data()[i] >= 0 && static_cast<size_t>(values.data()[i]) < limit,
           std::string(name) + ": expected 0 to " + std::to_string(limit) + " - 1, found " +
               std::to_string(values.data()[i]));
  }
}

void ExpectRows(const Longs& begins, const Longs& lengths, size_t frames, size_t streams) {
  ExpectSize(begins, streams, "begins");
  ExpectSize(lengths, streams, "lengths");
  for (size_t n = 0; n < streams; ++n) {
    const int64_t begin = begins.data()[n], length = lengths.data()[n];
    const int64_t most = static_cast<int64_t>(frames);
    Expect(begin >= 0 && length >= 0 && begin <= most && length <= most - begin,
           "begins, lengths: expected rows of " + std::to_string(frames));
  }
}

void MakeDenominator(sequence::Denominator* self, const Ints& sources, const Ints& destinations,
                     const Ints& pdfs, const Floats& log_probs, const Floats& occupancy,
                     size_t outputs, float leak, const std::string& level) {
  const size_t arcs = sources.shape(0), states = occupancy.shape(0);
  Expect(states > 0 && outputs > 0, "expected states and outputs");
  Expect(arcs < std::numeric_limits<uint32_t>::max(), "expected fewer arcs");
  ExpectSize(destinations, arcs, "destinations");
  ExpectSize(pdfs, arcs, "pdfs");
  ExpectSize(log_probs, arcs, "log_probs");
  ExpectBelow(sources, states, "sources");
  ExpectBelow(destinations, states, "destinations");
  ExpectBelow(pdfs, outputs, "pdfs");
  Expect(leak >= 0 && std::isfinite(leak), "leak: expected a number >= 0");
  std::vector<std::array<uint32_t, 3>> triples(arcs);
  std::vector<float> probs(arcs);
  for (size_t a = 0; a < arcs; ++a) {
    triples[a] = {static_cast<uint32_t>(sources.data()[a]),
                  static_cast<uint32_t>(destinations.data()[a]),
                  static_cast<uint32_t>(pdfs.data()[a])};
    probs[a] = std::exp(log_probs.data()[a]);
    Expect(std::isfinite(probs[a]), "log_probs: expected finite probabilities");
  }
  new (self) sequence::Denominator(
      std::move(triples), probs.data(),
      std::vector<float>(occupancy.data(), occupancy.data() + states), outputs, leak, level);
}

template <typename Real>
nb::object RunDenominator(sequence::Denominator& self, const Logits<Real>& logits,
                          const Longs& begins, const Longs& lengths, const Alphas<Real>& alphas,
                          const std::optional<Posteriors<Real>>& posteriors, size_t threads) {
  const size_t frames = logits.shape(0), streams = logits.shape(1);
  Expect(logits.shape(2) == self.outputs(),
         "logits: expected [T, N, " + std::to_string(self.outputs()) + "]");
  ExpectRows(begins, lengths, frames, streams);
  Expect(alphas.shape(0) == streams && alphas.shape(1) == self.states(),
         "alphas: expected [N, " + std::to_string(self.states()) + "]");
  Expect(threads > 0 && threads <= kMostThreads, "threads: expected 1 to 1024");
  if (posteriors) {
    for (size_t i = 0; i < 3; ++i) {
      Expect(posteriors->shape(i) == logits.shape(i), "posteriors: expected the logits' shape");
    }
  }
  std::vector<double> values(streams);
  {
    nb::gil_scoped_release release;
    self.Run(sequence::DenominatorTask<Real>{logits.data(), frames, streams, begins.data(),
                                             lengths.data(), alphas.data(),
                                             posteriors ? posteriors->data() : nullptr,
                                             values.data()},
             threads);
  }
  return arrays::Give(std::move(values));
}

void ExpectOffsets(const Longs& offsets, size_t streams, const char* name) {
  ExpectSize(offsets, streams + 1, name);
  Expect(offsets.data()[0] == 0, std::string(name) + ": expected offsets from 0");
  for (size_t n = 0; n < streams; ++n) {
    Expect(offsets.data()[n] <= offsets.data()[n + 1],
           std::string(name) + ": expected ascending offsets");
  }
}

// Calls work(worker, n) for each stream, in several threads that have a worker each.
template <typename Worker>
void ForStreams(size_t streams, size_t threads,
                const std::function<void(Worker&, size_t)>& work) {
  std::atomic<size_t> next{0};
  const auto run = [&] {
    Worker worker;
    for (size_t n; (n = next.fetch_add(1)) < streams;) work(worker, n);
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < std::min(threads, streams); ++i) others.emplace_back(run);
  run();
  for (std::thread& thread : others) thread.join();
}

// Values of single outputs in rows t * N + n.
struct SparseRows {
  std::vector<int64_t> rows, columns;
  std::vector<double> values;

  void Add(const std::vector<std::vector<sequence::LabelValue>>& found, const Longs& begins,
           size_t streams) {
    for (size_t n = 0; n < streams; ++n) {
      for (const sequence::LabelValue& one : found[n]) {
        const int64_t frame = begins.data()[n] + static_cast<int64_t>(one.frame);
        rows.push_back(frame * static_cast<int64_t>(streams) + static_cast<int64_t>(n));
        columns.push_back(one.label);
        values.push_back(one.value);
      }
    }
  }

  nb::tuple Give(std::vector<double>&& of_streams) {
    return nb::make_tuple(arrays::Give(std::move(of_streams)), arrays::Give(std::move(rows)),
                          arrays::Give(std::move(columns)), arrays::Give(std::move(values)));
  }
};

// The graphs of all streams, one after the other.
struct Supervisions {
  Ints sources, destinations, labels;
  Floats log_probs;
  Ints first_frames, last_frames;
  Longs arcs, states;  // [N + 1], where each stream's arcs and states begin

  size_t begin(const Longs& of, size_t n) const { return static_cast<size_t>(of.data()[n]); }

  void Check(size_t streams, size_t outputs) const {
    ExpectOffsets(arcs, streams, "arcs");
    ExpectOffsets(states, streams, "states");
    const size_t count = begin(arcs, streams);
    for (const auto& [row, name] :
         {std::pair{&sources, "sources"}, std::pair{&destinations, "destinations"},
          std::pair{&labels, "labels"}, std::pair{&first_frames, "first_frames"},
          std::pair{&last_frames, "last_frames"}}) {
      ExpectSize(*row, count, name);
    }
    ExpectSize(log_probs, count, "log_probs");
    ExpectBelow(labels, outputs, "labels");
    for (size_t n = 0; n < streams; ++n) {
      const int64_t size = states.data()[n + 1] - states.data()[n];
      for (size_t a = begin(arcs, n); a < begin(arcs, n + 1); ++a) {
        const int32_t source = sources.data()[a], destination = destinations.data()[a];
        Expect(source >= 0 && source < size && destination >= 0 && destination < size,
               "graph: expected states 0 to " + std::to_string(size) + " - 1");
      }
    }
  }

  sequence::SupervisionView view(size_t n) const {
    const size_t a = begin(arcs, n);
    return {sources.data() + a,      destinations.data() + a, labels.data() + a,
            log_probs.data() + a,    first_frames.data() + a, last_frames.data() + a,
            begin(arcs, n + 1) - a, begin(states, n + 1) - begin(states, n)};
  }
};

template <typename Real>
nb::tuple RunNumerators(const Logits<Real>& logits, const Longs& begins, const Longs& lengths,
                        const Ints& sources, const Ints& destinations, const Ints& labels,
                        const Floats& log_probs, const Ints& first_frames,
                        const Ints& last_frames, const Longs& arcs, const Longs& states,
                        const Doubles& alphas, const Doubles& finals, size_t threads) {
  const size_t streams = logits.shape(1), outputs = logits.shape(2);
  const Supervisions graphs{sources, destinations, labels, log_probs, first_frames,
                            last_frames, arcs, states};
  ExpectRows(begins, lengths, logits.shape(0), streams);
  graphs.Check(streams, outputs);
  const size_t all_states = graphs.begin(states, streams);
  Expect(alphas.shape(0) == all_states && finals.shape(0) == all_states,
         "alphas, finals: expected one of each state");
  Expect(threads > 0 && threads <= kMostThreads, "threads: expected 1 to 1024");

  std::vector<double> values(streams);
  std::vector<std::vector<sequence::LabelValue>> found(streams);
  SparseRows rows;
  {
    nb::gil_scoped_release release;
    ForStreams<sequence::Numerator>(streams, threads, [&](sequence::Numerator& numerator, size_t n) {
      const size_t length = static_cast<size_t>(lengths.data()[n]);
      if (length == 0) return;
      const size_t row = static_cast<size_t>(begins.data()[n]) * streams + n;
      const size_t state = graphs.begin(states, n);
      values[n] = numerator.Run(graphs.view(n), logits.data() + row * outputs, streams * outputs,
                                length, alphas.data() + state, finals.data() + state, found[n]);
    });
    rows.Add(found, begins, streams);
  }
  return rows.Give(std::move(values));
}

// Lattices of all streams, one after the other.
template <typename Real>
nb::tuple RunAccuracies(const Logits<Real>& scores, const Longs& begins, const Longs& lengths,
                        const Ints& sources, const Ints& destinations, const Ints& labels,
                        const Floats& log_probs, const Floats& accuracies, const Longs& arcs,
                        const Ints& state_frames, const Floats& finals, const Longs& states,
                        size_t threads) {
  const size_t streams = scores.shape(1), outputs = scores.shape(2);
  ExpectRows(begins, lengths, scores.shape(0), streams);
  ExpectOffsets(arcs, streams, "arcs");
  ExpectOffsets(states, streams, "states");
  const auto at = [](const Longs& of, size_t n) { return static_cast<size_t>(of.data()[n]); };
  for (const auto& [row, name] :
       {std::pair{&sources, "sources"}, std::pair{&destinations, "destinations"},
        std::pair{&labels, "labels"}}) {
    ExpectSize(*row, at(arcs, streams), name);
  }
  ExpectSize(log_probs, at(arcs, streams), "log_probs");
  ExpectSize(accuracies, at(arcs, streams), "accuracies");
  ExpectSize(state_frames, at(states, streams), "state_frames");
  ExpectSize(finals, at(states, streams), "finals");
  Expect(threads > 0 && threads <= kMostThreads, "threads: expected 1 to 1024");
  std::vector<sequence::StateLatticeView> lattices(streams);
  for (size_t n = 0; n < streams; ++n) {
    const size_t a = at(arcs, n), s = at(states, n);
    lattices[n] = {sources.data() + a,      destinations.data() + a,
                   labels.data() + a,       log_probs.data() + a,
                   accuracies.data() + a,   at(arcs, n + 1) - a,
                   state_frames.data() + s, finals.data() + s,
                   at(states, n + 1) - s};
    const std::string fault =
        sequence::Fault(lattices[n], outputs, static_cast<size_t>(lengths.data()[n]));
    Expect(fault.empty(), "lattice: " + fault);
  }

  std::vector<double> values(streams);
  std::vector<std::vector<sequence::LabelValue>> found(streams);
  SparseRows rows;
  {
    nb::gil_scoped_release release;
    ForStreams<sequence::ExpectedAccuracy>(streams, threads, [&](sequence::ExpectedAccuracy& accuracy, size_t n) {
      const size_t length = static_cast<size_t>(lengths.data()[n]);
      if (length == 0) return;
      const size_t row = static_cast<size_t>(begins.data()[n]) * streams + n;
      values[n] = accuracy.Run(lattices[n], scores.data() + row * outputs, streams * outputs,
                               found[n]);
    });
    rows.Add(found, begins, streams);
  }
  return rows.Give(std::move(values));
}

template <typename Real>
void Bind(nb::module_& m, nb::class_<sequence::Denominator>& denominator) {
  denominator.def("run", &RunDenominator<Real>, nb::arg("logits").noconvert(), nb::arg("begins"),
                  nb::arg("lengths"), nb::arg("alphas").noconvert(),
                  nb::arg("posteriors").noconvert().none(), nb::arg("threads"));
  m.def("numerators", &RunNumerators<Real>, nb::arg("logits").noconvert(), nb::arg("begins"),
        nb::arg("lengths"), nb::arg("sources"), nb::arg("destinations"), nb::arg("labels"),
        nb::arg("log_probs"), nb::arg("first_frames"), nb::arg("last_frames"), nb::arg("arcs"),
        nb::arg("states"), nb::arg("alphas").noconvert(), nb::arg("finals").noconvert(),
        nb::arg("threads"));
  m.def("expected_accuracies", &RunAccuracies<Real>, nb::arg("scores").noconvert(),
        nb::arg("begins"), nb::arg("lengths"), nb::arg("sources"), nb::arg("destinations"),
        nb::arg("labels"), nb::arg("log_probs"), nb::arg("accuracies"), nb::arg("arcs"),
        nb::arg("state_frames"), nb::arg("finals"), nb::arg("states"), nb::arg("threads"));
}

}  // namespace

NB_MODULE(_sequence, m) {
  nb::class_<sequence::Denominator> denominator(m, "Denominator");
  denominator.def("__init__", &MakeDenominator, nb::arg("sources"), nb::arg("destinations"),
                  nb::arg("pdfs"), nb::arg("log_probs"), nb::arg("occupancy"), nb::arg("outputs"),
                  nb::arg("leak"), nb::arg("level") = "");
  Bind<float>(m, denominator);
  Bind<double>(m, denominator);
  m.def("levels", &sequence::DenominatorLevels);
}
