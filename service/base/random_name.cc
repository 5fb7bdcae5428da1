#include "service/base/random_name.h"

#include <sys/random.h>

#include <array>
#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace kelpmq::service {

std::string MakeServerName(absl::string_view prefix) {
  std::array<char, 16> random;
  // Up to 256 bytes getrandom neither fails nor stops short once the kernel is
  // seeded; a name that can be guessed would be worse than no server.
  if (::getrandom(random.data(), random.size(), 0) !=
      static_cast<ssize_t>(random.size())) {
    std::abort();
  }
  return absl::StrCat(prefix, absl::WebSafeBase64Escape(absl::string_view(
                                  random.data(), random.size())));
}

}  // namespace kelpmq::service
