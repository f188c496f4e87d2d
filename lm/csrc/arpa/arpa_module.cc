// The Python module of the lines of ARPA files: parsed and formatted.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "data/csrc/arrays.h"
#include "lm/csrc/arpa/arpa_format.h"
#include "lm/csrc/arpa/arpa_parser.h"

namespace nb = nanobind;

namespace {

std::string_view View(const nb::bytes& text) { return {text.c_str(), text.size()}; }

nb::tuple Parse(lm::ArpaParser& parser, const nb::bytes& text, int order, bool highest,
                int64_t first_line) {
  arrays::Expect(order >= 1 && order <= 9, "order: expected 1 to 9");
  lm::ArpaRows rows;
  {
    nb::gil_scoped_release release;
    rows = parser.Parse(View(text), order, highest, first_line);
  }
  return nb::make_tuple(arrays::Give(std::move(rows.lines)),
                        arrays::Give(std::move(rows.log10_probs)),
                        arrays::Give(std::move(rows.log10_backoffs)),
                        arrays::Give(std::move(rows.words)));
}

nb::list Words(const lm::ArpaParser& parser) {
  nb::list words;
  for (const std::string& word : parser.words()) words.append(nb::bytes(word.data(), word.size()));
  return words;
}

nb::bytes Format(const lm::WordList& words, int order, const arrays::Vector<int32_t>& ids,
                 const arrays::Vector<double>& log10_probs,
                 const std::optional<arrays::Vector<double>>& log10_backoffs, int decimals) {
  arrays::Expect(order >= 1 && order <= 9, "order: expected 1 to 9");
  arrays::Expect(decimals <= 9, "decimals: expected at most 9");
  const size_t count = log10_probs.shape(0);
  arrays::ExpectSize(ids, count * static_cast<size_t>(order), "ids");
  if (log10_backoffs) arrays::ExpectSize(*log10_backoffs, count, "log10_backoffs");
  std::string text;
  {
    nb::gil_scoped_release release;
    text = lm::FormatNgrams(words, order, ids.data(), log10_probs.data(),
                            log10_backoffs ? log10_backoffs->data() : nullptr, count, decimals);
  }
  return nb::bytes(text.data(), text.size());
}

}  // namespace

NB_MODULE(_arpa, m) {
  m.doc() = "The lines of an ARPA file's sections: numbers and word ids.";
  nb::object fault = nb::exception<lm::ArpaError>(m, "ArpaError", PyExc_ValueError);
  nb::register_exception_translator(
      [](const std::exception_ptr& thrown, void* type) {
        try {
          std::rethrow_exception(thrown);
        } catch (const lm::ArpaError& e) {
          const nb::tuple arguments =
              nb::make_tuple(e.line(), e.expected().c_str(),
                             nb::bytes(e.found().data(), e.found().size()), e.note().c_str());
          PyErr_SetObject(static_cast<PyObject*>(type), arguments.ptr());
        }
      },
      fault.ptr());
  nb::class_<lm::ArpaParser>(m, "ArpaParser")
      .def(nb::init<>())
      .def("parse", &Parse, nb::arg("text"), nb::arg("order"), nb::arg("highest"),
           nb::arg("first_line"),
           "(line numbers, log10 probabilities, log10 back-offs, word ids of rows end to end). "
           "Raises ArpaError(line, expected, found, note).")
      .def(
          "add",
          [](lm::ArpaParser& parser, const nb::bytes& word) { parser.Add(View(word)); },
          nb::arg("word"), "Gives a word the next id, unless it has one.")
      .def("words", &Words, "Words by id, as bytes.");
  nb::class_<lm::WordList>(m, "WordList")
      .def("__init__",
           [](lm::WordList* self, const nb::bytes& text) { new (self) lm::WordList(View(text)); },
           nb::arg("text"), "Words by id, each followed by a line feed.")
      .def("__len__", &lm::WordList::size);
  m.def("format_ngrams", &Format, nb::arg("words"), nb::arg("order"), nb::arg("ids").noconvert(),
        nb::arg("log10_probs").noconvert(), nb::arg("log10_backoffs").noconvert().none(),
        nb::arg("decimals"),
        "The lines of n-grams, whose ids stand end to end; without back-offs in the highest order; "
        "negative decimals: as few as give the same float32 natural logarithm.");
  m.def(
      "format_log10",
      [](double log10, int decimals) {
        arrays::Expect(decimals <= 9, "decimals: expected at most 9");
        std::string text;
        lm::AppendLog10(log10, decimals, &text);
        return text;
      },
      nb::arg("log10"), nb::arg("decimals"), "A number as format_ngrams writes it.");
}
