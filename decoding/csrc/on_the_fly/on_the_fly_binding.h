// The on-the-fly search as a part of the Python module of the searches.
#ifndef DECODING_CSRC_ON_THE_FLY_ON_THE_FLY_BINDING_H_
#define DECODING_CSRC_ON_THE_FLY_ON_THE_FLY_BINDING_H_

#include <nanobind/nanobind.h>

namespace decoding {

// Adds it to a module that has Search and Options.
void BindOnTheFlySearch(nanobind::module_& m);

}  // namespace decoding

#endif  // DECODING_CSRC_ON_THE_FLY_ON_THE_FLY_BINDING_H_
