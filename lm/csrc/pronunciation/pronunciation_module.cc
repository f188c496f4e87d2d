// The Python module of the pronunciation model: alignment of a lexicon, and the search.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "lm/csrc/automaton/automaton_arrays.h"
#include "lm/csrc/automaton/compact_arrays.h"
#include "lm/csrc/pronunciation/alignment.h"
#include "lm/csrc/pronunciation/decoder.h"

namespace nb = nanobind;

namespace {

using arrays::Expect;
using arrays::ExpectSize;
using arrays::Give;
using arrays::Vector;

using GraphoneTable = nb::ndarray<const int32_t, nb::shape<-1, lm::kMaxLetters + lm::kMaxPhones>,
                                  nb::c_contig, nb::device::cpu>;

lm::Sequences View(const Vector<int32_t>& ids, const Vector<int64_t>& offsets, const char* name,
                   int64_t least) {
  const std::string of = std::string(name) + ": ";
  Expect(offsets.shape(0) > 0 && offsets.data()[0] == 0, of + "expected offsets from 0 on");
  const size_t size = offsets.shape(0) - 1;
  for (size_t i = 0; i < size; ++i) {
    const int64_t length = offsets.data()[i + 1] - offsets.data()[i];
    Expect(length >= least && length < 10000,
           of + "expected sequences of " + std::to_string(least) + " to 9999");
  }
  Expect(offsets.data()[size] == static_cast<int64_t>(ids.shape(0)),
         of + "expected offsets that end with their number");
  return {ids.data(), offsets.data(), size};
}

class PyAlignmentGraphs {
 public:
  PyAlignmentGraphs(const Vector<int32_t>& letters, const Vector<int64_t>& letter_offsets,
                    const Vector<int32_t>& phones, const Vector<int64_t>& phone_offsets)
      : graphs_(Make(View(letters, letter_offsets, "letters", 1),
                     View(phones, phone_offsets, "phones", 1))) {}

  nb::object graphones() const {
    std::vector<int32_t> flat;
    for (const lm::Graphone& graphone : graphs_.graphones()) {
      flat.insert(flat.end(), graphone.begin(), graphone.end());
    }
    return Give(std::move(flat));
  }

  nb::tuple Count(const Vector<double>& log_weights) const {
    ExpectSize(log_weights, graphs_.graphones().size(), "log_weights");
    std::vector<double> counts(log_weights.shape(0));
    double log_likelihood = 0.0;
    {
      nb::gil_scoped_release release;
      log_likelihood = graphs_.Count(log_weights.data(), counts.data());
    }
    return nb::make_tuple(Give(std::move(counts)), log_likelihood);
  }

  nb::tuple Align(const Vector<double>& log_weights) const {
    ExpectSize(log_weights, graphs_.graphones().size(), "log_weights");
    std::vector<int32_t> graphones;
    std::vector<int64_t> offsets;
    {
      nb::gil_scoped_release release;
      graphs_.Align(log_weights.data(), &graphones, &offsets);
    }
    return nb::make_tuple(Give(std::move(graphones)), Give(std::move(offsets)));
  }

 private:
  static lm::AlignmentGraphs Make(const lm::Sequences& letters, const lm::Sequences& phones) {
    Expect(letters.size == phones.size, "phones: expected one sequence for each of letters");
    nb::gil_scoped_release release;
    return {letters, phones};
  }

  lm::AlignmentGraphs graphs_;
};

template <typename Arrays>
nb::tuple Decode(const Arrays& model, const GraphoneTable& graphones, const lm::Sequences& letters,
                 const lm::PronunciationLimits& limits) {
  Expect(graphones.shape(0) == model.view().num_words(),
         "graphones: expected one row for each word of the model");
  std::vector<int32_t> phones;
  std::vector<int64_t> phone_offsets{0}, word_offsets{0};
  std::vector<double> log_probs;
  {
    nb::gil_scoped_release release;
    const lm::GraphoneIndex index(reinterpret_cast<const lm::Graphone*>(graphones.data()),
                                  graphones.shape(0));
    lm::PronunciationDecoder<typename Arrays::View> decoder(model.view(), index, limits);
    for (size_t i = 0; i < letters.size; ++i) {
      for (const auto& found : decoder.Decode(letters.begin(i), letters.length(i))) {
        phones.insert(phones.end(), found.phones.begin(), found.phones.end());
        phone_offsets.push_back(static_cast<int64_t>(phones.size()));
        log_probs.push_back(found.log_prob);
      }
      word_offsets.push_back(static_cast<int64_t>(log_probs.size()));
    }
  }
  return nb::make_tuple(Give(std::move(phones)), Give(std::move(phone_offsets)),
                        Give(std::move(log_probs)), Give(std::move(word_offsets)));
}

nb::tuple Pronounce(const nb::dict& automaton, bool compact, const GraphoneTable& graphones,
                    const Vector<int32_t>& letters, const Vector<int64_t>& offsets, size_t count,
                    double beam, size_t max_active, size_t max_paths) {
  Expect(beam > 0, "beam: expected more than 0");
  Expect(max_active > 0 && max_paths > 0, "max_active and max_paths: expected at least 1");
  const lm::Sequences words = View(letters, offsets, "letters", 0);
  const lm::PronunciationLimits limits{count, beam, max_active, max_paths};
  return compact ? Decode(lm::CompactAutomatonArrays(automaton), graphones, words, limits)
                 : Decode(lm::AutomatonArrays(automaton), graphones, words, limits);
}

}  // namespace

NB_MODULE(_pronunciation, m) {
  m.doc() = "Alignment of letters with phones, and pronunciations by an n-gram model of both.";
  m.attr("MAX_LETTERS") = lm::kMaxLetters;
  m.attr("MAX_PHONES") = lm::kMaxPhones;
  nb::class_<PyAlignmentGraphs>(m, "AlignmentGraphs")
      .def(nb::init<const Vector<int32_t>&, const Vector<int64_t>&, const Vector<int32_t>&,
                    const Vector<int64_t>&>(),
           nb::arg("letters").noconvert(), nb::arg("letter_offsets").noconvert(),
           nb::arg("phones").noconvert(), nb::arg("phone_offsets").noconvert())
      .def("graphones", &PyAlignmentGraphs::graphones,
           "Letters and phones of each graphone, -1 where there are fewer, end to end.")
      .def("count", &PyAlignmentGraphs::Count, nb::arg("log_weights").noconvert(),
           "(expected counts of the graphones, log likelihood)")
      .def("align", &PyAlignmentGraphs::Align, nb::arg("log_weights").noconvert(),
           "(graphones of the likeliest alignments end to end, where each begins)");
  m.def("pronounce", &Pronounce, nb::arg("automaton"), nb::arg("compact"),
        nb::arg("graphones").noconvert(), nb::arg("letters").noconvert(),
        nb::arg("offsets").noconvert(), nb::arg("count"), nb::arg("beam"), nb::arg("max_active"),
        nb::arg("max_paths"),
        "(phones end to end, where each pronunciation begins, log probabilities, where each "
        "word's pronunciations begin)");
}
