// lm::FileError as Python's OSError: errno, message and path in their usual places.
#ifndef LM_CSRC_FILES_FILE_ERRORS_H_
#define LM_CSRC_FILES_FILE_ERRORS_H_

#include <nanobind/nanobind.h>

#include <cstring>
#include <exception>

#include "lm/csrc/files/record_file.h"

namespace lm {

// Call once in each module whose functions touch files.
inline void TranslateFileErrors() {
  nanobind::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const FileError& e) {
      const nanobind::tuple arguments =
          nanobind::make_tuple(e.number(), std::strerror(e.number()), e.path().c_str());
      PyErr_SetObject(PyExc_OSError, arguments.ptr());
    }
  });
}

}  // namespace lm

#endif  // LM_CSRC_FILES_FILE_ERRORS_H_
