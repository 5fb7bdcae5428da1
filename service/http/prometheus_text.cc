#include "service/http/prometheus_text.h"

#include "absl/strings/str_cat.h"

namespace kelpmq::service {
namespace {

void AppendEscaped(absl::string_view value, std::string* page) {
  for (char c : value) {
    switch (c) {
      case '\\':
        page->append("\\\\");
        break;
      case '"':
        page->append("\\\"");
        break;
      case '\n':
        page->append("\\n");
        break;
      default:
        page->push_back(c);
    }
  }
}

}  // namespace

void PrometheusText::Family(absl::string_view name, absl::string_view help,
                            absl::string_view type) {
  name_ = std::string(name);
  absl::StrAppend(&page_, "# TYPE ", name, " ", type, "\n# HELP ", name, " ",
                  help, "\n");
}

void PrometheusText::Sample(uint64_t value, Labels labels) {
  page_ += name_;
  char separator = '{';
  for (const auto& [key, text] : labels) {
    page_ += separator;
    separator = ',';
    absl::StrAppend(&page_, key, "=\"");
    AppendEscaped(text, &page_);
    page_ += '"';
  }
  absl::StrAppend(&page_, separator == ',' ? "} " : " ", value, "\n");
}

}  // namespace kelpmq::service
