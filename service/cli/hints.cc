#include "service/cli/hints.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/exchange_type_names.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

// Hints that need no names.
struct FixedHint {
  absl::string_view reason;
  absl::string_view text;
};
constexpr FixedHint kFixedHints[] = {
    {"RESERVED_NAME",
     "names that start with 'amq.' are the broker's: choose "
     "another one"},
    {"DEFAULT_EXCHANGE",
     "the broker's own exchanges cannot be changed; every queue is bound to "
     "the default exchange by its name"},
    {"INTERNAL_EXCHANGE",
     "only other exchanges can publish to it: publish to one that is bound to "
     "it"},
    {"RESOURCE_LOCKED",
     "the queue is exclusive: only the session that "
     "declared it may use it"},
    {"SESSION_REQUIRED", "use a client library with a session for it"},
    {"INVALID_EXPIRATION",
     "--expiration takes whole milliseconds, as in --expiration 60000"},
    {"MESSAGE_TOO_LARGE", "see the limits: kelpmq status"},
    {"HEADERS_TOO_LARGE", "see the limits: kelpmq status"},
    {"RESPONSE_TOO_SMALL", "see the limits: kelpmq status"},
    {"FEATURE_UNSUPPORTED", "see what this broker can do: kelpmq status"},
    {"SERVER_DRAINING", "the broker is stopping: try again when it is back"},
    {"MEMORY_ALARM", "publishing resumes when consumers have made room"},
    {"DISK_ALARM", "publishing resumes when the broker's disk has room"},
    {"QUEUE_FULL", "consume or purge the queue, or raise its max-length"},
    {"INVALID_NAME", "names have 1 to 255 bytes of UTF-8"},
    {"INVALID_ARGUMENT_VALUE", "the --help of the command tells what it takes"},
    {"CONFLICTING_ARGUMENT",
     "the same setting is given twice, as an option and as --argument: give "
     "one of them"},
};

// Hints for causes that share their reason with others, by a part of the text.
struct CauseHint {
  absl::string_view sign;
  absl::string_view text;
};
constexpr CauseHint kCauseHints[] = {
    {"`transient_nonexcl_queues`", "make the queue durable: --durable"},
    {"invalid property 'non-durable'", "make the queue durable: --durable"},
};

std::string FactOf(const ErrorFacts& facts, absl::string_view key) {
  const auto found = facts.find(std::string(key));
  return found == facts.end() ? "" : found->second;
}

// The named resource as a shell word, or `stand_in` if the error names none.
std::string NameOr(const ErrorFacts& facts, absl::string_view key,
                   absl::string_view stand_in) {
  const std::string name = FactOf(facts, key);
  return name.empty() ? std::string(stand_in) : ShellWord(name);
}

}  // namespace

std::string VhostOption(const Target& target) {
  return target.vhost.empty() || target.vhost == "/"
             ? ""
             : absl::StrCat(" --vhost ", ShellWord(target.vhost));
}

std::string HintFor(absl::string_view reason, absl::string_view text,
                    const ErrorFacts& facts, const Target& target) {
  constexpr absl::string_view kPrefixedSetting = "policy setting 'x-";
  if (const size_t at = text.find(kPrefixedSetting);
      at != absl::string_view::npos) {
    const absl::string_view rest = text.substr(at + kPrefixedSetting.size());
    return absl::StrCat("policy settings have no x-: ",
                        OneLine(rest.substr(0, rest.find('\''))));
  }
  for (const CauseHint& cause : kCauseHints) {
    if (absl::StrContains(text, cause.sign)) return std::string(cause.text);
  }
  const std::string vhost = VhostOption(target);
  if (reason == "QUEUE_NOT_FOUND") {
    return absl::StrCat("declare it: kelpmq declare queue ",
                        NameOr(facts, "queue", "QUEUE"), vhost);
  }
  if (reason == "EXCHANGE_NOT_FOUND") {
    return absl::StrCat("declare it: kelpmq declare exchange ",
                        NameOr(facts, "exchange", "EXCHANGE"), vhost);
  }
  if (reason == "VHOST_NOT_FOUND") {
    const std::string name =
        target.vhost.empty() ? "NAME" : ShellWord(target.vhost);
    return absl::StrCat("make it: kelpmq vhost put ", name,
                        "; see what there is: kelpmq list vhosts");
  }
  if (reason == "EXCHANGE_TYPE_UNKNOWN") {
    return absl::StrCat("the types are ", absl::StrJoin(kExchangeTypes, ", "));
  }
  if (reason == "INEQUIVALENT_ARGUMENT") {
    const bool is_queue = FactOf(facts, "exchange").empty();
    return absl::StrCat("it exists with other settings; see them: kelpmq list ",
                        is_queue ? "queues" : "exchanges", vhost);
  }
  if (reason == "QUEUE_IN_USE") {
    return absl::StrCat("see its consumers: kelpmq list consumers --queue ",
                        NameOr(facts, "queue", "QUEUE"), vhost);
  }
  if (reason == "QUEUE_NOT_EMPTY") {
    return absl::StrCat("empty it first: kelpmq purge ",
                        NameOr(facts, "queue", "QUEUE"), vhost);
  }
  if (reason == "EXCHANGE_IN_USE") {
    return absl::StrCat("see its bindings: kelpmq list bindings --source ",
                        NameOr(facts, "exchange", "EXCHANGE"), vhost);
  }
  if (reason == "CONSUMER_EXCLUSIVE") {
    return absl::StrCat("see who has it: kelpmq list consumers --queue ",
                        NameOr(facts, "queue", "QUEUE"), vhost);
  }
  if (reason == "BAD_CREDENTIALS") {
    if (target.has_token) {
      return "check the token: has it run out, is it of another broker?";
    }
    return target.has_login
               ? "check user and password"
               : "log in: --user NAME, with the password in KELPMQ_PASSWORD or "
                 "--password-file FILE";
  }
  if (reason == "NO_ROUTE") {
    const std::string exchange = FactOf(facts, "exchange");
    return exchange.empty()
               ? absl::StrCat(
                     "the default exchange routes to the queue named like the "
                     "routing key; see the queues: kelpmq list queues",
                     vhost)
               : absl::StrCat(
                     "bind a queue: kelpmq bind queue QUEUE "
                     "--exchange ",
                     ShellWord(exchange), " --routing-key KEY", vhost);
  }
  for (const FixedHint& hint : kFixedHints) {
    if (hint.reason == reason) return std::string(hint.text);
  }
  return "";
}

}  // namespace kelpmq::service::cli
