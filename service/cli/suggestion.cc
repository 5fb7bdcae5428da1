#include "service/cli/suggestion.h"

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

// Farther apart, two names are no slip of the fingers.
constexpr int kMaxSlip = 2;

// Words that other brokers' and common tools have for our commands.
struct OtherWord {
  absl::string_view word;
  absl::string_view command;
};
constexpr OtherWord kOtherWords[] = {
    {"add", "declare"},      {"create", "declare"},
    {"del", "delete"},       {"health", "healthcheck"},
    {"info", "status"},      {"listen", "consume"},
    {"ls", "list"},          {"new", "declare"},
    {"ping", "healthcheck"}, {"pop", "get"},
    {"produce", "publish"},  {"pub", "publish"},
    {"put", "publish"},      {"receive", "consume"},
    {"remove", "delete"},    {"rm", "delete"},
    {"run", "serve"},        {"send", "publish"},
    {"server", "serve"},     {"show", "list"},
    {"start", "serve"},      {"sub", "consume"},
    {"subscribe", "consume"}};

// Options of RabbitMQ's PerfTest, and ours.
struct OtherOption {
  absl::string_view word;
  absl::string_view option;
};
constexpr OtherOption kOtherOptions[] = {{"--time", "--seconds"},
                                         {"--queue", "--use-queue"},
                                         {"--confirm", "--confirm-window"},
                                         {"--qos", "--prefetch"},
                                         {"--multi-ack-every", "--ack-batch"}};

}  // namespace

std::string NearestName(absl::string_view typed,
                        const std::vector<std::string>& names) {
  std::string nearest;
  int best = kMaxSlip + 1;
  for (const std::string& name : names) {
    const int distance = EditDistance(typed, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

std::string MeantCommand(absl::string_view typed, absl::string_view following,
                         const std::vector<std::string>& commands) {
  for (const OtherWord& other : kOtherWords) {
    if (other.word == typed && absl::c_linear_search(commands, other.command)) {
      return std::string(other.command);
    }
  }
  const std::string words =
      absl::StrReplaceAll(typed, {{"_", " "}, {"-", " "}});
  const std::string nearest = NearestName(words, commands);
  if (!nearest.empty() || following.empty()) return nearest;
  return NearestName(absl::StrCat(following, " ", words), commands);
}

std::string MeantOption(absl::string_view typed,
                        const std::vector<std::string>& options) {
  for (const OtherOption& other : kOtherOptions) {
    if (other.word == typed && absl::c_linear_search(options, other.option)) {
      return std::string(other.option);
    }
  }
  return NearestName(typed, options);
}

}  // namespace kelpmq::service::cli
