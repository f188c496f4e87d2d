// The Python module that builds automata in bounded memory.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "lm/csrc/automaton/automaton_arrays.h"
#include "lm/csrc/automaton/compact_arrays.h"
#include "lm/csrc/builder/automaton_builder.h"
#include "lm/csrc/builder/automaton_ngrams.h"
#include "lm/csrc/builder/compact_builder.h"
#include "lm/csrc/builder/ngram_sorter.h"
#include "lm/csrc/files/file_errors.h"
#include "lm/csrc/files/log10.h"
#include "lm/csrc/files/ngram_records.h"

namespace nb = nanobind;

namespace {

using arrays::Expect;
using arrays::Vector;

// Calls back with the GIL held; lets Python's signals through.
lm::ProgressCallback Report(const nb::callable& callback) {
  return [&callback](uint64_t count) {
    nb::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    callback(count);
  };
}

// Sorts one order after the other, then builds.
class PyAutomatonBuilder {
 public:
  PyAutomatonBuilder(std::string directory, uint32_t vocabulary_size, uint32_t begin, uint32_t end,
                     size_t memory_bytes, int threads, size_t max_states)
      : directory_(std::move(directory)),
        ranks_(vocabulary_size, begin, end),
        memory_bytes_(memory_bytes),
        threads_(threads),
        max_states_(max_states) {}

  void Begin() {
    Expect(sorter_ == nullptr, "builder: expected the end of the order before");
    sorter_ = lm::NgramSorter::Make(++order_, ranks_, directory_, memory_bytes_, threads_);
  }

  void Add(const Vector<int32_t>& ids, const Vector<double>& log10_probs,
           const Vector<double>& log10_backoffs) {
    Expect(sorter_ != nullptr, "builder: expected to begin an order first");
    const size_t count = log10_probs.shape(0);
    arrays::ExpectSize(log10_backoffs, count, "log10_backoffs");
    arrays::ExpectSize(ids, count * static_cast<size_t>(order_), "ids");
    nb::gil_scoped_release release;
    sorter_->Add(ids.data(), log10_probs.data(), log10_backoffs.data(), count);
  }

  void End(const nb::callable& callback) {
    Expect(sorter_ != nullptr, "builder: expected to begin an order first");
    const lm::ProgressCallback progress = Report(callback);
    nb::gil_scoped_release release;
    sorter_->Finish(progress);
    sorter_.reset();
  }

  void Build(const nb::callable& callback) {
    Expect(order_ > 0 && sorter_ == nullptr, "builder: expected the end of the last order");
    const lm::ProgressCallback progress = Report(callback);
    nb::gil_scoped_release release;
    lm::BuildAutomaton(directory_, order_, ranks_, memory_bytes_, max_states_, progress);
  }

 private:
  const std::string directory_;
  const lm::WordRanks ranks_;
  const size_t memory_bytes_;
  const int threads_;
  const size_t max_states_;
  int order_ = 0;
  std::unique_ptr<lm::NgramSorter> sorter_;
};

lm::ValueTable Table(const Vector<float>& values, const char* name) {
  lm::ValueTable table(values.data(), values.data() + values.shape(0));
  const bool power_of_two = (table.size() & (table.size() - 1)) == 0;
  Expect(table.size() != 1 && power_of_two && table.size() <= size_t{1} << 24,
         std::string(name) + ": expected no value or a power of two of them, at most 2^24, found " +
             std::to_string(table.size()));
  for (size_t i = 1; i < table.size(); ++i) {
    Expect(table[i - 1] <= table[i], std::string(name) + ": expected ascending values");
  }
  return table;
}

std::vector<uint64_t> Pack(const nb::dict& arrays, const Vector<float>& log_prob_table,
                           const Vector<float>& backoff_table, const std::string& directory) {
  const lm::ValueTable log_probs = Table(log_prob_table, "log_prob_table");
  const lm::ValueTable backoffs = Table(backoff_table, "backoff_table");
  const lm::AutomatonArrays fast(arrays);
  nb::gil_scoped_release release;
  const lm::CompactParts::Sizes sizes = lm::Pack(fast.view(), log_probs, backoffs, directory);
  const auto* first = reinterpret_cast<const uint64_t*>(&sizes);
  return {first, first + sizeof(sizes) / sizeof(uint64_t)};
}

void Unpack(const nb::dict& arrays, const std::string& directory) {
  const lm::CompactAutomatonArrays compact(arrays);
  nb::gil_scoped_release release;
  lm::Unpack(compact.view(), directory);
}

// The n-grams of an automaton of either layout, whose arrays are kept alive.
class PyAutomatonNgrams {
 public:
  PyAutomatonNgrams(const nb::dict& arrays, bool compact, int order, uint32_t begin, uint32_t end,
                    double begin_log10_prob) {
    const lm::AutomatonNgrams::Options options{order, begin, end,
                                               lm::NaturalLog(begin_log10_prob)};
    if (compact) {
      compact_ = std::make_unique<lm::CompactAutomatonArrays>(arrays);
    } else {
      fast_ = std::make_unique<lm::AutomatonArrays>(arrays);
    }
    nb::gil_scoped_release release;
    ngrams_ = compact ? lm::AutomatonNgrams::Make(compact_->view(), options)
                      : lm::AutomatonNgrams::Make(fast_->view(), options);
  }

  std::vector<uint64_t> counts() const { return ngrams_->counts(); }

  void Begin(int order) { ngrams_->Begin(order); }

  nb::tuple Next(size_t at_least) {
    lm::NgramRows rows;
    {
      nb::gil_scoped_release release;
      rows = ngrams_->Next(at_least);
    }
    return nb::make_tuple(arrays::Give(std::move(rows.ids)),
                          arrays::Give(std::move(rows.log10_probs)),
                          arrays::Give(std::move(rows.log10_backoffs)));
  }

 private:
  std::unique_ptr<lm::AutomatonArrays> fast_;
  std::unique_ptr<lm::CompactAutomatonArrays> compact_;
  std::unique_ptr<lm::AutomatonNgrams> ngrams_;
};

}  // namespace

NB_MODULE(_builder, m) {
  m.doc() = "Builds n-gram automata in bounded memory.";
  lm::TranslateFileErrors();
  nb::object fault = nb::exception<lm::NgramFault>(m, "NgramError", PyExc_ValueError);
  nb::register_exception_translator(
      [](const std::exception_ptr& thrown, void* type) {
        try {
          std::rethrow_exception(thrown);
        } catch (const lm::NgramFault& e) {
          nb::list ids;
          for (const uint32_t id : e.ids()) ids.append(id);
          const bool twice = e.kind() == lm::NgramFault::Kind::kDuplicate;
          const nb::tuple arguments = nb::make_tuple(twice ? "duplicate" : "no prefix", ids);
          PyErr_SetObject(static_cast<PyObject*>(type), arguments.ptr());
        }
      },
      fault.ptr());
  nb::class_<PyAutomatonBuilder>(m, "AutomatonBuilder")
      .def(nb::init<std::string, uint32_t, uint32_t, uint32_t, size_t, int, size_t>(),
           nb::arg("directory"), nb::arg("vocabulary_size"), nb::arg("begin"), nb::arg("end"),
           nb::arg("memory_bytes"), nb::arg("threads"), nb::arg("max_states"))
      .def("begin", &PyAutomatonBuilder::Begin, "Begins the n-grams of the next order.")
      .def("add", &PyAutomatonBuilder::Add, nb::arg("ids").noconvert(),
           nb::arg("log10_probs").noconvert(), nb::arg("log10_backoffs").noconvert(),
           "N-grams of the order: word ids end to end, and values.")
      .def("end", &PyAutomatonBuilder::End, nb::arg("progress"),
           "Sorts the order. Raises NgramError(\"duplicate\", ids).")
      .def("build", &PyAutomatonBuilder::Build, nb::arg("progress"),
           "After the last order: writes the files states, arcs and finals. Raises "
           "NgramError(\"no prefix\", ids), and ValueError for too many histories.");
  m.def("pack", &Pack, nb::arg("arrays"), nb::arg("log_prob_table").noconvert(),
        nb::arg("backoff_table").noconvert(), nb::arg("directory"),
        "Writes the compact layout of a fast automaton to files, but for the tables (an empty one: "
        "raw values) and the sizes, which are returned.");
  m.def("unpack", &Unpack, nb::arg("arrays"), nb::arg("directory"),
        "Writes the fast layout of a compact automaton to files.");
  nb::class_<PyAutomatonNgrams>(m, "AutomatonNgrams")
      .def(nb::init<const nb::dict&, bool, int, uint32_t, uint32_t, double>(), nb::arg("arrays"),
           nb::arg("compact"), nb::arg("order"), nb::arg("begin"), nb::arg("end"),
           nb::arg("begin_log10_prob"))
      .def("counts", &PyAutomatonNgrams::counts, "N-grams by order.")
      .def("begin", &PyAutomatonNgrams::Begin, nb::arg("order"),
           "Before the n-grams of an order.")
      .def("next", &PyAutomatonNgrams::Next, nb::arg("at_least"),
           "The next n-grams of the order, none at its end: ids end to end, log10 probabilities, "
           "log10 back-offs.");
}
