#ifndef KELPMQ_SERVICE_CLI_PUBLISH_INPUT_H_
#define KELPMQ_SERVICE_CLI_PUBLISH_INPUT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kelpmq/v1/messaging.pb.h"

namespace kelpmq::service::cli {

// Lines of a file or pipe, without their line feeds.
// Thread-safety: thread-compatible.
class LineReader {
 public:
  // Reads from `fd`, and closes it at the end if `owned`.
  //   name: what errors call it, "standard input" or a path.
  LineReader(int fd, bool owned, std::string name);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // The next line, valid until the next call; nullopt after the last. Waits
  // for a slow writer. A last line without line feed counts.
  // Errors: what read(2) says; a line longer than any message may be.
  absl::StatusOr<std::optional<absl::string_view>> Next();
  // Whether Next would give an answer without waiting, as far as one can see.
  bool IsReady() const;

  const std::string& name() const { return name_; }

 private:
  const int fd_;
  const bool owned_;
  const std::string name_;
  std::string buffer_;
  size_t begin_ = 0;    // where the unread part of buffer_ starts
  size_t scanned_ = 0;  // up to here it has no line feed
  bool at_end_ = false;
};

// One message to publish and the name it has for people.
struct InputMessage {
  v1::PublishItem item;
  uint64_t number = 0;  // counts from 1: of the message, or of its line
};

// Where the messages to publish come from.
// Thread-safety: thread-compatible.
class PublishInput {
 public:
  virtual ~PublishInput() = default;
  // The next message; nullopt at the end. May wait for a slow writer.
  virtual absl::StatusOr<std::optional<InputMessage>> Next() = 0;
  // False: Next may wait, so send first what there is.
  virtual bool IsReady() const = 0;
  // What `number` counts: "message" or "line".
  virtual absl::string_view unit() const = 0;
};

// Each gives messages with the properties of `base`.
std::unique_ptr<PublishInput> InputOfBodies(std::vector<std::string> bodies,
                                            v1::Message base);
// A message a line.
std::unique_ptr<PublishInput> InputOfLines(std::unique_ptr<LineReader> lines,
                                           v1::Message base);
// A JSON object a line (message_json.h); what it sets wins over `base`.
std::unique_ptr<PublishInput> InputOfJsonLines(
    std::unique_ptr<LineReader> lines, v1::Message base);

// Opens a file for reading; "-" is standard input.
absl::StatusOr<std::unique_ptr<LineReader>> OpenLines(const std::string& path);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_PUBLISH_INPUT_H_
