#ifndef KELPMQ_SERVICE_CLI_TABLE_H_
#define KELPMQ_SERVICE_CLI_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace kelpmq::service::cli {

// Rows under aligned headings, for people; programs get JSON instead.
// Thread-safety: thread-compatible.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string heading;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns);

  // One cell a column; numbers belong through absl::StrCat. Control characters
  // are escaped, so a name cannot break the table or the terminal.
  void AddRow(std::vector<std::string> cells);

  // The table, a line a row, each ended by '\n'. With `bold_heading` the
  // heading carries terminal colour codes.
  std::string ToString(bool bold_heading) const;

  bool empty() const { return rows_.empty(); }

 private:
  const std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_TABLE_H_
