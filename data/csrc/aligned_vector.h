// Vectors for hot loops: aligned to cache lines, large ones on huge pages where there are any. With
// 4 KiB pages, most random accesses to a large array would also miss the processor's cache of page
// addresses (TLB).
#ifndef DATA_CSRC_ALIGNED_VECTOR_H_
#define DATA_CSRC_ALIGNED_VECTOR_H_

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace arrays {

inline size_t RoundUp(size_t n, size_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

template <typename T>
struct AlignedAllocator {
  using value_type = T;

  AlignedAllocator() = default;
  template <typename U>
  AlignedAllocator(const AlignedAllocator<U>&) {}  // NOLINT: allocators convert

  T* allocate(size_t n) {
    constexpr size_t kCacheLine = 64, kHugePage = size_t{1} << 21;
    const size_t bytes = n * sizeof(T);
    const bool large = bytes >= kHugePage;
    const size_t alignment = large ? kHugePage : kCacheLine;
    const size_t rounded = RoundUp(bytes, alignment);
    void* const memory = std::aligned_alloc(alignment, rounded);
    if (memory == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    // Only a hint: where the system has no huge pages, nothing changes.
    if (large) madvise(memory, rounded, MADV_HUGEPAGE);
#endif
    return static_cast<T*>(memory);
  }

  void deallocate(T* memory, size_t) { std::free(memory); }

  template <typename U>
  bool operator==(const AlignedAllocator<U>&) const { return true; }
  template <typename U>
  bool operator!=(const AlignedAllocator<U>&) const { return false; }
};

template <typename T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace arrays

#endif  // DATA_CSRC_ALIGNED_VECTOR_H_
