// An array that is filled and emptied frame after frame without giving its memory back. Unlike a
// std::vector it leaves new elements as they are in memory, so that an inner loop may write behind
// the end first and set the size afterwards, and what is never written is never touched.
#ifndef DECODING_CSRC_SEARCH_REUSABLE_ARRAY_H_
#define DECODING_CSRC_SEARCH_REUSABLE_ARRAY_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace decoding {

template <typename T>
class ReusableArray {
  static_assert(std::is_trivially_copyable<T>::value, "elements are copied and left as they are");

 public:
  ReusableArray() = default;
  ReusableArray(ReusableArray&& other) noexcept { *this = std::move(other); }
  ReusableArray& operator=(ReusableArray&& other) noexcept {
    items_ = std::move(other.items_);
    capacity_ = std::exchange(other.capacity_, 0);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return items_.get(); }
  const T* data() const { return items_.get(); }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& operator[](size_t i) { return items_[i]; }
  const T& operator[](size_t i) const { return items_[i]; }

  size_t Bytes() const { return capacity_ * sizeof(T); }

  void clear() { size_ = 0; }
  // Makes room for `more` elements behind the end; pointers into the array change.
  void Reserve(size_t more) {
    if (capacity_ < size_ + more) Grow(std::max(capacity_ + capacity_ / 2, size_ + more));
  }
  // To at most what Reserve made room for.
  void SetSize(size_t size) { size_ = size; }
  void push_back(const T& item) {
    Reserve(1);
    items_[size_++] = item;
  }

 private:
  void Grow(size_t capacity) {
    std::unique_ptr<T[]> items(new T[capacity]);
    std::copy_n(data(), size_, items.get());
    items_ = std::move(items);
    capacity_ = capacity;
  }

  std::unique_ptr<T[]> items_;
  size_t capacity_ = 0;
  size_t size_ = 0;
};

}  // namespace decoding

#endif  // DECODING_CSRC_SEARCH_REUSABLE_ARRAY_H_
