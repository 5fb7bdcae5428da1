#ifndef KELPMQ_TESTS_FUZZ_REQUIRE_H_
#define KELPMQ_TESTS_FUZZ_REQUIRE_H_

#include <cstdio>
#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace kelpmq::service {

// Ends a fuzz target that found something, and says with which input.
inline void Require(bool condition, const char* what, absl::string_view input) {
  if (condition) return;
  std::fprintf(stderr, "%s: %s\n", what, absl::CHexEscape(input).c_str());
  std::abort();
}

}  // namespace kelpmq::service

#endif  // KELPMQ_TESTS_FUZZ_REQUIRE_H_
