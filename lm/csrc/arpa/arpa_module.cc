// Python's door to the parser of ARPA lines.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "data/csrc/arrays.h"
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
}
