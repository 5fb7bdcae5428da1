#include "service/cli/table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

constexpr absl::string_view kGap = "  ";  // between two columns

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::AddRow(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = OneLine(cell);
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::ToString(bool bold_heading) const {
  std::vector<int> widths;
  for (const Column& column : columns_) {
    widths.push_back(DisplayWidth(column.heading));
  }
  for (const std::vector<std::string>& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row[i]));
    }
  }

  const auto line_of = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      const std::string padding(
          static_cast<size_t>(widths[i] - DisplayWidth(cells[i])), ' ');
      if (i > 0) absl::StrAppend(&line, kGap);
      if (columns_[i].align == Align::kRight) {
        absl::StrAppend(&line, padding, cells[i]);
      } else {
        absl::StrAppend(&line, cells[i], padding);
      }
    }
    // Blanks at the end would wrap on narrow terminals for nothing.
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
  };

  std::vector<std::string> headings;
  for (const Column& column : columns_) headings.push_back(column.heading);
  std::string text = bold_heading
                         ? absl::StrCat("\x1b[1m", line_of(headings), "\x1b[0m")
                         : line_of(headings);
  text.push_back('\n');
  for (const std::vector<std::string>& row : rows_) {
    absl::StrAppend(&text, line_of(row), "\n");
  }
  return text;
}

}  // namespace kelpmq::service::cli
