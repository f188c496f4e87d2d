// The Python module of words that are added to a graph at run time.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "decoding/csrc/vocabulary/extension.h"
#include "decoding/csrc/vocabulary/hmm_units.h"
#include "decoding/csrc/vocabulary/word_boundaries.h"
#include "decoding/csrc/vocabulary/word_tree.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using arrays::Expect;
using arrays::ExpectSize;
using arrays::Give;
using arrays::Vector;

// Arrays by name that stay alive as long as this.
class NamedArrays {
 public:
  NamedArrays(const nb::dict& dict, const char* what) : dict_(dict), what_(what) {}

  // size: 0 for any.
  template <typename T>
  Vector<T> Take(const char* name, size_t size) const {
    const std::string where = std::string(what_) + ": " + name;
    Vector<T> array;
    Expect(dict_.contains(name) && nb::try_cast(dict_[name], array, false),
           where + ": expected an array of another type or shape");
    if (size != 0) ExpectSize(array, size, where.c_str());
    return array;
  }

 private:
  const nb::dict dict_;
  const char* const what_;
};

void ExpectWithin(const Vector<int32_t>& array, int64_t low, int64_t end, const char* name) {
  for (size_t i = 0; i < array.shape(0); ++i) {
    Expect(array.data()[i] >= low && array.data()[i] < end,
           std::string(name) + "[" + std::to_string(i) + "]: expected " + std::to_string(low) +
               ".." + std::to_string(end - 1) + ", found " + std::to_string(array.data()[i]));
  }
}

// A graph that words can be added to, any number of times.
class ExtendableGraph {
 public:
  ExtendableGraph(uint32_t start, const nb::dict& graph, const nb::dict& transitions,
                  const nb::dict& tree, Vector<bool> ends_word, int32_t silence, float no_silence,
                  float shared)
      : graph_(graph, "graph"),
        transitions_(transitions, "transitions"),
        tree_(tree, "tree"),
        ends_word_(std::move(ends_word)) {
    decoding::TransitionArrays model;
    decoding::TreeArrays questions;
    ReadModel(&model, &questions);
    const decoding::GraphArrays view = ReadGraph(start, static_cast<int64_t>(model.size));
    Expect(silence > 0 && silence < static_cast<int64_t>(ends_word_.shape(0)),
           "silence: expected a phone");
    nb::gil_scoped_release release;
    units_ = std::make_unique<decoding::HmmUnits>(questions, model);
    boundaries_ = std::make_unique<decoding::WordBoundaries>(
        view, units_.get(), decoding::PhoneRoles{ends_word_.data(), silence},
        decoding::SilenceCosts{no_silence, shared});
  }

  // phones: of all pronunciations, one after the other, offsets[i]:offsets[i + 1] those of the
  // i-th, which has the label words[i] and costs costs[i].
  nb::dict Extend(const Vector<int64_t>& offsets, const Vector<int32_t>& phones,
                  const Vector<int32_t>& words, const Vector<float>& costs) {
    const size_t count = words.shape(0);
    Expect(count > 0, "words: expected at least one");
    ExpectSize(offsets, count + 1, "offsets");
    ExpectSize(costs, count, "costs");
    ExpectWithin(phones, 1, static_cast<int64_t>(ends_word_.shape(0)), "phones");
    const int64_t* const begin = offsets.data();
    Expect(begin[0] == 0 && begin[count] == static_cast<int64_t>(phones.shape(0)),
           "offsets: expected all phones");
    for (size_t i = 0; i < count; ++i) {
      Expect(begin[i] < begin[i + 1], "offsets: expected at least one phone in each word");
      for (int64_t p = begin[i]; p < begin[i + 1]; ++p) {
        Expect(ends_word_.data()[phones.data()[p]] == (p + 1 == begin[i + 1]),
               "phones: expected phones that tell where a word ends");
      }
    }
    decoding::ExtendedGraph made;
    {
      nb::gil_scoped_release release;
      const std::lock_guard<std::mutex> lock(mutex_);  // units are remembered
      const float shared = boundaries_->silence().shared;
      decoding::WordTree tree;
      for (size_t i = 0; i < count; ++i) {
        tree.Add(phones.data() + begin[i], static_cast<size_t>(begin[i + 1] - begin[i]),
                 {words.data()[i], costs.data()[i] + shared});
      }
      made = decoding::Extension(*boundaries_, units_.get(), tree).Make();
    }
    nb::dict result;
    result["offsets"] = Give(std::move(made.offsets));
    result["num_emitting"] = Give(std::move(made.num_emitting));
    result["ilabels"] = Give(std::move(made.ilabels));
    result["olabels"] = Give(std::move(made.olabels));
    result["costs"] = Give(std::move(made.costs));
    result["next_states"] = Give(std::move(made.next_states));
    result["final_costs"] = Give(std::move(made.final_costs));
    return result;
  }


 private:
  void ReadModel(decoding::TransitionArrays* model, decoding::TreeArrays* tree) const {
    const auto phone = transitions_.Take<int32_t>("phone", 0);
    model->size = phone.shape(0);
    const auto num_phones = static_cast<int64_t>(ends_word_.shape(0));
    Expect(model->size > 1 && num_phones > 1, "transitions: expected phones");
    model->phone = phone.data();
    model->hmm_state = transitions_.Take<int32_t>("hmm_state", model->size).data();
    model->pdf = transitions_.Take<int32_t>("pdf", model->size).data();
    model->next_state = transitions_.Take<int32_t>("next_state", model->size).data();
    model->self_loop = transitions_.Take<int32_t>("self_loop", model->size).data();
    model->cost = transitions_.Take<float>("cost", model->size).data();
    for (size_t tid = 1; tid < model->size; ++tid) {
      Expect(model->phone[tid] > 0 && model->phone[tid] < num_phones && model->hmm_state[tid] >= 0 &&
                 model->pdf[tid] >= 0 && model->self_loop[tid] >= 0 &&
                 static_cast<size_t>(model->self_loop[tid]) < model->size,
             "transitions: transition-id " + std::to_string(tid) + ": expected numbers in range");
    }
    const auto position = tree_.Take<int32_t>("position", 0);
    const auto roots = tree_.Take<int32_t>("roots", 0);
    const auto member = tree_.Take<bool>("member", 0);
    tree->num_phones = ends_word_.shape(0);
    Expect(roots.shape(0) % tree->num_phones == 0 && member.shape(0) % tree->num_phones == 0,
           "tree: expected a row for each phone");
    tree->max_states = roots.shape(0) / tree->num_phones;
    tree->roots = roots.data();
    tree->num_nodes = position.shape(0);
    tree->position = position.data();
    tree->question = tree_.Take<int32_t>("question", tree->num_nodes).data();
    tree->yes = tree_.Take<int32_t>("yes", tree->num_nodes).data();
    tree->no = tree_.Take<int32_t>("no", tree->num_nodes).data();
    tree->pdf = tree_.Take<int32_t>("pdf", tree->num_nodes).data();
    tree->member = member.data();
    const auto nodes = static_cast<int64_t>(tree->num_nodes);
    const auto questions = static_cast<int64_t>(member.shape(0) / tree->num_phones);
    ExpectWithin(roots, -1, nodes, "tree: roots");
    for (int64_t i = 0; i < nodes; ++i) {
      // Children stand behind their parents, so that every way down ends.
      Expect(tree->position[i] < 0 ||
                 (tree->position[i] < 3 && tree->question[i] >= 0 &&
                  tree->question[i] < questions && tree->yes[i] > i && tree->yes[i] < nodes &&
                  tree->no[i] > i && tree->no[i] < nodes),
             "tree: node " + std::to_string(i) + ": expected a question and two nodes behind it");
    }
    for (size_t tid = 1; tid < model->size; ++tid) {
      Expect(static_cast<size_t>(model->hmm_state[tid]) < tree->max_states &&
                 tree->roots[static_cast<size_t>(model->phone[tid]) * tree->max_states +
                             static_cast<size_t>(model->hmm_state[tid])] >= 0,
             "tree: expected a root for each HMM state of the transition model");
    }
  }

  decoding::GraphArrays ReadGraph(uint32_t start, int64_t num_tids) const {
    decoding::GraphArrays view;
    const auto finals = graph_.Take<float>("final_costs", 0);
    view.num_states = static_cast<uint32_t>(finals.shape(0));
    view.start = start;
    Expect(start < view.num_states, "graph: start: expected a state");
    const auto ilabels = graph_.Take<int32_t>("ilabels", 0);
    const auto next_states = graph_.Take<int32_t>("next_states", ilabels.shape(0));
    view.num_arcs = ilabels.shape(0);
    ExpectWithin(ilabels, 0, num_tids, "graph: ilabels");
    ExpectWithin(next_states, 0, view.num_states, "graph: next_states");
    const auto offsets = graph_.Take<int64_t>("offsets", view.num_states + size_t{1});
    Expect(offsets.data()[0] == 0 &&
               offsets.data()[view.num_states] == static_cast<int64_t>(view.num_arcs),
           "graph: offsets: expected all arcs");
    const auto num_emitting = graph_.Take<uint32_t>("num_emitting", view.num_states);
    for (uint32_t state = 0; state < view.num_states; ++state) {
      Expect(offsets.data()[state] + num_emitting.data()[state] <= offsets.data()[state + 1],
             "graph: offsets: expected ascending numbers");
    }
    view.offsets = offsets.data();
    view.num_emitting = num_emitting.data();
    view.ilabels = ilabels.data();
    view.olabels = graph_.Take<int32_t>("olabels", view.num_arcs).data();
    view.costs = graph_.Take<float>("costs", view.num_arcs).data();
    view.next_states = next_states.data();
    view.final_costs = finals.data();
    return view;
  }

  const NamedArrays graph_;
  const NamedArrays transitions_;
  const NamedArrays tree_;
  const Vector<bool> ends_word_;
  std::unique_ptr<decoding::HmmUnits> units_;
  std::unique_ptr<decoding::WordBoundaries> boundaries_;
  std::mutex mutex_;
};

}  // namespace

NB_MODULE(_vocabulary, m) {
  nb::class_<ExtendableGraph>(m, "ExtendableGraph")
      .def(nb::init<uint32_t, const nb::dict&, const nb::dict&, const nb::dict&, Vector<bool>,
                    int32_t, float, float>(),
           "start"_a, "graph"_a, "transitions"_a, "tree"_a, "ends_word"_a, "silence"_a,
           "no_silence"_a, "shared"_a)
      .def("extend", &ExtendableGraph::Extend, "offsets"_a, "phones"_a, "words"_a, "costs"_a);
}
