#include "service/cli/command.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

constexpr char kConnectionGroup[] = "Connection and output";
constexpr char kSecurityGroup[] = "Login and encryption";

constexpr size_t kHelpWidth = 80;
// Where descriptions begin: past the names of most options and their values.
constexpr size_t kHelpColumn = 32;

// A variable is named in the description, not to CLI11, which would take its
// value for one of the command line: Resolve tells the two apart.
CLI::Option* AddSetting(CLI::App* command, const std::string& name,
                        std::optional<std::string>* value,
                        const std::string& type, const std::string& variable,
                        const std::string& description) {
  return command
      ->add_option(name, *value, absl::StrCat(description, " [", variable, "]"))
      ->type_name(type);
}

// How the broker knows who calls, and the caller that it is the broker.
void AddCredentialFlags(CLI::App* command, ConnectionSettings* settings) {
  const auto add =
      [command](const std::string& name, std::optional<std::string>* value,
                const std::string& type, const std::string& variable,
                const std::string& description) {
        AddSetting(command, name, value, type, variable, description)
            ->group(kSecurityGroup);
      };
  add("--user", &settings->user, "NAME", "KELPMQ_USER",
      "User to log in as; the password comes from KELPMQ_PASSWORD or "
      "--password-file");
  add("--password-file", &settings->password_file, "FILE",
      "KELPMQ_PASSWORD_FILE",
      "File with the user's password in its first line");
  add("--token-file", &settings->token_file, "FILE", "KELPMQ_TOKEN_FILE",
      "File with a token to log in with; or the token itself in KELPMQ_TOKEN");
  command
      ->add_flag_function(
          "--tls",
          [settings](std::int64_t count) { settings->tls = count > 0; },
          "Connect by TLS; --tls-ca and --tls-server-name imply it "
          "[KELPMQ_TLS]")
      ->group(kSecurityGroup);
  add("--tls-ca", &settings->tls_ca, "FILE", "KELPMQ_TLS_CA",
      "Certificates of those who may vouch for the broker (default: the "
      "system's)");
  add("--tls-cert", &settings->tls_cert, "FILE", "KELPMQ_TLS_CERT",
      "Own certificate, for a broker that asks for one");
  add("--tls-key", &settings->tls_key, "FILE", "KELPMQ_TLS_KEY",
      "Its private key");
  add("--tls-server-name", &settings->tls_server_name, "NAME",
      "KELPMQ_TLS_SERVER_NAME",
      "Name that the broker's certificate must have (default: that of the "
      "address)");
}

bool ParseDuration(const std::string& text, absl::Duration* duration) {
  double seconds = 0;
  if (absl::SimpleAtod(text, &seconds)) {
    *duration = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, duration)) {
    return false;
  }
  return *duration >= absl::ZeroDuration();
}

}  // namespace

void AddClientFlags(CLI::App* command, ClientFlags* flags, VhostFlag vhost) {
  ConnectionSettings* const settings = &flags->connection;
  AddSetting(command, "--address", &settings->address, "ADDRESS",
             "KELPMQ_ADDRESS",
             "Where the broker listens: HOST:PORT, unix:/path or "
             "kelpmq://USER@HOST:PORT/VHOST, kelpmqs:// with TLS (default "
             "127.0.0.1:50672)")
      ->group(kConnectionGroup);
  if (vhost == VhostFlag::kYes) {
    AddSetting(command, "--vhost", &settings->vhost, "NAME", "KELPMQ_VHOST",
               "Virtual host to work in (default /)")
        ->group(kConnectionGroup);
  }
  AddCredentialFlags(command, settings);
  AddDuration(command, "--timeout", &settings->timeout,
              absl::StrCat("Longest wait for an answer of the broker: 5, "
                           "500ms, 1m (default ",
                           absl::FormatDuration(settings->timeout), ")"))
      ->group(kConnectionGroup);
  command->add_flag("--json", flags->output.json, "Print JSON, for programs")
      ->group(kConnectionGroup);
  command
      ->add_option("--color", flags->output.color,
                   "auto (default: on a terminal, unless NO_COLOR is set), "
                   "always or never")
      ->type_name("WHEN")
      ->check(OneOf({"auto", "always", "never"}))
      ->group(kConnectionGroup);
}

int RunConnected(const ClientFlags& flags,
                 const std::function<absl::Status(Connection*, Output*)>& run) {
  Output output(flags.output);
  const absl::StatusOr<ConnectionOptions> options =
      Resolve(flags.connection, &EnvironmentVariable);
  if (!options.ok()) return output.Finish(options.status(), Target());
  Connection connection(*options);
  const absl::Status status = connection.status().ok()
                                  ? run(&connection, &output)
                                  : connection.status();
  return output.Finish(status, connection.target());
}

CLI::App* AddCommand(CLI::App* parent, const std::string& name,
                     const std::string& description,
                     const std::vector<std::string>& examples,
                     const std::string& notes) {
  CLI::App* command = parent->add_subcommand(name, description);
  std::string footer = notes.empty() ? "" : absl::StrCat(notes, "\n\n");
  absl::StrAppend(&footer, "Examples:");
  for (const std::string& example : examples) {
    absl::StrAppend(&footer, "\n  ", example);
  }
  command->footer(footer);
  return command;
}

CLI::App* AddGroup(CLI::App* parent, const std::string& name,
                   const std::string& description) {
  CLI::App* group = parent->add_subcommand(name, description);
  group->require_subcommand(1);
  group->footer(
      absl::StrCat("Each has examples: kelpmq ", name, " SUBCOMMAND --help"));
  return group;
}

std::string CommandPath(const CLI::App* command) {
  std::string path = command->get_name();
  while ((command = command->get_parent()) != nullptr) {
    path = absl::StrCat(command->get_name(), " ", path);
  }
  return path;
}

CLI::Option* AddRepeatable(CLI::App* command, const std::string& name,
                           std::vector<std::string>* values,
                           const std::string& description) {
  return command->add_option(name, *values, description)
      ->allow_extra_args(false);
}

CLI::Option* AddDuration(CLI::App* command, const std::string& name,
                         absl::Duration* duration,
                         const std::string& description) {
  return command
      ->add_option_function<std::string>(
          name,
          [name, duration](const std::string& text) {
            if (!ParseDuration(text, duration)) {
              throw CLI::ValidationError(
                  name, absl::StrCat("'", text,
                                     "' is no length of time; try 5, 500ms or "
                                     "1m"));
            }
          },
          description)
      ->type_name("TIME");
}

CLI::Validator WholeNumber(uint64_t min, uint64_t max) {
  return CLI::Validator(
      [min, max](std::string& text) -> std::string {
        uint64_t number = 0;
        if (absl::SimpleAtoi(text, &number) && number >= min && number <= max) {
          return "";
        }
        return absl::StrCat("'", text, "' is no whole number from ", min,
                            " to ", max);
      },
      /*validator_desc=*/"");
}

CLI::Validator UpToAYear(Zero zero) {
  constexpr absl::Duration kYear = absl::Hours(365 * 24);
  return CLI::Validator(
      [zero, kYear](std::string& text) -> std::string {
        absl::Duration time;
        if (ParseDuration(text, &time) && time <= kYear &&
            (zero == Zero::kAllowed || time > absl::ZeroDuration())) {
          return "";
        }
        return absl::StrCat("'", text, "' is no length of time",
                            zero == Zero::kRefused ? " above 0" : "",
                            ", of a year at most; try 5, 500ms or 1m");
      },
      /*validator_desc=*/"");
}

CLI::Validator OneOf(std::vector<std::string> words) {
  return CLI::Validator(
      [words = std::move(words)](std::string& text) -> std::string {
        if (absl::c_linear_search(words, text)) return "";
        return absl::StrCat("'", OneLine(text), "' is not known; ",
                            words.size() == 1 ? "there is only " : "one of: ",
                            absl::StrJoin(words, ", "));
      },
      /*validator_desc=*/"");
}

HelpFormatter::HelpFormatter() { column_width(kHelpColumn); }

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode mode) const {
  return absl::StrReplaceAll(
      CLI::Formatter::make_help(app, std::move(name), mode),
      {{"\n\n\n", "\n\n"}});
}

std::string HelpFormatter::make_description(const CLI::App* app) const {
  return absl::StrCat(
      absl::StrJoin(Wrapped(app->get_description(), kHelpWidth), "\n"), "\n\n");
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  return Entry(command->get_name(), command->get_description());
}

std::string HelpFormatter::make_option(const CLI::Option* option,
                                       bool is_positional) const {
  return Entry(absl::StrCat(make_option_name(option, is_positional),
                            make_option_opts(option)),
               make_option_desc(option));
}

std::string HelpFormatter::Entry(const std::string& name,
                                 absl::string_view text) const {
  std::string entry = absl::StrCat("  ", name);
  bool fresh_line = entry.size() >= kHelpColumn;
  for (const std::string& line : Wrapped(text, kHelpWidth - kHelpColumn)) {
    if (fresh_line) {
      absl::StrAppend(&entry, "\n", std::string(kHelpColumn, ' '));
    } else {
      entry.resize(kHelpColumn, ' ');
    }
    absl::StrAppend(&entry, line);
    fresh_line = true;
  }
  return absl::StrCat(entry, "\n");
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  std::string text = option->get_description();
  if (!option->get_default_str().empty()) {
    absl::StrAppend(&text, " (default ", option->get_default_str(), ")");
  }
  if (!option->get_envname().empty()) {
    absl::StrAppend(&text, " [", option->get_envname(), "]");
  }
  return text;
}

std::string HelpFormatter::make_option_usage(const CLI::Option* option) const {
  const std::string name = absl::StrCat(
      option->get_name(), option->get_items_expected_max() > 1 ? "..." : "");
  return option->get_required() ? name : absl::StrCat("[", name, "]");
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (option->get_positional()) return "";
  const std::string type = option->get_type_name();
  return type.empty() || option->get_items_expected_max() == 0
             ? ""
             : absl::StrCat(" ", type);
}

}  // namespace kelpmq::service::cli
