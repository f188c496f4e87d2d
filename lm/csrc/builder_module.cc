// Python's door to what builds automata in bounded memory.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/csrc/arrays.h"
#include "lm/csrc/external_sort.h"
#include "lm/csrc/file_errors.h"

namespace nb = nanobind;

namespace {

struct CountedKey {
  uint32_t key;
  uint32_t count;
};

struct KeyLess {
  bool operator()(const CountedKey& a, const CountedKey& b) const { return a.key < b.key; }
};

struct AddCounts {
  void operator()(CountedKey* kept, const CountedKey& other) const { kept->count += other.count; }
};

std::vector<uint32_t> CountKeys(const arrays::Vector<uint32_t>& keys, const std::string& directory,
                                size_t memory_bytes, int threads,
                                const std::vector<std::string>& runs, bool keep) {
  lm::ExternalSorter<CountedKey, KeyLess, AddCounts> sorter(directory, "keys", memory_bytes,
                                                            threads);
  sorter.AdoptRuns(runs);
  if (keep) sorter.KeepRuns();
  for (size_t i = 0; i < keys.shape(0); ++i) sorter.Add({keys.data()[i], 1});
  sorter.Finish();
  std::vector<uint32_t> result;
  CountedKey next;
  while (sorter.Next(&next)) {
    result.push_back(next.key);
    result.push_back(next.count);
  }
  return result;
}

}  // namespace

NB_MODULE(_builder, m) {
  m.doc() = "Builds n-gram automata in bounded memory.";
  lm::TranslateFileErrors();
  m.def(
      "count_keys",
      [](const arrays::Vector<uint32_t>& keys, const std::string& directory, size_t memory_bytes,
         int threads, const std::vector<std::string>& runs, bool keep) {
        std::vector<uint32_t> counts;
        {
          nb::gil_scoped_release release;
          counts = CountKeys(keys, directory, memory_bytes, threads, runs, keep);
        }
        return arrays::Give(std::move(counts));
      },
      nb::arg("keys").noconvert(), nb::arg("directory"), nb::arg("memory_bytes"),
      nb::arg("threads"), nb::arg("runs") = std::vector<std::string>(), nb::arg("keep") = false,
      "Distinct keys ascending, each followed by its count: the external sorter, for its test.");
}
