// The authorization metadata comes from whoever can connect.
#include <cstdint>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/auth/authorization.h"
#include "service/base/utf8.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using kelpmq::service::Authorization;
  using kelpmq::service::ParseAuthorization;
  using kelpmq::service::Require;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto read = ParseAuthorization(bytes);
  if (read.ok() && read->scheme == Authorization::Scheme::kBasic) {
    Require(!read->user.empty(), "is read rightly", bytes);
    Require(read->user.size() <= 255, "is read rightly", bytes);
    Require(kelpmq::service::IsValidUtf8(read->user), "is read rightly", bytes);
    Require(read->user.find(':') == std::string::npos, "is read rightly",
            bytes);
  }
  // What is encoded rightly is read as it was meant.
  const size_t colon = bytes.find(':');
  const auto encoded =
      ParseAuthorization(absl::StrCat("Basic ", absl::Base64Escape(bytes)));
  if (encoded.ok()) {
    Require(encoded->user == bytes.substr(0, colon), "is read rightly", bytes);
    Require(encoded->secret.view() == bytes.substr(colon + 1),
            "is read rightly", bytes);
  }
  return 0;
}
