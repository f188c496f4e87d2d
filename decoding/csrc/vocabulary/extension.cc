#include "decoding/csrc/vocabulary/extension.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace decoding {

namespace {

constexpr int32_t kEdge = WordBoundaries::kEdge;

enum PlaceKind { kInWord, kWords, kEndInGraph, kNewEnd, kOpened, kOnward, kFinal, kSaying };

// What a word is charged by its k-th phone, and given back at its label, which is the last but one:
// about what the look-ahead of the language model has charged by then in the lexicon's tree. It is
// the look-ahead of the added words. Charged less, the beginnings of a thousand words would be
// cheaper than those of any word of the lexicon, and the beam, which counts from the best token,
// would lose the latter; the model's own look-ahead would charge a word that shares no beginning
// with others all at once, and lose that. `benchmarks.vocabulary` measures both.
float PaidAhead(int32_t phones) {
  return std::min(12.0f, 5.0f + 2.0f * static_cast<float>(phones - 1));
}

}  // namespace

Extension::Extension(const WordBoundaries& boundaries, HmmUnits* units, const WordTree& words)
    : boundaries_(boundaries),
      graph_(boundaries.graph()),
      transitions_(units->transitions()),
      units_(units),
      words_(words) {}

uint32_t Extension::FindOrAdd(const PlaceKey& key, bool* is_new) {
  const auto [found, added] = numbers_.try_emplace(key, static_cast<uint32_t>(contexts_.size()));
  if (added) contexts_.emplace_back();
  *is_new = added;
  return found->second;
}

// In a word, before the phone of a node of the tree.
uint32_t Extension::InWord(int32_t left, uint32_t node) {
  bool is_new = false;
  const uint32_t context = FindOrAdd({kInWord, left, static_cast<int32_t>(node), {}}, &is_new);
  if (!is_new) return context;
  const int32_t phone = words_.node(node).phone;
  const int32_t depth = words_.node(node).depth;
  const float paid = PaidAhead(depth);
  for (const uint32_t child : words_.node(node).children) {
    const uint32_t unit = units_->Find(left, phone, words_.node(child).phone);
    for (const WordTree::Word& word : words_.node(child).words) {
      const uint32_t end = End(phone, words_.node(child).phone);
      contexts_[context].branches.push_back({unit, end, word.label, word.cost - paid});
    }
    if (words_.node(child).children.empty()) continue;
    const uint32_t deeper = InWord(phone, child);
    contexts_[context].branches.push_back({unit, deeper, 0, PaidAhead(depth + 1) - paid});
  }
  return context;
}

uint32_t Extension::Final() {
  bool is_new = false;
  const uint32_t context = FindOrAdd({kFinal, 0, 0, {}}, &is_new);
  if (is_new) contexts_[context].final_cost = 0.0f;
  return context;
}

// To say a word without input, then go on.
uint32_t Extension::Saying(int32_t word, uint32_t context) {
  bool is_new = false;
  const uint32_t before = FindOrAdd({kSaying, word, static_cast<int32_t>(context), {}}, &is_new);
  if (is_new) contexts_[before].own.push_back({0, word, 0.0f, State(context, 0)});
  return before;
}

uint32_t Extension::AfterWords(const std::vector<int32_t>& words, size_t first, uint32_t context) {
  for (size_t i = words.size(); i > first; --i) context = Saying(words[i - 1], context);
  return context;
}

// Branches of a context with a phone to come, to all words that are added.
void Extension::AddWords(int32_t left, int32_t phone, int32_t word_before, float cost,
                         uint32_t context) {
  for (const uint32_t node : words_.first_nodes()) {
    const int32_t first = words_.node(node).phone;
    const uint32_t unit = units_->Find(left, phone, first);
    if (!words_.node(node).children.empty()) {
      const uint32_t next = InWord(phone, node);
      contexts_[context].branches.push_back({unit, next, word_before, cost + PaidAhead(1)});
    }
    for (const WordTree::Word& word : words_.node(node).words) {
      const uint32_t end = End(phone, first);
      const float total = cost + word.cost;
      if (word_before == 0) {
        contexts_[context].branches.push_back({unit, end, word.label, total});
      } else {
        const uint32_t next = Saying(word.label, end);
        contexts_[context].branches.push_back({unit, next, word_before, total});
      }
    }
  }
}

// What a word after a boundary's phone costs more: no silence after a word.
float Extension::Extra(int32_t phone) const {
  return phone == boundaries_.roles().silence ? 0.0f : boundaries_.silence().extra();
}

// A boundary's phone, then the words that are added and nothing else.
uint32_t Extension::Words(int32_t left, int32_t phone) {
  std::vector<uint32_t> units;
  for (const uint32_t node : words_.first_nodes()) {
    units.push_back(units_->Find(left, phone, words_.node(node).phone));
  }
  bool is_new = false;
  const uint32_t context = FindOrAdd({kWords, phone, 0, units}, &is_new);
  if (is_new) AddWords(left, phone, 0, 0.0f, context);
  return context;
}

// After an added word but for its last phone. The lower cost of silence or none is on the way to it.
uint32_t Extension::End(int32_t left, int32_t phone) {
  const std::vector<uint32_t> units = boundaries_.Units(left, phone);
  const WordBoundaries::Boundary* const boundary = boundaries_.Find(units);
  return boundary == nullptr ? NewEnd(left, phone, units) : EndInGraph(*boundary, left, phone);
}

// The graph has such an end of a word: what follows are its arcs.
uint32_t Extension::EndInGraph(const WordBoundaries::Boundary& boundary, int32_t left,
                               int32_t phone) {
  bool is_new = false;
  const uint32_t words = Words(left, phone);
  const PlaceKey key{kEndInGraph, static_cast<int32_t>(boundary.state), phone,
                     {words, static_cast<uint32_t>(boundary.word)}};
  const uint32_t context = FindOrAdd(key, &is_new);
  if (!is_new) return context;
  const auto end = static_cast<size_t>(graph_.offsets[boundary.state + 1]);
  for (auto arc = static_cast<size_t>(graph_.offsets[boundary.state]); arc < end; ++arc) {
    const int32_t tid = graph_.ilabels[arc];
    if (!units_->Enters(tid) || static_cast<int32_t>(units_->PhoneOf(tid)) != boundary.phone) {
      continue;
    }
    if (boundary.word != 0 && graph_.olabels[arc] != boundary.word) continue;
    const int32_t word = boundary.word != 0 ? 0 : graph_.olabels[arc];
    contexts_[context].own.push_back({tid, word, graph_.costs[arc] - boundary.cost,
                                  static_cast<uint32_t>(graph_.next_states[arc])});
  }
  AddWords(left, phone, 0, Extra(phone), context);
  return context;
}

// No word of the graph ends like that. Two phones on, the context is within the graph again.
uint32_t Extension::NewEnd(int32_t left, int32_t phone, const std::vector<uint32_t>& units) {
  bool is_new = false;
  std::vector<uint32_t> all = units;
  all.push_back(Words(left, phone));
  const uint32_t context = FindOrAdd({kNewEnd, phone, 0, all}, &is_new);
  if (!is_new) return context;
  for (const int32_t next : boundaries_.first_phones()) {
    const uint32_t opened = Opened(phone, next);
    contexts_[context].branches.push_back({units_->Find(left, phone, next), opened, 0, 0.0f});
  }
  const uint32_t final = Final();
  contexts_[context].branches.push_back({units_->Find(left, phone, kEdge), final, 0, Extra(phone)});
  AddWords(left, phone, 0, Extra(phone), context);
  return context;
}

// A word of the graph, or a silence, has begun after an added word; its first phone is still to
// come.
uint32_t Extension::Opened(int32_t left, int32_t phone) {
  bool is_new = false;
  const uint32_t context = FindOrAdd({kOpened, left, phone, {}}, &is_new);
  if (!is_new) return context;
  std::map<int32_t, float> whole;  // words of the phone alone, with their costs
  const float shared = boundaries_.silence().shared;
  for (const WordBoundaries::Opening& opening : boundaries_.openings()) {
    if (opening.phone != phone) continue;
    const uint32_t unit = units_->Find(left, phone, opening.next);
    const uint32_t after =
        opening.next == kEdge ? Final() : Onward(opening.state, phone, opening.next);
    const float cost = opening.cost - shared;
    const int32_t word = opening.words.empty() ? 0 : opening.words.front();
    const uint32_t next = AfterWords(opening.words, 1, after);
    contexts_[context].branches.push_back({unit, next, word, cost});
    if (boundaries_.roles().ends[phone]) {
      const auto [found, added] = whole.try_emplace(word, cost);
      if (!added) found->second = std::min(found->second, cost);
    }
  }
  if (phone == boundaries_.roles().silence) {
    float lowest = std::numeric_limits<float>::infinity();
    for (const Branch& branch : contexts_[context].branches) lowest = std::min(lowest, branch.cost);
    AddWords(left, phone, 0, lowest, context);
  }
  for (const auto& [word, cost] : whole) {
    AddWords(left, phone, word, cost + Extra(phone), context);
  }
  return context;
}

// The arcs of one of a state's phones; where it is the last one of a word, added words may follow.
uint32_t Extension::Onward(uint32_t state, int32_t left, int32_t phone) {
  bool is_new = false;
  const PlaceKey key{kOnward, left, phone, {state}};
  const uint32_t context = FindOrAdd(key, &is_new);
  if (!is_new) return context;
  const auto end = static_cast<size_t>(graph_.offsets[state + 1]);
  for (auto arc = static_cast<size_t>(graph_.offsets[state]); arc < end; ++arc) {
    const int32_t tid = graph_.ilabels[arc];
    if (!units_->Enters(tid) || static_cast<int32_t>(units_->PhoneOf(tid)) != phone) continue;
    contexts_[context].own.push_back({tid, graph_.olabels[arc], graph_.costs[arc],
                                  static_cast<uint32_t>(graph_.next_states[arc])});
  }
  for (const WordBoundaries::Boundary* boundary = boundaries_.begin(state);
       boundary != boundaries_.end(state); ++boundary) {
    if (boundary->phone == phone) {
      AddWords(left, phone, boundary->word, boundary->cost + Extra(phone), context);
    }
  }
  return context;
}

uint32_t Extension::State(uint32_t context, int32_t self_loop) {
  const auto number = static_cast<uint32_t>(graph_.num_states + new_states_.size());
  const auto [found, added] = state_of_.try_emplace({context, self_loop}, number);
  if (added) {
    new_states_.emplace_back(context, self_loop);
    arcs_.emplace_back();
    finals_.push_back(contexts_[context].final_cost);
  }
  return found->second;
}

// The arcs from a context into the HMMs of its branches; makes the states within them.
const std::vector<Extension::Arc>& Extension::FirstArcs(uint32_t context) {
  if (contexts_[context].expanded) return contexts_[context].first;
  const std::vector<Branch> branches = contexts_[context].branches;
  std::map<Within, uint32_t> states;
  std::vector<Within> open;
  std::vector<uint32_t> all(branches.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint32_t>(i);
  open.emplace_back(0, 0, std::move(all));
  std::vector<Arc> first;
  while (!open.empty()) {
    const Within from = std::move(open.back());
    open.pop_back();
    const auto& [hmm_state, self_loop, numbers] = from;
    const bool is_first = hmm_state == 0;
    const uint32_t source = is_first ? kNone : states.at(from);
    std::map<int32_t, std::vector<uint32_t>> by_tid;
    for (const uint32_t number : numbers) {
      const auto [begin, end] = units_->Tids(units_->unit(branches[number].unit), hmm_state);
      for (size_t tid = begin; tid < end; ++tid) {
        if (!units_->IsSelfLoop(static_cast<int32_t>(tid))) {
          by_tid[static_cast<int32_t>(tid)].push_back(number);
        }
      }
    }
    const auto add = [&](const Arc& arc) {
      if (is_first) {
        first.push_back(arc);
      } else {
        AddArc(source, arc);
      }
    };
    for (auto& [tid, group] : by_tid) {
      const float cost = transitions_.cost[tid];
      const int32_t loop = transitions_.self_loop[tid];
      if (units_->Leaves(tid)) {
        for (const uint32_t number : group) {
          const Branch& branch = branches[number];
          add({tid, branch.word, cost + branch.cost, State(branch.context, loop)});
        }
        continue;
      }
      Within to{transitions_.next_state[tid], loop, std::move(group)};
      const auto number = static_cast<uint32_t>(graph_.num_states + new_states_.size());
      const auto [found, added] = states.try_emplace(to, number);
      if (added) {
        new_states_.emplace_back(kNone, loop);
        arcs_.emplace_back();
        finals_.push_back(std::numeric_limits<float>::infinity());
        if (loop != 0) AddArc(number, {loop, 0, transitions_.cost[loop], number});
        open.push_back(std::move(to));
      }
      add({tid, 0, cost, found->second});
    }
  }
  contexts_[context].first = std::move(first);
  contexts_[context].expanded = true;
  return contexts_[context].first;
}

// The arcs of a new state.
void Extension::Finish(uint32_t state) {
  const auto [context, self_loop] = new_states_[state - graph_.num_states];
  if (context == kNone) return;
  if (self_loop != 0) AddArc(state, {self_loop, 0, transitions_.cost[self_loop], state});
  for (const Arc& arc : contexts_[context].own) AddArc(state, arc);
  FirstArcs(context);
  for (const Arc& arc : contexts_[context].first) AddArc(state, arc);
}

void Extension::AddEntry(uint32_t state, uint32_t context, int32_t word, float cost) {
  if (word != 0) {
    AddArc(state, {0, word, cost, State(context, 0)});
    return;
  }
  FirstArcs(context);
  for (const Arc& arc : contexts_[context].first) {
    AddArc(state, {arc.tid, arc.word, arc.cost + cost, arc.next});
  }
}

// From the graph to the words.
void Extension::Enter() {
  const SilenceCosts& silence = boundaries_.silence();
  for (const uint32_t node : words_.first_nodes()) {
    if (!words_.node(node).children.empty()) {
      AddEntry(graph_.start, InWord(kEdge, node), 0, silence.none + PaidAhead(1));
    }
    for (const WordTree::Word& word : words_.node(node).words) {
      const uint32_t end = End(kEdge, words_.node(node).phone);
      AddEntry(graph_.start, end, word.label, silence.none + word.cost);
    }
  }
  for (const WordBoundaries::Boundary& boundary : boundaries_.boundaries()) {
    AddEntry(boundary.state, Words(boundary.left, boundary.phone), boundary.word,
             boundary.cost + Extra(boundary.phone));
  }
}

ExtendedGraph Extension::Make() {
  arcs_.resize(graph_.num_states);
  Enter();
  for (uint32_t state = graph_.num_states; state < arcs_.size(); ++state) Finish(state);
  ExtendedGraph made;
  size_t count = graph_.num_arcs;
  for (const std::vector<Arc>& arcs : arcs_) count += arcs.size();
  made.ilabels.reserve(count);
  made.olabels.reserve(count);
  made.costs.reserve(count);
  made.next_states.reserve(count);
  made.offsets.push_back(0);
  const auto add = [&](int32_t tid, int32_t word, float cost, int32_t next) {
    made.ilabels.push_back(tid);
    made.olabels.push_back(word);
    made.costs.push_back(cost);
    made.next_states.push_back(next);
  };
  for (uint32_t state = 0; state < arcs_.size(); ++state) {
    for (const bool emitting : {true, false}) {
      if (state < graph_.num_states) {
        const auto begin = static_cast<size_t>(graph_.offsets[state]);
        const auto middle = begin + graph_.num_emitting[state];
        const auto end = static_cast<size_t>(graph_.offsets[state + 1]);
        for (size_t arc = emitting ? begin : middle; arc < (emitting ? middle : end); ++arc) {
          add(graph_.ilabels[arc], graph_.olabels[arc], graph_.costs[arc],
              graph_.next_states[arc]);
        }
      }
      for (const Arc& arc : arcs_[state]) {
        if ((arc.tid > 0) == emitting) {
          add(arc.tid, arc.word, arc.cost, static_cast<int32_t>(arc.next));
        }
      }
      if (emitting) {
        made.num_emitting.push_back(
            static_cast<uint32_t>(static_cast<int64_t>(made.ilabels.size()) -
                                  made.offsets.back()));
      }
    }
    made.offsets.push_back(static_cast<int64_t>(made.ilabels.size()));
  }
  made.final_costs.assign(graph_.final_costs, graph_.final_costs + graph_.num_states);
  made.final_costs.insert(made.final_costs.end(), finals_.begin(), finals_.end());
  return made;
}

}  // namespace decoding
