#ifndef KELPMQ_SERVICE_AUTH_SODIUM_H_
#define KELPMQ_SERVICE_AUTH_SODIUM_H_

#include <sodium.h>

#include <cstdlib>

namespace kelpmq::service {

// Before the first use of libsodium. Thread-safe, and cheap when done already.
inline void InitSodium() {
  // Fails only without a source of random numbers: better no server then.
  if (sodium_init() < 0) std::abort();
}

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUTH_SODIUM_H_
