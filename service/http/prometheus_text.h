#ifndef KELPMQ_SERVICE_HTTP_PROMETHEUS_TEXT_H_
#define KELPMQ_SERVICE_HTTP_PROMETHEUS_TEXT_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace kelpmq::service {

// Writes a page in Prometheus's text format, version 0.0.4: families of
// metrics, each with the samples that follow it. Thread-safety:
// thread-compatible.
class PrometheusText {
 public:
  static constexpr absl::string_view kContentType =
      "text/plain; version=0.0.4; charset=utf-8";

  // By name; values may be any bytes of UTF-8.
  using Labels =
      std::initializer_list<std::pair<absl::string_view, absl::string_view>>;

  // Each family once, before its samples.
  void Gauge(absl::string_view name, absl::string_view help) {
    Family(name, help, "gauge");
  }
  void Counter(absl::string_view name, absl::string_view help) {
    Family(name, help, "counter");
  }
  // Of the family that was begun last.
  void Sample(uint64_t value, Labels labels = {});

  std::string Take() { return std::move(page_); }

 private:
  void Family(absl::string_view name, absl::string_view help,
              absl::string_view type);

  std::string name_;
  std::string page_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_HTTP_PROMETHEUS_TEXT_H_
