#include "service/cli/table.h"

#include <gtest/gtest.h>

namespace kelpmq::service::cli {
namespace {

TEST(Table, AlignsColumnsByDisplayWidth) {
  Table table({{"NAME"}, {"READY", Table::Align::kRight}, {"FLAGS"}});
  table.AddRow({"a", "5", "durable"});
  table.AddRow({"\xe6\x9d\xb1\xe4\xba\xac-queue", "1200", ""});
  EXPECT_EQ(table.ToString(/*bold_heading=*/false),
            "NAME        READY  FLAGS\n"
            "a               5  durable\n"
            "\xe6\x9d\xb1\xe4\xba\xac-queue   1200\n");
}

TEST(Table, EscapesCellsThatWouldBreakIt) {
  Table table({{"NAME"}});
  table.AddRow({"two\nlines"});
  EXPECT_EQ(table.ToString(/*bold_heading=*/false), "NAME\ntwo\\nlines\n");
}

TEST(Table, ColoursTheHeadingAlone) {
  Table table({{"NAME"}});
  table.AddRow({"a"});
  EXPECT_EQ(table.ToString(/*bold_heading=*/true), "\x1b[1mNAME\x1b[0m\na\n");
}

TEST(Table, FillsMissingCells) {
  Table table({{"A"}, {"B"}});
  EXPECT_TRUE(table.empty());
  table.AddRow({"1"});
  EXPECT_FALSE(table.empty());
  EXPECT_EQ(table.ToString(/*bold_heading=*/false), "A  B\n1\n");
}

}  // namespace
}  // namespace kelpmq::service::cli
