#ifndef KELPMQ_SERVICE_AUTH_SECRET_H_
#define KELPMQ_SERVICE_AUTH_SECRET_H_

#include <cstddef>
#include <utility>

#include "absl/strings/string_view.h"

namespace kelpmq::service {

// Bytes that nobody should find later: kept on pages of their own that are
// locked where the system allows it, left out of core dumps, and overwritten
// when they are let go of. Costs a few pages and system calls: for what is kept
// or passed on, not for each use.
// Thread-safety: thread-compatible. Movable, not copyable.
class Secret {
 public:
  Secret() = default;
  // Copies `text`, whose own place the caller still has to care for.
  explicit Secret(absl::string_view text);
  Secret(Secret&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Secret& operator=(Secret&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Secret();

  absl::string_view view() const { return {bytes_, size_}; }
  bool empty() const { return size_ == 0; }

 private:
  char* bytes_ = nullptr;
  size_t size_ = 0;
};

// Overwrites what the string holds, in a way that no compiler leaves out.
void Wipe(char* bytes, size_t size);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUTH_SECRET_H_
