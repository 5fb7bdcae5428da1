#include "service/auth/secret.h"

#include <sodium.h>

#include <cstdlib>
#include <cstring>

#include "service/auth/sodium.h"

namespace kelpmq::service {

Secret::Secret(absl::string_view text) : size_(text.size()) {
  if (text.empty()) return;
  InitSodium();
  bytes_ = static_cast<char*>(sodium_malloc(text.size()));
  if (bytes_ == nullptr) std::abort();  // as any allocation that fails
  std::memcpy(bytes_, text.data(), text.size());
}

Secret::~Secret() { sodium_free(bytes_); }

void Wipe(char* bytes, size_t size) { sodium_memzero(bytes, size); }

}  // namespace kelpmq::service
