#ifndef KELPMQ_SERVICE_BASE_FNV_H_
#define KELPMQ_SERVICE_BASE_FNV_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace kelpmq::service {

// FNV-1a: a hash that is the same in every process, for names that leave it
// (page tokens, properties keys). Not for secrets, nor against an adversary.
inline constexpr uint64_t kFnvOffsetBasis = 0xcbf29ce484222325;
inline uint64_t Fnv1a(absl::string_view bytes,
                      uint64_t hash = kFnvOffsetBasis) {
  constexpr uint64_t kPrime = 0x100000001b3;
  for (const char c : bytes) {
    hash ^= static_cast<uint8_t>(c);
    hash *= kPrime;
  }
  return hash;
}

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_FNV_H_
