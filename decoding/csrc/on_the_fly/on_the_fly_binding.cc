#include "decoding/csrc/on_the_fly/on_the_fly_binding.h"

#include <nanobind/ndarray.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "decoding/csrc/graph/mapped_graph_arrays.h"
#include "decoding/csrc/on_the_fly/composition_pool.h"
#include "decoding/csrc/on_the_fly/hcl_graph.h"
#include "decoding/csrc/on_the_fly/arc_words.h"
#include "decoding/csrc/look_ahead/look_ahead.h"
#include "decoding/csrc/on_the_fly/on_the_fly_search.h"
#include "decoding/csrc/on_the_fly/phrases.h"
#include "decoding/csrc/look_ahead/word_classes.h"
#include "lm/csrc/automaton/automaton_arrays.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using arrays::Expect;
using arrays::ExpectSize;
using arrays::Give;
using arrays::Vector;

// A graph without language model and an automaton, prepared for their composition.
class ComposedGraph {
 public:
  ComposedGraph(uint32_t start, uint32_t num_words, const nb::dict& graph,
                const nb::dict& automaton, const Vector<int32_t>& words, size_t num_ahead,
                size_t max_class)
      : mapped_(start, num_words, graph, false), automaton_(automaton), num_ahead_(num_ahead) {
    ExpectSize(words, num_words, "words");
    nb::gil_scoped_release release;
    const int64_t limit = automaton_.view().num_words();
    for (size_t w = 0; w < words.shape(0); ++w) {
      Expect(words.data()[w] >= -1 && words.data()[w] < limit,
             "words: word " + std::to_string(w) +
                 ": expected a word of the language model or -1, found " +
                 std::to_string(words.data()[w]));
    }
    {
      const decoding::WordClasses classes =
          decoding::MakeWordClasses(mapped_.view(), num_ahead_, max_class);
      look_ahead_classes_ = std::make_unique<decoding::LookAheadClasses>(
          classes, automaton_.view(), words.data());
      graph_ = std::make_unique<decoding::HclGraph>(mapped_.view(), classes, words.data());
    }
    const decoding::HclGraph::State& end = graph_->state(mapped_.view().num_states());
    lm_arc_words_ = std::make_unique<decoding::ArcWords>(graph_->lm_arcs(), end.lm_arcs,
                                                         *look_ahead_classes_);
    epsilon_words_ = std::make_unique<decoding::ArcWords>(graph_->epsilons(), end.epsilons,
                                                          *look_ahead_classes_);
#ifdef __GLIBC__
    malloc_trim(0);  // making it took more memory than it holds
#endif
  }

  const decoding::MappedGraph& mapped() const { return mapped_.view(); }
  size_t num_ahead() const { return num_ahead_; }
  const decoding::HclGraph& get() const { return *graph_; }
  const decoding::LookAheadClasses& look_ahead_classes() const { return *look_ahead_classes_; }
  const decoding::ArcWords& lm_arc_words() const { return *lm_arc_words_; }
  const decoding::ArcWords& epsilon_words() const { return *epsilon_words_; }

 private:
  decoding::MappedGraphArrays mapped_;
  lm::AutomatonArrays automaton_;
  const size_t num_ahead_;
  std::unique_ptr<decoding::LookAheadClasses> look_ahead_classes_;
  std::unique_ptr<decoding::HclGraph> graph_;
  std::unique_ptr<decoding::ArcWords> lm_arc_words_;
  std::unique_ptr<decoding::ArcWords> epsilon_words_;
};

// For inspection: class of each state, offsets, the words of each class ascending, and the order.
nb::tuple GiveWordClasses(const ComposedGraph& graph, size_t max_words) {
  decoding::WordClasses classes;
  std::vector<uint64_t> offsets;
  std::vector<uint32_t> words;
  {
    nb::gil_scoped_release release;
    classes = decoding::MakeWordClasses(graph.mapped(), graph.num_ahead(), max_words);
    for (uint32_t c = 0; c < classes.num_classes(); ++c) {
      offsets.push_back(words.size());
      for (uint64_t i = classes.offsets[c]; i < classes.offsets[c + 1]; ++i) {
        const auto [begin, end] = classes.intervals[i];
        words.insert(words.end(), classes.order.begin() + begin, classes.order.begin() + end);
      }
      std::sort(words.begin() + static_cast<std::ptrdiff_t>(offsets.back()), words.end());
    }
    offsets.push_back(words.size());
  }
  return nb::make_tuple(Give(std::move(classes.class_of_state)), Give(std::move(offsets)),
                        Give(std::move(words)), Give(std::move(classes.order)));
}

// For inspection: the look-ahead by itself.
class LookAheadView {
 public:
  LookAheadView(const ComposedGraph& graph, size_t max_bytes)
      : classes_(graph.look_ahead_classes()), look_ahead_(classes_, max_bytes) {}

  nb::tuple Find(uint32_t state, uint32_t of_class) {
    Expect(state < classes_.automaton().num_states(), "look-ahead: no such history");
    Expect(of_class < classes_.num_classes(), "look-ahead: no such class");
    decoding::LookAheadScore score;
    look_ahead_.Find(state, of_class, &of_class, 1, &score);
    look_ahead_.Trim();
    return nb::make_tuple(score.state, score.backoff, score.best);
  }

 private:
  const decoding::LookAheadClasses& classes_;
  decoding::LookAhead look_ahead_;
};

}  // namespace

void decoding::BindOnTheFlySearch(nb::module_& m) {
  m.attr("MAX_ORDER") = Composition::kMaxOrder;
  nb::class_<ComposedGraph>(m, "ComposedGraph")
      .def(nb::init<uint32_t, uint32_t, const nb::dict&, const nb::dict&, const Vector<int32_t>&,
                    size_t, size_t>(),
           "start"_a, "num_words"_a, "graph"_a, "automaton"_a, "words"_a, "num_ahead"_a,
           "max_class"_a);
  nb::class_<Phrases>(m, "Phrases")
      .def("__init__",
           [](Phrases* self, const Vector<uint32_t>& words, const Vector<int64_t>& offsets,
              const Vector<float>& bonuses) {
             ExpectSize(offsets, bonuses.shape(0) + 1, "offsets");
             std::vector<size_t> places;
             for (size_t i = 0; i < offsets.shape(0); ++i) {
               const int64_t place = offsets.data()[i];
               Expect(i == 0 ? place == 0 : place > offsets.data()[i - 1],
                      "offsets: expected at least one word in each phrase");
               places.push_back(static_cast<size_t>(place));
             }
             Expect(places.back() == words.shape(0), "offsets: expected all words");
             new (self) Phrases(words.data(), places.data(), bonuses.data(), bonuses.shape(0));
           },
           "words"_a, "offsets"_a, "bonuses"_a)
      .def("next",
           [](const Phrases& phrases, uint32_t node, uint32_t word) {
             Expect(node < phrases.num_nodes(), "phrases: no such node");
             const Phrases::Step step = phrases.Next(node, word);
             return nb::make_tuple(step.node, step.bonus);
           },
           "node"_a, "word"_a)
      .def("advance",
           [](const Phrases& phrases, uint32_t node) {
             Expect(node < phrases.num_nodes(), "phrases: no such node");
             return phrases.advance(node);
           },
           "node"_a);
  m.def("word_classes", &GiveWordClasses, "graph"_a, "max_words"_a);
  nb::class_<LookAheadView>(m, "LookAhead")
      .def(nb::init<const ComposedGraph&, size_t>(), "graph"_a, "max_bytes"_a,
           nb::keep_alive<1, 2>())
      .def("find", &LookAheadView::Find, "state"_a, "of_class"_a);
  nb::class_<CompositionPool>(m, "CompositionPool")
      .def(
          "__init__",
          [](CompositionPool* self, const ComposedGraph& graph, bool epsilon, size_t max_bytes,
             const Phrases* phrases) {
            new (self) CompositionPool(graph.get(), graph.look_ahead_classes(),
                                       graph.lm_arc_words(), graph.epsilon_words(), epsilon,
                                       max_bytes, phrases);
          },
          "graph"_a, "epsilon"_a, "max_bytes"_a, "phrases"_a.none(), nb::keep_alive<1, 2>(),
          nb::keep_alive<1, 5>());
  nb::class_<OnTheFlySearch, Search>(m, "OnTheFlySearch")
      .def(
          "__init__",
          [](OnTheFlySearch* self, CompositionPool& pool, const SearchOptions& options,
             bool best_only) { new (self) OnTheFlySearch(&pool, options, best_only); },
          "pool"_a, "options"_a, "best_only"_a, nb::keep_alive<1, 2>());
}
