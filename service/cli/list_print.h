#ifndef KELPMQ_SERVICE_CLI_LIST_PRINT_H_
#define KELPMQ_SERVICE_CLI_LIST_PRINT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "service/cli/output.h"
#include "service/cli/topology_json.h"

namespace kelpmq::service::cli {

// Prints the items as a JSON array or as a table.
//   row: the cells of one item.
template <typename Item, typename Row>
absl::Status PrintItems(const absl::StatusOr<std::vector<Item>>& items,
                        std::vector<Table::Column> columns, Row row,
                        absl::string_view what, Output* output) {
  if (!items.ok()) return items.status();
  if (output->json()) {
    nlohmann::ordered_json array = nlohmann::ordered_json::array();
    for (const Item& item : *items) array.push_back(JsonOf(item));
    output->PrintJson(array);
    return absl::OkStatus();
  }
  if (items->empty()) {
    output->Note(absl::StrCat("no ", what));
    return absl::OkStatus();
  }
  Table table(std::move(columns));
  for (const Item& item : *items) table.AddRow(row(item));
  output->PrintTable(table);
  return absl::OkStatus();
}

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_LIST_PRINT_H_
