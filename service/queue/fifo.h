#ifndef KELPMQ_SERVICE_QUEUE_FIFO_H_
#define KELPMQ_SERVICE_QUEUE_FIFO_H_

#include <cstddef>
#include <new>
#include <utility>

namespace kelpmq::service {

// A line of items: in at the back, out at the front, nothing in between.
//
// Unlike std::deque it allocates nothing while it is empty and new, and never
// keeps an index of its chunks: an item costs its size and a 63rd of a pointer
// or so. A chunk or two are kept when emptied, so that a line that is filled
// and emptied over and over allocates nothing. Thread-safety:
// thread-compatible.
template <typename T>
class Fifo {
 public:
  Fifo() = default;
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;
  ~Fifo() {
    clear();
    delete first_;
    delete spare_;
  }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

  // Not when empty.
  T& front() { return *first_->At(begin_); }
  const T& front() const { return *first_->At(begin_); }

  void push_back(T item) {
    if (last_ == nullptr || end_ == kPerChunk) AddChunk();
    new (last_->At(end_)) T(std::move(item));
    ++end_;
    ++size_;
  }
  // Not when empty.
  T pop_front() {
    T* const slot = first_->At(begin_);
    T item = std::move(*slot);
    slot->~T();
    ++begin_;
    if (--size_ == 0) {
      begin_ = end_ = 0;  // the one chunk that is left is used anew
    } else if (begin_ == kPerChunk) {
      DropFirst();
    }
    return item;
  }
  void clear() {
    while (!empty()) pop_front();
  }

 private:
  // A few cache lines, so that a line of one item is small.
  static constexpr size_t kChunkBytes = 512;
  static constexpr size_t kPerChunk = (kChunkBytes - sizeof(void*)) / sizeof(T);
  static_assert(kPerChunk > 0, "items larger than a chunk");

  struct Chunk {
    T* At(size_t index) {
      return std::launder(reinterpret_cast<T*>(storage) + index);
    }
    Chunk* next = nullptr;
    alignas(T) unsigned char storage[kPerChunk * sizeof(T)];
  };

  void AddChunk() {
    Chunk* chunk =
        spare_ != nullptr ? std::exchange(spare_, nullptr) : new Chunk;
    chunk->next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = chunk;
    last_ = chunk;
    end_ = 0;
  }
  // The first chunk has no items left, and is not the last.
  void DropFirst() {
    Chunk* const empty = first_;
    first_ = empty->next;
    begin_ = 0;
    if (spare_ == nullptr) {
      spare_ = empty;
    } else {
      delete empty;
    }
  }

  Chunk* first_ = nullptr;
  Chunk* last_ = nullptr;
  Chunk* spare_ = nullptr;
  size_t begin_ = 0;  // of the first item in first_
  size_t end_ = 0;    // behind the last item in last_
  size_t size_ = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_FIFO_H_
