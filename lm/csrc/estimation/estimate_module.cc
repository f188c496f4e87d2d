// The Python module of the estimation of n-gram models.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "lm/csrc/estimation/adjusted_counts.h"
#include "lm/csrc/estimation/ngram_counts.h"
#include "lm/csrc/estimation/smoothing.h"
#include "lm/csrc/estimation/tokens.h"
#include "lm/csrc/files/file_errors.h"
#include "lm/csrc/files/progress.h"

namespace nb = nanobind;

namespace {

using Runs = std::vector<std::string>;
using RunsByOrder = std::vector<Runs>;

template <typename T>
std::vector<T> Copy(const arrays::Vector<T>& array) {
  return std::vector<T>(array.data(), array.data() + array.shape(0));
}

nb::tuple AdjustCounts(const Runs& runs, int order, bool continuation_counts,
                       std::vector<uint64_t> cutoffs, const arrays::Vector<uint8_t>& allowed,
                       const lm::Resources& resources) {
  const bool sized = order >= 1 && cutoffs.size() == static_cast<size_t>(order);
  arrays::Expect(sized, "cutoffs: expected one of each order");
  const lm::AdjustOptions options{order, continuation_counts, std::move(cutoffs), Copy(allowed)};
  lm::AdjustedCounts result;
  {
    nb::gil_scoped_release release;
    result = lm::AdjustCounts(runs, options, resources);
  }
  return nb::make_tuple(result.runs, arrays::Give(std::move(result.unigrams)),
                        result.counts_of_counts, result.distinct);
}

nb::tuple ComputeBackoffs(uint64_t num_words, const std::vector<lm::Discounts>& discounts,
                          const RunsByOrder& runs, const lm::Resources& resources) {
  lm::BackoffWeights result;
  {
    nb::gil_scoped_release release;
    result = lm::ComputeBackoffs({num_words, discounts, runs}, resources);
  }
  return nb::make_tuple(arrays::Give(std::move(result.unigrams)), result.runs);
}

std::vector<uint64_t> WriteProbabilities(const std::vector<lm::Discounts>& discounts,
                                         const RunsByOrder& runs,
                                         const arrays::Vector<float>& unigram_backoffs,
                                         const RunsByOrder& backoff_runs,
                                         const arrays::Vector<uint32_t>& model_ids,
                                         const arrays::Vector<double>& unigram_probs,
                                         const std::string& directory,
                                         const lm::Resources& resources) {
  const lm::SmoothingInput input{model_ids.shape(0), discounts, runs};
  const lm::BackoffWeights backoffs{Copy(unigram_backoffs), backoff_runs};
  const lm::Unigrams unigrams{Copy(model_ids), Copy(unigram_probs)};
  nb::gil_scoped_release release;
  return lm::WriteProbabilities(input, backoffs, unigrams, directory, resources);
}

}  // namespace

NB_MODULE(_estimate, m) {
  m.doc() = "Estimates n-gram models from text, in bounded memory.";
  lm::TranslateFileErrors();
  nb::exception<lm::Cancelled>(m, "CancelledError");
  const auto no_gil = nb::call_guard<nb::gil_scoped_release>();

  nb::class_<lm::Progress>(m, "Progress")
      .def(nb::init<>())
      .def_prop_ro("done", &lm::Progress::done)
      .def("cancel", &lm::Progress::Cancel);
  nb::class_<lm::Resources>(m, "Resources")
      .def(
          "__init__",
          [](lm::Resources* self, std::string directory, size_t memory_bytes, int threads,
             lm::Progress& progress) {
            new (self) lm::Resources{std::move(directory), memory_bytes, threads, &progress};
          },
          nb::arg("directory"), nb::arg("memory_bytes"), nb::arg("threads"), nb::arg("progress"),
          nb::keep_alive<1, 5>());

  nb::class_<lm::Tokenizer>(m, "Tokenizer")
      .def(nb::init<std::string>(), nb::arg("token_path"))
      .def("begin", &lm::Tokenizer::Begin, nb::arg("name"))
      .def(
          "feed",
          [](lm::Tokenizer& self, const nb::bytes& piece) {
            const std::string_view view(piece.c_str(), piece.size());
            nb::gil_scoped_release release;
            self.Feed(view);
          },
          nb::arg("piece"))
      .def("end", &lm::Tokenizer::End)
      .def("close", &lm::Tokenizer::Close)
      .def_prop_ro("num_tokens", &lm::Tokenizer::num_tokens)
      .def_prop_ro("num_sentences", &lm::Tokenizer::num_sentences)
      .def("counts",
           [](const lm::Tokenizer& self) {
             return arrays::Give(std::vector<uint64_t>(self.counts()));
           })
      .def("write_words", &lm::Tokenizer::WriteWords, nb::arg("path"), no_gil);

  m.def(
      "count_ngrams",
      [](const std::string& token_path, const arrays::Vector<uint32_t>& ids, uint64_t num_words,
         int order, const std::string& name, const lm::Resources& resources) {
        const std::vector<uint32_t> copied = Copy(ids);
        nb::gil_scoped_release release;
        return lm::CountNgrams(token_path, copied, num_words, order, name, resources);
      },
      nb::arg("token_path"), nb::arg("ids").noconvert(), nb::arg("num_words"), nb::arg("order"),
      nb::arg("name"), nb::arg("resources"));
  m.def("merge_counts", &lm::MergeCounts, nb::arg("runs"), nb::arg("num_words"), nb::arg("order"),
        nb::arg("path"), nb::arg("resources"), no_gil);
  m.def("adjust_counts", &AdjustCounts, nb::arg("runs"), nb::arg("order"),
        nb::arg("continuation_counts"), nb::arg("cutoffs"), nb::arg("allowed").noconvert(),
        nb::arg("resources"));
  m.def("compute_backoffs", &ComputeBackoffs, nb::arg("num_words"), nb::arg("discounts"),
        nb::arg("runs"), nb::arg("resources"));
  m.def("write_probabilities", &WriteProbabilities, nb::arg("discounts"), nb::arg("runs"),
        nb::arg("unigram_backoffs").noconvert(), nb::arg("backoff_runs"),
        nb::arg("model_ids").noconvert(), nb::arg("unigram_probs").noconvert(),
        nb::arg("directory"), nb::arg("resources"));
}
