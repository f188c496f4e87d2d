// Python's door to a search, whichever it is: scores are checked on the way in, lattices handed
// over on the way out, and the GIL is released between.
#ifndef DECODING_SEARCH_BINDING_H_
#define DECODING_SEARCH_BINDING_H_

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "data/csrc/arrays.h"
#include "decoding/csrc/search/raw_lattice.h"
#include "decoding/csrc/search/search_config.h"

namespace decoding {

template <typename Search>
void Advance(Search& search, const arrays::Matrix& scores) {
  const size_t num_frames = scores.shape(0);
  const size_t width = search.num_pdfs();
  arrays::Expect(scores.shape(1) == width, "scores: expected " + std::to_string(width) +
                                               " columns, one per pdf, found " +
                                               std::to_string(scores.shape(1)));
  nanobind::gil_scoped_release release;
  const float* const data = scores.data();
  for (size_t t = 0; t < num_frames; ++t) {
    if (AllFinite(data + t * width, width)) continue;
    for (size_t i = 0; i < width; ++i) {
      arrays::Expect(std::isfinite(data[t * width + i]),
                     "scores: frame " + std::to_string(search.num_frames() + t) + ", pdf " +
                         std::to_string(i) + ": expected a finite number, found " +
                         std::to_string(data[t * width + i]));
    }
  }
  search.Advance(data, num_frames);
}

template <typename Search>
nanobind::tuple Partial(Search& search) {
  RawPath path;
  {
    nanobind::gil_scoped_release release;
    path = search.Partial();
  }
  return nanobind::make_tuple(arrays::Give(std::move(path.words)),
                              arrays::Give(std::move(path.tids)), path.graph_cost,
                              path.acoustic_cost);
}

template <typename Search>
nanobind::tuple Finish(Search& search) {
  using arrays::Give;
  RawLattice lattice;
  {
    nanobind::gil_scoped_release release;
    lattice = search.Finish();
  }
  return nanobind::make_tuple(
      Give(std::move(lattice.state_frames)), Give(std::move(lattice.sources)),
      Give(std::move(lattice.targets)), Give(std::move(lattice.tids)),
      Give(std::move(lattice.words)), Give(std::move(lattice.graph_costs)),
      Give(std::move(lattice.acoustic_costs)), Give(std::move(lattice.final_costs)),
      lattice.reached_final);
}

template <typename Search>
nanobind::dict Stats(const Search& search) {
  nanobind::dict out;
  out["frames"] = search.stats().frames;
  out["tokens"] = search.stats().tokens;
  out["arcs"] = search.stats().arcs;
  out["links"] = search.stats().links;
  return out;
}

// The methods that all searches have.
template <typename Search>
void DefineSearch(nanobind::class_<Search>& defined) {
  using namespace nanobind::literals;
  defined.def("start", &Search::Start)
      .def("advance", &Advance<Search>, "scores"_a)
      .def("partial", &Partial<Search>)
      .def("finish", &Finish<Search>)
      .def("stats", &Stats<Search>)
      .def_prop_ro("num_frames", &Search::num_frames);
}

}  // namespace decoding

#endif  // DECODING_SEARCH_BINDING_H_
