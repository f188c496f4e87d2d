// An array that is filled and emptied frame after frame without giving its memory back. Unlike
// those of a std::vector, its elements stay constructed beyond the size, so that an inner loop may
// write behind the end first and set the size afterwards.
#ifndef DECODING_REUSABLE_ARRAY_H_
#define DECODING_REUSABLE_ARRAY_H_

#include <algorithm>
#include <cstddef>
#include <vector>

namespace decoding {

template <typename T>
class ReusableArray {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return items_.data(); }
  const T* data() const { return items_.data(); }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& operator[](size_t i) { return items_[i]; }
  const T& operator[](size_t i) const { return items_[i]; }

  size_t Bytes() const { return items_.capacity() * sizeof(T); }

  void clear() { size_ = 0; }
  // Empties it, and frees memory of which less than half was in use: of many arrays that serve in
  // turn, each would otherwise become as large as the largest use ever was.
  void Recycle() {
    if (items_.capacity() > 2 * size_) std::vector<T>().swap(items_);
    size_ = 0;
  }
  // Makes room for `more` elements behind the end; pointers into the array change.
  void Reserve(size_t more) {
    if (items_.size() < size_ + more) items_.resize(std::max(items_.size() + items_.size() / 2, size_ + more));
  }
  // To at most what Reserve made room for.
  void SetSize(size_t size) { size_ = size; }
  void Append(const T* items, size_t count) {
    Reserve(count);
    std::copy_n(items, count, end());
    size_ += count;
  }
  void push_back(const T& item) {
    Reserve(1);
    items_[size_++] = item;
  }

 private:
  std::vector<T> items_;
  size_t size_ = 0;
};

}  // namespace decoding

#endif  // DECODING_REUSABLE_ARRAY_H_
