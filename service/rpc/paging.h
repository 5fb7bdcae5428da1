#ifndef KELPMQ_SERVICE_RPC_PAGING_H_
#define KELPMQ_SERVICE_RPC_PAGING_H_

#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kelpmq::service {

inline constexpr int32_t kDefaultPageSize = 100;
inline constexpr int32_t kMaxPageSize = 1000;

// Which list is being paged: the RPC and its filters. A token is good for the
// list it was made for, and for no other.
class PageScope {
 public:
  // An optional filter should come as two: whether it is set, and its value.
  PageScope(absl::string_view rpc,
            std::initializer_list<absl::string_view> filters);

  struct Request {
    uint32_t limit = 0;
    std::string after;  // continue behind this; empty: from the start
  };
  // INVALID_VALUE: negative page_size. BAD_PAGE_TOKEN: `token` was not made by
  // NextToken of an equal scope.
  absl::StatusOr<Request> Read(int32_t page_size,
                               absl::string_view token) const;

  // The token of the page behind `next`; empty for an empty `next`, the end.
  std::string NextToken(absl::string_view next) const;

 private:
  uint64_t hash_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_PAGING_H_
