#include "service/base/log.h"

#include "service/base/log_line.h"

namespace kelpmq::service {

void Log::Write(LogLevel level, absl::string_view text,
                absl::Span<const LogField> fields) const {
  if (!Writes(level)) return;
  if (dropped_.load(std::memory_order_relaxed) > 0) {
    const uint64_t count = dropped_.exchange(0, std::memory_order_relaxed);
    if (!Emit(LogLevel::kWarning, "lines of the log were dropped unread",
              {LogField("count", count)})) {
      dropped_.fetch_add(count, std::memory_order_relaxed);
    }
  }
  if (!Emit(level, text, fields)) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
  }
}

bool Log::Emit(LogLevel level, absl::string_view text,
               absl::Span<const LogField> fields) const {
  return sink_->Write(LogLine(format_, clock_->Now(), level, text, fields));
}

const Log& SilentLog() {
  static const Log& silent = *new Log();
  return silent;
}

}  // namespace kelpmq::service
