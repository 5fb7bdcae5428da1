#include "service/cli/publish_input.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "service/cli/errors.h"
#include "service/cli/message_json.h"

namespace kelpmq::service::cli {
namespace {

constexpr size_t kReadBytes = 64 * 1024;
// The largest message a broker can be set to take is 128 MiB; base64 makes
// 4/3 of it, and properties come on top.
constexpr size_t kMaxLineBytes = 192 * 1024 * 1024;

class BodyInput : public PublishInput {
 public:
  BodyInput(std::vector<std::string> bodies, v1::Message base)
      : bodies_(std::move(bodies)), base_(std::move(base)) {}

  absl::StatusOr<std::optional<InputMessage>> Next() override {
    if (next_ == bodies_.size()) return std::optional<InputMessage>();
    InputMessage message;
    *message.item.mutable_message() = base_;
    message.item.mutable_message()->set_body(std::move(bodies_[next_]));
    message.number = ++next_;
    return std::optional<InputMessage>(std::move(message));
  }
  bool IsReady() const override { return true; }
  absl::string_view unit() const override { return "message"; }

 private:
  std::vector<std::string> bodies_;
  const v1::Message base_;
  size_t next_ = 0;
};

class LineInput : public PublishInput {
 public:
  LineInput(std::unique_ptr<LineReader> lines, v1::Message base)
      : lines_(std::move(lines)), base_(std::move(base)) {}

  absl::StatusOr<std::optional<InputMessage>> Next() override {
    auto line = lines_->Next();
    if (!line.ok()) return line.status();
    if (!line->has_value()) return std::optional<InputMessage>();
    InputMessage message;
    *message.item.mutable_message() = base_;
    message.item.mutable_message()->set_body(std::string(**line));
    message.number = ++number_;
    return std::optional<InputMessage>(std::move(message));
  }
  bool IsReady() const override { return lines_->IsReady(); }
  absl::string_view unit() const override { return "line"; }

 private:
  const std::unique_ptr<LineReader> lines_;
  const v1::Message base_;
  uint64_t number_ = 0;
};

class JsonLineInput : public PublishInput {
 public:
  JsonLineInput(std::unique_ptr<LineReader> lines, v1::Message base)
      : lines_(std::move(lines)), base_(std::move(base)) {}

  absl::StatusOr<std::optional<InputMessage>> Next() override {
    for (;;) {
      auto line = lines_->Next();
      if (!line.ok()) return line.status();
      if (!line->has_value()) return std::optional<InputMessage>();
      ++number_;
      if (absl::StripAsciiWhitespace(**line).empty()) continue;
      absl::StatusOr<v1::PublishItem> item = ItemOf(**line);
      if (!item.ok()) {
        return MakeFailure(ExitCode::kFailed,
                           absl::StrCat(lines_->name(), " line ", number_, ": ",
                                        item.status().message()),
                           "a line is like {\"routing_key\": \"jobs\", "
                           "\"body\": \"hello\"}; see: kelpmq publish --help");
      }
      InputMessage message;
      v1::Message merged = base_;
      merged.MergeFrom(item->message());
      message.item = *std::move(item);
      *message.item.mutable_message() = std::move(merged);
      message.number = number_;
      return std::optional<InputMessage>(std::move(message));
    }
  }
  bool IsReady() const override { return lines_->IsReady(); }
  absl::string_view unit() const override { return "line"; }

 private:
  const std::unique_ptr<LineReader> lines_;
  const v1::Message base_;
  uint64_t number_ = 0;
};

}  // namespace

LineReader::LineReader(int fd, bool owned, std::string name)
    : fd_(fd), owned_(owned), name_(std::move(name)) {}

LineReader::~LineReader() {
  if (owned_) close(fd_);
}

absl::StatusOr<std::optional<absl::string_view>> LineReader::Next() {
  for (;;) {
    const size_t end = buffer_.find('\n', scanned_);
    if (end != std::string::npos) {
      const absl::string_view line =
          absl::string_view(buffer_).substr(begin_, end - begin_);
      begin_ = scanned_ = end + 1;
      return std::optional<absl::string_view>(line);
    }
    if (at_end_) {
      if (begin_ == buffer_.size()) return std::optional<absl::string_view>();
      const absl::string_view line = absl::string_view(buffer_).substr(begin_);
      begin_ = scanned_ = buffer_.size();
      return std::optional<absl::string_view>(line);
    }
    buffer_.erase(0, begin_);
    begin_ = 0;
    scanned_ = buffer_.size();
    if (buffer_.size() > kMaxLineBytes) {
      return MakeFailure(ExitCode::kFailed,
                         absl::StrCat(name_,
                                      ": a line is longer than any "
                                      "message may be"));
    }
    buffer_.resize(scanned_ + kReadBytes);
    ssize_t got;
    do {
      got = read(fd_, buffer_.data() + scanned_, kReadBytes);
    } while (got < 0 && errno == EINTR);
    const int error = errno;
    buffer_.resize(scanned_ + (got > 0 ? static_cast<size_t>(got) : 0));
    if (got < 0) {
      return MakeFailure(
          ExitCode::kFailed,
          absl::StrCat("cannot read ", name_, ": ", std::strerror(error)));
    }
    at_end_ = got == 0;
  }
}

bool LineReader::IsReady() const {
  if (at_end_ || buffer_.find('\n', scanned_) != std::string::npos) return true;
  pollfd ready{fd_, POLLIN, 0};
  return poll(&ready, 1, /*timeout=*/0) > 0;
}

std::unique_ptr<PublishInput> InputOfBodies(std::vector<std::string> bodies,
                                            v1::Message base) {
  return std::make_unique<BodyInput>(std::move(bodies), std::move(base));
}

std::unique_ptr<PublishInput> InputOfLines(std::unique_ptr<LineReader> lines,
                                           v1::Message base) {
  return std::make_unique<LineInput>(std::move(lines), std::move(base));
}

std::unique_ptr<PublishInput> InputOfJsonLines(
    std::unique_ptr<LineReader> lines, v1::Message base) {
  return std::make_unique<JsonLineInput>(std::move(lines), std::move(base));
}

absl::StatusOr<std::unique_ptr<LineReader>> OpenLines(const std::string& path) {
  if (path == "-") {
    return std::make_unique<LineReader>(STDIN_FILENO, /*owned=*/false,
                                        "standard input");
  }
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return MakeFailure(
        ExitCode::kFailed,
        absl::StrCat("cannot open '", path, "': ", std::strerror(errno)));
  }
  return std::make_unique<LineReader>(fd, /*owned=*/true, path);
}

}  // namespace kelpmq::service::cli
