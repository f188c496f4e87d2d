// The cheapest alignment of two word networks, as NIST's sclite finds it (SCTK, net_dp.c, word.c).
#ifndef RECOGNIZER_CSRC_EVALUATION_WORD_ALIGNMENT_H_
#define RECOGNIZER_CSRC_EVALUATION_WORD_ALIGNMENT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace evaluation {

enum WordKind : uint8_t {
  kWord = 0,
  kEmpty = 1,     // "@": it may be passed at almost no cost
  kOptional = 2,  // "(word)": deleting or inserting it costs less and is no error
};

// A word network without cycles. Arc 0 stands before all words and has no word; every other arc has
// one word, and its predecessors are arcs with smaller numbers.
struct NetworkView {
  const int32_t* words;         // [num_arcs], equal numbers are equal words; the first is not read
  const uint8_t* kinds;         // [num_arcs], of WordKind; the first is not read
  const int32_t* offsets;       // [num_arcs + 1], into predecessors
  const int32_t* predecessors;  // the arcs that end where an arc begins
  const int32_t* finals;        // [num_finals], the arcs that end where the network ends
  size_t num_arcs;
  size_t num_finals;
};

// One step of an alignment: an arc of each network, or -1 where a word has no partner.
struct Step {
  int32_t reference;
  int32_t hypothesis;
};

// The steps of the cheapest alignment in order, those that pass an empty word included.
//
// Costs are sclite's (wwd_WORD): insertion and deletion 3, of an optional word 2, of "@" 0.001;
// substitution 4, of "@" for "@" 1. Among alignments of equal costs it is sclite's choice, for
// which sums are float32 and added in sclite's order. Time is the product of the numbers of arcs,
// memory a byte for each pair of arcs (four if more than eight arcs end in one node).
std::vector<Step> AlignNetworks(const NetworkView& reference, const NetworkView& hypothesis);

}  // namespace evaluation

#endif  // RECOGNIZER_CSRC_EVALUATION_WORD_ALIGNMENT_H_
