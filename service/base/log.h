#ifndef KELPMQ_SERVICE_BASE_LOG_H_
#define KELPMQ_SERVICE_BASE_LOG_H_

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "absl/types/variant.h"
#include "service/base/clock.h"

namespace kelpmq::service {

enum class LogLevel {
  kDebug,    // what helps to find a client's mistake: each refused call
  kInfo,     // who comes and goes, what an administrator changed
  kWarning,  // what somebody should look at soon
  kError,    // what went wrong here, and is our fault or the machine's
  kNone,     // as a lowest level: nothing is logged
};

enum class LogFormat { kText, kJson };

// A named value of a line. It refers to what it was made from, which must live
// until the line is written. Never a secret: what is logged is logged as it is.
class LogField {
 public:
  using Value = absl::variant<absl::string_view, int64_t, uint64_t, bool>;

  LogField(absl::string_view key, absl::string_view text)
      : key_(key), value_(text) {}
  LogField(absl::string_view key, const std::string& text)
      : LogField(key, absl::string_view(text)) {}
  LogField(absl::string_view key, const char* text)
      : LogField(key, absl::string_view(text)) {}
  template <typename T,
            typename = std::enable_if_t<std::is_arithmetic<T>::value>>
  LogField(absl::string_view key, T number)
      : key_(key), value_(ValueOf(number)) {}

  absl::string_view key() const { return key_; }
  const Value& value() const { return value_; }

 private:
  template <typename T>
  static Value ValueOf(T number) {
    static_assert(std::is_integral<T>::value, "no fractions in the log");
    if constexpr (std::is_same<T, bool>::value) {
      return Value(number);
    } else if constexpr (std::is_signed<T>::value) {
      return Value(static_cast<int64_t>(number));
    } else {
      return Value(static_cast<uint64_t>(number));
    }
  }

  absl::string_view key_;
  Value value_;
};

// Where finished lines go. Thread-safety: implementations are thread-safe.
class LogSink {
 public:
  virtual ~LogSink() = default;
  // Writes all of `line`, which ends with a newline, or nothing: then false.
  // Does not wait for room.
  virtual bool Write(absl::string_view line) = 0;
};

// Structured lines: a time, a level, a fixed text, and fields.
//
//   log->Info("session opened", {{"vhost", vhost}, {"peer", peer}});
//
// The text is a constant, so that lines can be searched for; what differs goes
// into fields. One line for each connection, error and change by an
// administrator; none for a message. Lines that the sink has no room for are
// dropped and counted; a warning tells how many, as soon as there is room.
// Thread-safety: thread-safe.
class Log {
 public:
  using Fields = std::initializer_list<LogField>;

  // Writes nothing.
  Log() = default;
  // Drops lines below `lowest`. `clock` and `sink` must outlive the log.
  Log(LogLevel lowest, LogFormat format, const Clock* clock, LogSink* sink)
      : lowest_(lowest), format_(format), clock_(clock), sink_(sink) {}
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Whether a line of this level is written: ask before making costly fields.
  bool Writes(LogLevel level) const { return level >= lowest_; }

  void Debug(absl::string_view text, Fields fields = {}) const {
    Write(LogLevel::kDebug, text, fields);
  }
  void Info(absl::string_view text, Fields fields = {}) const {
    Write(LogLevel::kInfo, text, fields);
  }
  void Warning(absl::string_view text, Fields fields = {}) const {
    Write(LogLevel::kWarning, text, fields);
  }
  void Error(absl::string_view text, Fields fields = {}) const {
    Write(LogLevel::kError, text, fields);
  }
  // `level` is not kNone.
  void Write(LogLevel level, absl::string_view text,
             absl::Span<const LogField> fields) const;

 private:
  bool Emit(LogLevel level, absl::string_view text,
            absl::Span<const LogField> fields) const;

  const LogLevel lowest_ = LogLevel::kNone;
  const LogFormat format_ = LogFormat::kText;
  const Clock* const clock_ = nullptr;
  LogSink* const sink_ = nullptr;
  mutable std::atomic<uint64_t> dropped_{0};
};

// For those who are given none. Lives for ever.
const Log& SilentLog();

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_LOG_H_
