// Where words end and begin in HCL, read off its arcs.
#ifndef DECODING_CSRC_VOCABULARY_WORD_BOUNDARIES_H_
#define DECODING_CSRC_VOCABULARY_WORD_BOUNDARIES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "decoding/csrc/graph/graph_packing.h"
#include "decoding/csrc/vocabulary/hmm_units.h"

namespace decoding {

// What the phones of a table are in words.
struct PhoneRoles {
  const bool* ends = nullptr;  // [num_phones] whether a word ends with the phone
  int32_t silence = 0;         // the optional one between words
};

// Costs of the lexicon's silence, as graphs of tropically determinised L have them: the lower one
// of both ways after a word stands at the word's end, the difference at the dearer way.
struct SilenceCosts {
  float none = 0.0f;    // of no silence
  float shared = 0.0f;  // the lower one
  float extra() const { return none - shared; }
};

// Analysis of a graph whose phones tell their positions in words. A graph in triphone context goes
// on from the end of a word before it has been through the word's last phone, whose right context
// is open: such a state is a boundary, with the phone that is still to come and the one before it.
// The same holds for a silence between words.
class WordBoundaries {
 public:
  static constexpr int32_t kEdge = 0;  // the phone beyond both ends of the utterance

  struct Boundary {
    uint32_t state;
    int32_t left;
    int32_t phone;  // still to come
    int32_t word;   // its label, if arcs of the phone have it; 0: it is on arcs before
    float cost;     // of the word that is on the phone's arcs, without the transitions' costs
  };
  // From the graph's start through one phone, to a state where another one begins.
  struct Opening {
    int32_t phone;
    int32_t next;  // the other phone; kEdge: the sentence ends
    uint32_t state;
    std::vector<int32_t> words;  // labels on the way
    float cost;                  // on the way, and of the end, without the transitions' costs
  };

  // The graph must outlive this. Throws std::invalid_argument if the graph is not like that.
  WordBoundaries(const GraphArrays& graph, HmmUnits* units, const PhoneRoles& roles,
                 const SilenceCosts& silence);

  const GraphArrays& graph() const { return graph_; }
  const PhoneRoles& roles() const { return roles_; }
  const SilenceCosts& silence() const { return silence_; }
  const std::vector<Boundary>& boundaries() const { return boundaries_; }
  const Boundary* begin(uint32_t state) const { return boundaries_.data() + offsets_[state]; }
  const Boundary* end(uint32_t state) const { return boundaries_.data() + offsets_[state + 1]; }
  const std::vector<Opening>& openings() const { return openings_; }
  // The phones that openings begin with, ascending: those of words and the silence.
  const std::vector<int32_t>& first_phones() const { return first_phones_; }

  // The units that a boundary's phone can be, over all right contexts of the graph. Where they are
  // the same, the same comes after the boundary.
  std::vector<uint32_t> Units(int32_t left, int32_t phone) const;
  // A boundary where a word ends, of these units; nullptr if the graph has none.
  const Boundary* Find(const std::vector<uint32_t>& units) const;

 private:
  void FindLeads();
  void FindBoundaries();
  void FindOpenings();
  float CostWithoutTransition(size_t arc) const;

  const GraphArrays graph_;
  HmmUnits* const units_;
  const PhoneRoles roles_;
  const SilenceCosts silence_;
  // By state: labels of words so far less words whose last phone has begun; and the phone before.
  std::vector<int8_t> leads_;
  std::vector<int32_t> lefts_;
  std::vector<Boundary> boundaries_;  // by state
  std::vector<size_t> offsets_;
  std::vector<Opening> openings_;
  std::vector<int32_t> first_phones_;
  std::map<std::vector<uint32_t>, size_t> of_units_;
};

}  // namespace decoding

#endif  // DECODING_CSRC_VOCABULARY_WORD_BOUNDARIES_H_
