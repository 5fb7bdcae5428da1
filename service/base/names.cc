#include "service/base/names.h"

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/base/types.h"
#include "service/base/utf8.h"

namespace kelpmq::service {

absl::Status CheckName(absl::string_view what, absl::string_view name) {
  if (name.size() > kMaxNameBytes) {
    return MakeError(Reason::kInvalidName,
                     absl::StrCat("the ", what, " has ", name.size(),
                                  " bytes; the limit is ", kMaxNameBytes),
                     {{"argument", what}});
  }
  if (!IsValidUtf8(name)) {
    return MakeError(Reason::kInvalidName,
                     absl::StrCat("the ", what, " is not valid UTF-8"),
                     {{"argument", what}});
  }
  return absl::OkStatus();
}

}  // namespace kelpmq::service
