// Numpy arrays at the border of the native modules: checked on the way in, owned on the way out.
#ifndef DATA_CSRC_ARRAYS_H_
#define DATA_CSRC_ARRAYS_H_

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace arrays {

template <typename T>
using Vector = nanobind::ndarray<const T, nanobind::ndim<1>, nanobind::c_contig,
                                 nanobind::device::cpu>;
using Matrix = nanobind::ndarray<const float, nanobind::ndim<2>, nanobind::c_contig,
                                 nanobind::device::cpu>;

inline void Expect(bool condition, const std::string& message) {
  if (!condition) throw std::invalid_argument(message);
}

template <typename T>
void ExpectSize(const Vector<T>& array, size_t size, const char* name) {
  Expect(array.shape(0) == size, std::string(name) + ": expected " + std::to_string(size) +
                                     " values, found " + std::to_string(array.shape(0)));
}

// A numpy array that owns the vector's memory.
template <typename T>
nanobind::object Give(std::vector<T>&& values) {
  auto owned = std::make_unique<std::vector<T>>(std::move(values));
  T* const data = owned->data();
  const size_t size = owned->size();
  nanobind::capsule owner(owned.get(),
                          [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  owned.release();
  return nanobind::cast(
      nanobind::ndarray<nanobind::numpy, T, nanobind::ndim<1>>(data, {size}, owner));
}

}  // namespace arrays

#endif  // DATA_CSRC_ARRAYS_H_
