#include "service/rpc/paging.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/base/fnv.h"

namespace kelpmq::service {
namespace {

constexpr size_t kSealBytes = sizeof(uint64_t);

// The hash of the scope and of what follows it, so that neither another list's
// token nor garbage gets through.
std::string Seal(uint64_t scope, absl::string_view after) {
  uint64_t hash = Fnv1a(after, scope);
  std::string seal;
  for (size_t i = 0; i < kSealBytes; ++i) {
    seal += static_cast<char>(hash & 0xff);
    hash >>= 8;
  }
  return seal;
}

}  // namespace

PageScope::PageScope(absl::string_view rpc,
                     std::initializer_list<absl::string_view> filters)
    : hash_(Fnv1a(rpc)) {
  for (const absl::string_view filter : filters) {
    hash_ = Fnv1a(filter, Fnv1a(absl::StrCat(filter.size(), ":"), hash_));
  }
}

absl::StatusOr<PageScope::Request> PageScope::Read(
    int32_t page_size, absl::string_view token) const {
  if (page_size < 0) {
    return MakeError(Reason::kInvalidValue,
                     absl::StrCat("page_size ", page_size, " is negative"),
                     {{"argument", "page_size"}});
  }
  Request request;
  request.limit =
      page_size == 0 ? kDefaultPageSize : std::min(page_size, kMaxPageSize);
  if (token.empty()) return request;
  std::string bytes;
  if (absl::WebSafeBase64Unescape(token, &bytes) && bytes.size() > kSealBytes) {
    request.after = bytes.substr(kSealBytes);
    if (bytes.compare(0, kSealBytes, Seal(hash_, request.after)) == 0) {
      return request;
    }
  }
  return MakeError(Reason::kBadPageToken,
                   "page_token is not from this list with these filters",
                   {{"argument", "page_token"}});
}

std::string PageScope::NextToken(absl::string_view next) const {
  if (next.empty()) return "";
  return absl::WebSafeBase64Escape(absl::StrCat(Seal(hash_, next), next));
}

}  // namespace kelpmq::service
