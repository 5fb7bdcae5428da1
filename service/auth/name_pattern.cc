#include "service/auth/name_pattern.h"

#include <re2/re2.h>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

// RE2 needs memory with the length of a pattern; nobody writes such a one.
constexpr size_t kMaxPatternBytes = 4096;
constexpr int64_t kMaxMemoryBytes = 1 << 20;
constexpr char kEmptyNameAlone[] = "^$";

re2::RE2::Options Options() {
  re2::RE2::Options options(re2::RE2::Latin1);
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(kMaxMemoryBytes);
  return options;
}

}  // namespace

NamePattern::NamePattern() {
  static const auto* const empty = new std::shared_ptr<const re2::RE2>(
      std::make_shared<re2::RE2>(kEmptyNameAlone, Options()));
  pattern_ = *empty;
}

absl::StatusOr<NamePattern> NamePattern::Compile(absl::string_view what,
                                                 absl::string_view text) {
  if (text.empty()) return NamePattern();
  if (text.size() > kMaxPatternBytes) {
    return MakeError(Reason::kInvalidValue,
                     absl::StrCat("the ", what, " pattern has ", text.size(),
                                  " bytes, more than ", kMaxPatternBytes),
                     {{"argument", what}});
  }
  auto pattern = std::make_shared<re2::RE2>(
      re2::StringPiece(text.data(), text.size()), Options());
  if (!pattern->ok()) {
    return MakeError(
        Reason::kInvalidValue,
        absl::StrCat("the ", what, " pattern '", text,
                     "' is no regular expression: ", pattern->error()),
        {{"argument", what}});
  }
  return NamePattern(std::move(pattern));
}

bool NamePattern::Matches(absl::string_view name) const {
  return re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()),
                                *pattern_);
}

}  // namespace kelpmq::service
