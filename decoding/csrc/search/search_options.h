// The options of a search. Their defaults and their meaning are those of the Python class
// recognizer.decoding.search.search.SearchOptions, which makes this struct.
#ifndef DECODING_CSRC_SEARCH_SEARCH_OPTIONS_H_
#define DECODING_CSRC_SEARCH_SEARCH_OPTIONS_H_

#include <cstdint>

namespace decoding {

struct SearchOptions {
  float beam;
  float lattice_beam;
  uint32_t max_active;
  uint32_t min_active;
  float acoustic_scale;
  uint32_t prune_interval;
  float prune_scale;
  float beam_delta;
  uint32_t max_kept_links;
};

}  // namespace decoding

#endif  // DECODING_CSRC_SEARCH_SEARCH_OPTIONS_H_
