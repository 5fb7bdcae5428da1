#include "service/rpc/call_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "service/base/error.h"
#include "service/rpc/stream_errors.h"
#include "tests/testing/fake_clock.h"

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Lines : public LogSink {
 public:
  bool Write(absl::string_view line) override {
    lines.emplace_back(line);
    return true;
  }
  std::vector<std::string> lines;
};

class CallLogTest : public ::testing::Test {
 protected:
  CallLogTest() {
    methods_.Add("/x.Y/Stream", MethodTable::WhileDraining::kAllow, nullptr,
                 MethodTable::Kind::kStream);
    methods_.Add("/x.Y/Call", MethodTable::WhileDraining::kAllow, nullptr);
  }
  void Fail(const absl::Status& error, bool is_stream) {
    CallLog calls(methods_, &log_);
    calls.CallFailed({is_stream ? stream_ : call_, peer_, is_stream}, error);
    EXPECT_EQ(calls.failed_calls().value(), 1u);
  }

  const std::string stream_ = "/x.Y/Stream";
  const std::string call_ = "/x.Y/Call";
  const std::string peer_ = "ipv4:127.0.0.1:4711";
  testing::FakeClock clock_;
  Lines lines_;
  const Log log_{LogLevel::kInfo, LogFormat::kText, &clock_, &lines_};
  MethodTable methods_;
};

TEST_F(CallLogTest, AStreamIsALineAtEachEndAndCounted) {
  CallLog calls(methods_, &log_);
  calls.StreamOpened({stream_, peer_, true});
  calls.StreamClosed({stream_, peer_, true}, /*cancelled=*/true);
  EXPECT_THAT(
      lines_.lines,
      ElementsAre(
          HasSubstr("info stream opened rpc=Stream peer=ipv4:127.0.0.1:4711"),
          HasSubstr("info stream closed rpc=Stream peer=ipv4:127.0.0.1:4711 "
                    "cancelled=true")));
  EXPECT_EQ(calls.streams().size(), 1u);
  EXPECT_EQ(calls.streams().find("Stream")->second.opened.value(), 1u);
  EXPECT_EQ(calls.streams().find("Stream")->second.closed.value(), 1u);
}

TEST_F(CallLogTest, OurOwnFaultIsAnError) {
  Fail(MakeError(Reason::kInternalError, "broken"), /*is_stream=*/false);
  EXPECT_THAT(lines_.lines,
              ElementsAre(HasSubstr(
                  "error call failed rpc=Call peer=ipv4:127.0.0.1:4711 "
                  "code=INTERNAL reason=INTERNAL_ERROR error=\"INTERNAL_ERROR "
                  "- broken\"")));
}

TEST_F(CallLogTest, AClientsMistakeEndsAStreamWithAWarning) {
  Fail(MakeError(Reason::kQueueNotFound, "no queue"), /*is_stream=*/true);
  EXPECT_THAT(lines_.lines, ElementsAre(HasSubstr("warning call failed")));
}

TEST_F(CallLogTest, AClientsMistakeInACallIsQuiet) {
  Fail(MakeError(Reason::kQueueNotFound, "no queue"), /*is_stream=*/false);
  EXPECT_THAT(lines_.lines, IsEmpty());
}

TEST_F(CallLogTest, StreamsThatEndWithTheServerAreQuiet) {
  Fail(ServerDrainingError(), /*is_stream=*/true);
  EXPECT_THAT(lines_.lines, IsEmpty());
}

}  // namespace
}  // namespace kelpmq::service
