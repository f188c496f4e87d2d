// Minimum Bayes risk on a word lattice.
#ifndef DECODING_CSRC_LATTICE_MBR_H_
#define DECODING_CSRC_LATTICE_MBR_H_

#include <cstdint>
#include <vector>

#include "decoding/csrc/lattice/lattice_view.h"

namespace decoding {

// A word that may stand in a bin (0: none), how likely it does, and its expected time.
struct BinWord {
  int32_t word;
  double posterior;
  double begin;
  double end;
};

struct Sausage {
  double risk = 0.0;                     // expected number of word errors of the chosen words
  std::vector<int32_t> chosen;           // of each bin, 0 for no word
  std::vector<std::vector<BinWord>> bins;  // likeliest word first
};

// Xu, Povey, Mangu, Zhu, "Minimum Bayes Risk decoding and system combination based on a recursion
// for edit distance", Computer Speech and Language 25 (2011), figures 4 to 6; as Kaldi's
// MinimumBayesRisk.
//
// words: where to begin; if not `decode`, they are only aligned with the lattice, not changed.
// begins, ends: [num_arcs], times of the arcs' words.
// final_begins, final_ends: [num_states], times of what a final state still holds.
// Throws std::invalid_argument if no path leads to a final state.
Sausage MinimumBayesRisk(const ArcList& lattice, const double* begins, const double* ends,
                         const double* final_begins, const double* final_ends,
                         const std::vector<int32_t>& words, bool decode);

}  // namespace decoding

#endif  // DECODING_CSRC_LATTICE_MBR_H_
