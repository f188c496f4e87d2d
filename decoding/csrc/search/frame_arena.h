// Memory for arrays that belong to the frames of a search. They lie one behind the other in a few
// large blocks; the newest array can grow, and the oldest is given back first. An inner loop writes
// behind the newest array's end first and sets its size afterwards, so that nothing is copied, and
// a frame takes no more memory than its elements need.
#ifndef DECODING_CSRC_SEARCH_FRAME_ARENA_H_
#define DECODING_CSRC_SEARCH_FRAME_ARENA_H_

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace decoding {

// An array of a FrameArena, which says when it is valid.
template <typename T>
class FrameArray {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return items_; }
  const T* data() const { return items_; }
  T* begin() { return items_; }
  T* end() { return items_ + size_; }
  const T* begin() const { return items_; }
  const T* end() const { return items_ + size_; }
  T& operator[](size_t i) { return items_[i]; }
  const T& operator[](size_t i) const { return items_[i]; }

 private:
  template <typename>
  friend class FrameArena;

  T* items_ = nullptr;
  size_t size_ = 0;
};

template <typename T>
class FrameArena {
  static_assert(std::is_trivially_copyable<T>::value, "elements are copied and left as they are");

 public:
  using Array = FrameArray<T>;

  // Begins an empty array behind all others, which is then the newest.
  void Open(Array* array) {
    if (blocks_.empty()) AddBlock(0);
    Block& block = blocks_.back();
    ++block.num_arrays;
    array->items_ = block.items.get() + block.used;
    array->size_ = 0;
  }

  // Makes room for `more` elements behind the end of the newest array; pointers into it change.
  void Reserve(Array* array, size_t more) {
    const Block& block = blocks_.back();
    const size_t room = block.capacity - static_cast<size_t>(array->items_ - block.items.get());
    if (room < array->size_ + more) Move(array, array->size_ + more);
  }

  // Of the newest array, to at most what Reserve made room for.
  void SetSize(Array* array, size_t size) {
    Block& block = blocks_.back();
    array->size_ = size;
    block.used = static_cast<size_t>(array->items_ - block.items.get()) + size;
  }

  // To the newest array.
  void PushBack(Array* array, const T& item) {
    Reserve(array, 1);
    array->items_[array->size_] = item;
    SetSize(array, array->size_ + 1);
  }

  // Gives back the oldest array.
  void DropOldest() {
    if (--blocks_.front().num_arrays > 0) return;
    Retire(std::move(blocks_.front()));
    blocks_.pop_front();
  }

  // Gives back all arrays.
  void Clear() {
    for (Block& block : blocks_) Retire(std::move(block));
    blocks_.clear();
  }

  size_t Bytes() const {
    size_t capacity = 0;
    for (const Block& block : blocks_) capacity += block.capacity;
    for (const Block& block : spare_) capacity += block.capacity;
    return capacity * sizeof(T);
  }

 private:
  // A block has room for several arrays of the size that is asked for: what remains at its end when
  // the next array does not fit is a small part of it.
  static constexpr size_t kArraysOfBlock = 4;
  static constexpr size_t kLeastOfBlock = 1024;
  // Blocks are given back and taken a few at a time, when frames are pruned.
  static constexpr size_t kMaxSpare = 2;

  struct Block {
    std::unique_ptr<T[]> items;
    size_t capacity = 0;
    size_t used = 0;
    size_t num_arrays = 0;
  };

  void AddBlock(size_t room) {
    Block block;
    if (!spare_.empty()) {
      block = std::move(spare_.back());
      spare_.pop_back();
    }
    // A spare one that is too small is given up.
    if (block.capacity < std::max(room, kLeastOfBlock)) {
      block.capacity = std::max(kArraysOfBlock * room, kLeastOfBlock);
      block.items.reset(new T[block.capacity]);
    }
    blocks_.push_back(std::move(block));
  }

  // To a block of its own, with room for so many elements. Rare, and kept out of the callers: they
  // must stay small enough to be inlined, for an object whose constructor is not inlined is not kept
  // in registers.
  [[gnu::noinline]] void Move(Array* array, size_t room) {
    const T* const items = array->items_;
    Block old = std::move(blocks_.back());
    old.used = static_cast<size_t>(items - old.items.get());
    --old.num_arrays;
    const bool is_empty = old.num_arrays == 0;
    blocks_.pop_back();
    if (!is_empty) blocks_.push_back(std::move(old));
    AddBlock(room);
    Block& block = blocks_.back();
    array->items_ = block.items.get();
    std::copy_n(items, array->size_, array->items_);
    block.used = array->size_;
    block.num_arrays = 1;
    if (is_empty) Retire(std::move(old));
  }

  void Retire(Block block) {
    block.used = block.num_arrays = 0;
    if (spare_.size() < kMaxSpare) spare_.push_back(std::move(block));
  }

  std::deque<Block> blocks_;
  std::vector<Block> spare_;  // serve again
};

}  // namespace decoding

#endif  // DECODING_CSRC_SEARCH_FRAME_ARENA_H_
