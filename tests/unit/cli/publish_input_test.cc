#include "service/cli/publish_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace kelpmq::service::cli {
namespace {

using ::testing::ElementsAre;

// A pipe whose writing end the test holds.
class PublishInputTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int fds[2];
    ASSERT_EQ(pipe(fds), 0);
    lines_ = std::make_unique<LineReader>(fds[0], /*owned=*/true, "a pipe");
    write_fd_ = fds[1];
  }
  void TearDown() override { CloseWriter(); }

  void Write(absl::string_view text) {
    ASSERT_EQ(write(write_fd_, text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
  void CloseWriter() {
    if (write_fd_ >= 0) close(write_fd_);
    write_fd_ = -1;
  }
  static std::vector<std::string> AllLines(LineReader* lines) {
    std::vector<std::string> all;
    for (auto line = lines->Next(); line.ok() && line->has_value();
         line = lines->Next()) {
      all.emplace_back(**line);
    }
    return all;
  }

  std::unique_ptr<LineReader> lines_;
  int write_fd_ = -1;
};

TEST_F(PublishInputTest, LinesKeepTheirBytes) {
  Write(absl::string_view("one\n\ntwo\r\n\0\xff\nlast", 17));
  CloseWriter();
  EXPECT_THAT(
      AllLines(lines_.get()),
      ElementsAre("one", "", "two\r", std::string("\0\xff", 2), "last"));
}

TEST_F(PublishInputTest, ALineMayBeLongerThanOneRead) {
  const std::string half(20'000, 'x');
  Write(half);
  Write(half);
  Write("\ny\n");
  CloseWriter();
  EXPECT_THAT(AllLines(lines_.get()), ElementsAre(half + half, "y"));
}

TEST_F(PublishInputTest, IsReadyWhileALineIsAtHand) {
  EXPECT_FALSE(lines_->IsReady());
  Write("one\ntwo\n");
  EXPECT_TRUE(lines_->IsReady());
  ASSERT_TRUE(lines_->Next().ok());
  EXPECT_TRUE(lines_->IsReady());
  ASSERT_TRUE(lines_->Next().ok());
  EXPECT_FALSE(lines_->IsReady());
  CloseWriter();
  EXPECT_TRUE(lines_->IsReady());
}

TEST_F(PublishInputTest, AJsonLineWinsOverTheOptions) {
  v1::Message base;
  base.set_app_id("option");
  base.set_priority(1);
  (*base.mutable_headers())["a"].set_string_value("option");
  Write("\n{\"body\": \"b\", \"priority\": 2, \"headers\": {\"h\": 1}}\n");
  CloseWriter();
  const auto input = InputOfJsonLines(std::move(lines_), base);
  const auto message = input->Next();
  ASSERT_TRUE(message.ok() && message->has_value());
  EXPECT_EQ((*message)->number, 2);  // the line's
  const v1::Message& merged = (*message)->item.message();
  EXPECT_EQ(merged.app_id(), "option");
  EXPECT_EQ(merged.priority(), 2);
  EXPECT_EQ(merged.headers_size(), 2);
  EXPECT_EQ(merged.body(), "b");
}

}  // namespace
}  // namespace kelpmq::service::cli
