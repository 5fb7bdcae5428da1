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

TEST(MeantOption, KnowsTheWordsOfPerfTestWhereTheCommandHasTheLike) {
  const std::vector<std::string> perf = {"--seconds",  "--use-queue",
                                         "--queues",   "--confirm-window",
                                         "--prefetch", "--ack-batch"};
  EXPECT_EQ(MeantOption("--time", perf), "--seconds");
  EXPECT_EQ(MeantOption("--queue", perf), "--use-queue");  // not --queues
  EXPECT_EQ(MeantOption("--confirm", perf), "--confirm-window");
  EXPECT_EQ(MeantOption("--qos", perf), "--prefetch");
  EXPECT_EQ(MeantOption("--multi-ack-every", perf), "--ack-batch");
  EXPECT_EQ(MeantOption("--time", {"--timeout"}), "");
  EXPECT_EQ(MeantOption("--prefecth", perf), "--prefetch");
}

}  // namespace
}  // namespace kelpmq::service::cli
