#include "service/cli/suggestion.h"

#include <gtest/gtest.h>

namespace kelpmq::service::cli {
namespace {

std::vector<std::string> Commands() {
  return {"serve",        "declare", "declare exchange", "declare queue",
          "publish",      "get",     "consume",          "delete",
          "delete queue", "list",    "list queues",      "list bindings"};
}

TEST(NearestName, IsASlipAway) {
  EXPECT_EQ(NearestName("--routing-kye", {"--routing-key", "--mandatory"}),
            "--routing-key");
  EXPECT_EQ(NearestName("queue", {"exchanges", "queues"}), "queues");
  EXPECT_EQ(NearestName("frobnicate", {"exchanges", "queues"}), "");
  EXPECT_EQ(NearestName("x", {}), "");
}

TEST(MeantCommand, FindsSlips) {
  EXPECT_EQ(MeantCommand("decalre", "", Commands()), "declare");
  EXPECT_EQ(MeantCommand("frobnicate", "", Commands()), "");
}

TEST(MeantCommand, FindsTwoWordsWrittenAsOne) {
  EXPECT_EQ(MeantCommand("list_queues", "", Commands()), "list queues");
  EXPECT_EQ(MeantCommand("delete-queue", "jobs", Commands()), "delete queue");
}

TEST(MeantCommand, FindsTwoWordsInTheOtherOrder) {
  EXPECT_EQ(MeantCommand("queue", "declare", Commands()), "declare queue");
  EXPECT_EQ(MeantCommand("queue", "frobnicate", Commands()), "");
}

TEST(MeantCommand, KnowsTheWordsOfOtherTools) {
  EXPECT_EQ(MeantCommand("sub", "jobs", Commands()), "consume");
  EXPECT_EQ(MeantCommand("put", "", Commands()), "publish");  // not get
  EXPECT_EQ(MeantCommand("sub", "", {"bash", "zsh"}), "");    // not there
}

}  // namespace
}  // namespace kelpmq::service::cli
