// The Python module of rescoring: checks every buffer, releases the GIL, asks models that are Python
// objects for what it does not know yet.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "lm/csrc/automaton/automaton_arrays.h"
#include "lm/csrc/automaton/compact_arrays.h"
#include "decoding/csrc/rescore/rescoring.h"
#include "decoding/csrc/rescore/history_models.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using arrays::Expect;
using arrays::ExpectSize;
using arrays::Give;
using arrays::Vector;
using decoding::HistoryModel;

// A language model that any number of lattices may be rescored with at the same time.
class Model {
 public:
  virtual ~Model() = default;
  // Its words are 0 .. num_words() - 1.
  virtual size_t num_words() const = 0;
  // Answers for one lattice. Called with the GIL held.
  virtual std::unique_ptr<HistoryModel> Open() const = 0;
};

template <typename Arrays>
class AutomatonModel : public Model {
 public:
  AutomatonModel(const nb::dict& arrays, Vector<int32_t> word_ids, bool epsilon)
      : arrays_(arrays), word_ids_(std::move(word_ids)), epsilon_(epsilon) {
    for (size_t word = 0; word < word_ids_.shape(0); ++word) {
      Expect(word_ids_.data()[word] < static_cast<int64_t>(arrays_.view().num_words()),
             "word_ids: word " + std::to_string(word) + ": expected less than " +
                 std::to_string(arrays_.view().num_words()) + ", found " +
                 std::to_string(word_ids_.data()[word]));
    }
  }

  size_t num_words() const override { return word_ids_.shape(0); }

  std::unique_ptr<HistoryModel> Open() const override {
    using View = typename Arrays::View;
    if (epsilon_) {
      return std::make_unique<decoding::EpsilonModel<View>>(arrays_.view(), word_ids_.data());
    }
    return std::make_unique<decoding::ExactModel<View>>(arrays_.view(), word_ids_.data());
  }

 private:
  const Arrays arrays_;
  const Vector<int32_t> word_ids_;
  const bool epsilon_;
};

// Made by a call of Python and asked through the methods start, score and final of the answer.
class PythonHistories : public HistoryModel {
 public:
  explicit PythonHistories(const nb::object& histories)
      : start_(histories.attr("start")),
        score_(histories.attr("score")),
        final_(histories.attr("final")) {}

  uint32_t Start() override {
    nb::gil_scoped_acquire acquire;
    return nb::cast<uint32_t>(start_());
  }

  double Score(uint32_t history, int32_t word, uint32_t* next) override {
    nb::gil_scoped_acquire acquire;
    const nb::tuple answer = nb::cast<nb::tuple>(score_(history, word));
    *next = nb::cast<uint32_t>(answer[1]);
    return nb::cast<double>(answer[0]);
  }

  double Final(uint32_t history) override {
    nb::gil_scoped_acquire acquire;
    return nb::cast<double>(final_(history));
  }

 private:
  const nb::object start_;
  const nb::object score_;
  const nb::object final_;
};

class PythonModel : public Model {
 public:
  PythonModel(nb::callable open, size_t num_words) : open_(std::move(open)), num_words_(num_words) {}

  size_t num_words() const override { return num_words_; }
  std::unique_ptr<HistoryModel> Open() const override {
    return std::make_unique<PythonHistories>(open_());
  }

 private:
  const nb::callable open_;
  const size_t num_words_;
};

class MixtureModel : public Model {
 public:
  void Add(nb::object part, double weight, Vector<bool> scores) {
    const Model& model = nb::cast<const Model&>(part);
    Expect(weight > 0.0 && weight <= 1.0, "weight: expected a number above 0, at most 1");
    Expect(parts_.empty() || model.num_words() == num_words(),
           "models: expected the same number of words");
    ExpectSize(scores, model.num_words(), "scores");
    parts_.push_back({&model, weight, std::move(scores), std::move(part)});
  }

  size_t num_words() const override { return parts_.empty() ? 0 : parts_[0].model->num_words(); }

  std::unique_ptr<HistoryModel> Open() const override {
    Expect(!parts_.empty(), "mixture: expected models, found none");
    std::vector<decoding::MixtureModel::Part> parts;
    for (const Part& part : parts_) {
      parts.push_back({part.model->Open(), part.weight, part.scores.data()});
    }
    return std::make_unique<decoding::MixtureModel>(std::move(parts));
  }

 private:
  struct Part {
    const Model* model;
    double weight;
    Vector<bool> scores;
    nb::object owner;  // of the model
  };
  std::vector<Part> parts_;
};

class Rescoring {
 public:
  Rescoring(Vector<int64_t> arc_offsets, Vector<int32_t> targets, Vector<int32_t> words,
            Vector<double> graph_costs, Vector<double> acoustic_costs,
            Vector<double> final_graph_costs, Vector<double> final_acoustic_costs, bool ends,
            const Model& old_model, const Model& new_model)
      : arc_offsets_(std::move(arc_offsets)),
        targets_(std::move(targets)),
        words_(std::move(words)),
        graph_costs_(std::move(graph_costs)),
        acoustic_costs_(std::move(acoustic_costs)),
        final_graph_costs_(std::move(final_graph_costs)),
        final_acoustic_costs_(std::move(final_acoustic_costs)),
        old_(old_model.Open()),
        new_(new_model.Open()),
        rescoring_(Checked(ends, std::min(old_model.num_words(), new_model.num_words())),
                   old_.get(), new_.get()) {}

  // None, or of the score that is no finite number the word (-1: the end) and both models' scores.
  nb::object Expand(double acoustic_scale, double lm_scale, double word_insertion_penalty,
                    double beam, size_t max_arcs) {
    expanded_ = false;
    try {
      nb::gil_scoped_release release;
      rescoring_.Expand({acoustic_scale, lm_scale, word_insertion_penalty, beam, max_arcs});
    } catch (const decoding::ScoreError& error) {
      return nb::make_tuple(error.word, error.old_log_prob, error.new_log_prob);
    }
    expanded_ = true;
    return nb::none();
  }

  nb::tuple Stats() const {
    const decoding::ExpansionStats& stats = Done().stats();
    return nb::make_tuple(stats.states, stats.arcs, stats.dropped, stats.beam, stats.hit_max_arcs);
  }

  nb::tuple BestPath() const {
    decoding::ExpandedPath path;
    {
      nb::gil_scoped_release release;
      path = Done().BestPath();
    }
    return nb::make_tuple(Give(std::move(path.arcs)), path.graph_cost);
  }

  nb::tuple Lattice() const {
    decoding::ExpandedLattice lattice;
    {
      nb::gil_scoped_release release;
      lattice = Done().Lattice();
    }
    return nb::make_tuple(Give(std::move(lattice.states)), Give(std::move(lattice.final_costs)),
                          Give(std::move(lattice.sources)), Give(std::move(lattice.targets)),
                          Give(std::move(lattice.arcs)), Give(std::move(lattice.graph_costs)));
  }

 private:
  const decoding::Rescoring& Done() const {
    if (!expanded_) throw std::logic_error("rescoring: expected an expansion, found none");
    return rescoring_;
  }

  decoding::WordLatticeView Checked(bool ends, size_t num_words) const {
    const size_t num_states = final_graph_costs_.shape(0);
    const size_t num_arcs = targets_.shape(0);
    Expect(num_states > 0, "lattice: expected a path from the start to a final state");
    Expect(num_states < INT32_MAX, "lattice: expected fewer than 2^31 - 1 states");
    ExpectSize(arc_offsets_, num_states + 1, "lattice: arc_offsets");
    ExpectSize(words_, num_arcs, "lattice: words");
    ExpectSize(graph_costs_, num_arcs, "lattice: graph_costs");
    ExpectSize(acoustic_costs_, num_arcs, "lattice: acoustic_costs");
    ExpectSize(final_acoustic_costs_, num_states, "lattice: final_acoustic_costs");
    const int64_t* const offsets = arc_offsets_.data();
    Expect(offsets[0] == 0 && offsets[num_states] == static_cast<int64_t>(num_arcs),
           "lattice: arc_offsets: expected all arcs");
    for (size_t state = 0; state < num_states; ++state) {
      const auto where = [&] { return "lattice: state " + std::to_string(state) + ": "; };
      // Negated comparisons are true for NaN too.
      if (!(final_graph_costs_.data()[state] > -INFINITY) ||
          (final_graph_costs_.data()[state] < INFINITY &&
           !std::isfinite(final_acoustic_costs_.data()[state]))) {
        throw std::invalid_argument(where() + "expected final costs (inf if not final)");
      }
      if (offsets[state] > offsets[state + 1] ||
          offsets[state + 1] > static_cast<int64_t>(num_arcs)) {
        throw std::invalid_argument(where() + "expected offsets that ascend");
      }
      for (int64_t arc = offsets[state]; arc < offsets[state + 1]; ++arc) {
        CheckArc(arc, static_cast<int32_t>(state), num_states, num_words);
      }
    }
    return {static_cast<int32_t>(num_states),
            offsets,
            targets_.data(),
            words_.data(),
            graph_costs_.data(),
            acoustic_costs_.data(),
            final_graph_costs_.data(),
            final_acoustic_costs_.data(),
            ends};
  }

  void CheckArc(int64_t arc, int32_t source, size_t num_states, size_t num_words) const {
    const int32_t target = targets_.data()[arc];
    const int32_t word = words_.data()[arc];
    const auto where = [arc] { return "lattice: arc " + std::to_string(arc) + ": "; };
    if (target <= source || static_cast<size_t>(target) >= num_states) {
      throw std::invalid_argument(where() + "expected a target above its source " +
                                  std::to_string(source) + " and below " +
                                  std::to_string(num_states) + ", found " +
                                  std::to_string(target));
    }
    if (word < 0 || static_cast<size_t>(word) >= num_words) {
      throw std::invalid_argument(where() + "expected a word below " + std::to_string(num_words) +
                                  ", found " + std::to_string(word));
    }
    if (!std::isfinite(graph_costs_.data()[arc]) || !std::isfinite(acoustic_costs_.data()[arc])) {
      throw std::invalid_argument(where() + "expected finite costs");
    }
  }

  const Vector<int64_t> arc_offsets_;
  const Vector<int32_t> targets_;
  const Vector<int32_t> words_;
  const Vector<double> graph_costs_;
  const Vector<double> acoustic_costs_;
  const Vector<double> final_graph_costs_;
  const Vector<double> final_acoustic_costs_;
  const std::unique_ptr<HistoryModel> old_;
  const std::unique_ptr<HistoryModel> new_;
  decoding::Rescoring rescoring_;
  bool expanded_ = false;
};

template <typename Arrays>
void BindAutomatonModel(nb::module_& m, const char* name) {
  nb::class_<AutomatonModel<Arrays>, Model>(m, name)
      .def(nb::init<const nb::dict&, Vector<int32_t>, bool>(), "arrays"_a,
           "word_ids"_a.noconvert(), "epsilon"_a);
}

}  // namespace

NB_MODULE(_rescore, m) {
  m.doc() = "Lattices with one language model taken out and another put in.";
  nb::class_<Model>(m, "Model");
  BindAutomatonModel<lm::AutomatonArrays>(m, "AutomatonModel");
  BindAutomatonModel<lm::CompactAutomatonArrays>(m, "CompactAutomatonModel");
  nb::class_<PythonModel, Model>(m, "PythonModel")
      .def(nb::init<nb::callable, size_t>(), "open"_a, "num_words"_a);
  nb::class_<MixtureModel, Model>(m, "MixtureModel")
      .def(nb::init<>())
      .def("add", &MixtureModel::Add, "model"_a, "weight"_a, "scores"_a.noconvert());
  nb::class_<Rescoring>(m, "Rescoring")
      .def(nb::init<Vector<int64_t>, Vector<int32_t>, Vector<int32_t>, Vector<double>,
                    Vector<double>, Vector<double>, Vector<double>, bool, const Model&,
                    const Model&>(),
           "arc_offsets"_a.noconvert(), "targets"_a.noconvert(), "words"_a.noconvert(),
           "graph_costs"_a.noconvert(), "acoustic_costs"_a.noconvert(),
           "final_graph_costs"_a.noconvert(), "final_acoustic_costs"_a.noconvert(), "ends"_a,
           "old"_a, "new"_a, nb::keep_alive<1, 10>(), nb::keep_alive<1, 11>())
      .def("expand", &Rescoring::Expand, "acoustic_scale"_a, "lm_scale"_a,
           "word_insertion_penalty"_a, "beam"_a, "max_arcs"_a,
           "None, or the word and both models' scores of it that are not finite.")
      .def("stats", &Rescoring::Stats,
           "(states, arcs, histories dropped, beam used, whether max_arcs made it smaller)")
      .def("best_path", &Rescoring::BestPath, "(arcs, graph cost)")
      .def("lattice", &Rescoring::Lattice,
           "(states, final graph costs, sources, targets, arcs, graph costs)");
}
