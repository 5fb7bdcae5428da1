#include "service/base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "service/base/descriptor_log_sink.h"
#include "service/base/log_line.h"
#include "tests/testing/fake_clock.h"

namespace kelpmq::service {
namespace {

using testing::FakeClock;

const absl::Time kTime = absl::FromUnixMillis(1767323045678);

std::string Text(absl::Span<const LogField> fields) {
  return LogLine(LogFormat::kText, kTime, LogLevel::kInfo, "session opened",
                 fields);
}

std::string Json(absl::Span<const LogField> fields) {
  return LogLine(LogFormat::kJson, kTime, LogLevel::kWarning, "session opened",
                 fields);
}

class RecordingLogSink : public LogSink {
 public:
  bool Write(absl::string_view line) override {
    if (has_room) lines.emplace_back(line);
    return has_room;
  }
  std::vector<std::string> lines;
  bool has_room = true;
};

TEST(LogLine, TextNamesTimeLevelAndFields) {
  EXPECT_EQ(Text({{"vhost", "/"}, {"count", 3}, {"whole", true}}),
            "2026-01-02T03:04:05.678Z info session opened vhost=/ count=3 "
            "whole=true\n");
}

TEST(LogLine, TextQuotesWhatIsMoreThanAWord) {
  EXPECT_TRUE(
      absl::StrContains(Text({{"client", "my app"}}), R"(client="my app")"));
  EXPECT_TRUE(absl::StrContains(Text({{"client", ""}}), R"(client="")"));
  EXPECT_TRUE(
      absl::StrContains(Text({{"client", "a=\"b\""}}), R"(client="a=\"b\"")"));
}

TEST(LogLine, AValueCannotBeginAnotherLine) {
  const LogField field("client", "x\n2026 error forged\x1b[2J");
  for (const std::string& line : {Text({field}), Json({field})}) {
    EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
    EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
  }
}

TEST(LogLine, JsonIsOneObject) {
  const auto json = nlohmann::json::parse(
      Json({{"vhost", "/"}, {"count", uint64_t{1} << 63}, {"left", -1}}));
  EXPECT_EQ(json, nlohmann::json({{"time", "2026-01-02T03:04:05.678Z"},
                                  {"level", "warning"},
                                  {"message", "session opened"},
                                  {"vhost", "/"},
                                  {"count", uint64_t{1} << 63},
                                  {"left", -1}}));
}

TEST(LogLine, BytesThatAreNoTextAreReplaced) {
  const auto json = nlohmann::json::parse(Json({{"client", "a\xff z"}}));
  EXPECT_EQ(json["client"], "a\xef\xbf\xbd z");
}

TEST(LogLine, StaysShortWhateverTheValues) {
  const std::string wild(100'000, '\x01');
  const std::string wide = std::string(511, 'a') + "\xc3\xa9 and more";
  for (LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    const std::string line =
        LogLine(format, kTime, LogLevel::kError, "text",
                {{"a", wild}, {"b", wild}, {"c", wild}, {"d", wild}});
    EXPECT_LE(line.size(), kMaxLogLineBytes);
    EXPECT_TRUE(absl::StrContains(
        LogLine(format, kTime, LogLevel::kError, "text", {{"a", wide}}),
        std::string(511, 'a') + "..."));
  }
}

TEST(Log, DropsLinesBelowItsLevel) {
  FakeClock clock;
  RecordingLogSink sink;
  const Log log(LogLevel::kWarning, LogFormat::kText, &clock, &sink);
  log.Info("quiet");
  log.Warning("heard");
  log.Error("heard");
  EXPECT_EQ(sink.lines.size(), 2u);
  EXPECT_FALSE(log.Writes(LogLevel::kInfo));
}

TEST(Log, WithoutASinkIsSilent) {
  const Log log;
  log.Error("nobody hears this");
  EXPECT_FALSE(log.Writes(LogLevel::kError));
}

TEST(Log, TellsHowManyLinesFoundNoRoom) {
  FakeClock clock;
  RecordingLogSink sink;
  const Log log(LogLevel::kInfo, LogFormat::kText, &clock, &sink);
  sink.has_room = false;
  log.Info("lost");
  log.Info("lost");
  sink.has_room = true;
  log.Info("first");
  log.Info("second");
  ASSERT_EQ(sink.lines.size(), 3u);
  EXPECT_TRUE(absl::StrContains(sink.lines[0], "count=2"));
  EXPECT_TRUE(absl::StrContains(sink.lines[1], "first"));
  EXPECT_TRUE(absl::StrContains(sink.lines[2], "second"));
}

TEST(DescriptorLogSink, NeverWaitsForAReader) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  DescriptorLogSink sink(ends[1]);
  const std::string line(kMaxLogLineBytes, 'x');
  while (sink.Write(line)) {  // until the pipe is full
  }
  std::string read_back(kMaxLogLineBytes, ' ');
  ASSERT_EQ(read(ends[0], read_back.data(), read_back.size()),
            static_cast<ssize_t>(read_back.size()));
  EXPECT_TRUE(sink.Write(line));
  EXPECT_FALSE(sink.Write(line));
  close(ends[0]);
  close(ends[1]);
}

TEST(DescriptorLogSink, WritesNothingToAClosedDescriptor) {
  EXPECT_FALSE(DescriptorLogSink(-1).Write("line\n"));
}

}  // namespace
}  // namespace kelpmq::service
