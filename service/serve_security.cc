#include "service/serve_security.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "service/audit_writer.h"
#include "service/auth/secret.h"
#include "service/definitions/definitions_store.h"

namespace kelpmq::service {
namespace {

constexpr char kSecurityGroup[] = "Who may connect";

absl::StatusOr<std::string> ReadFile(absl::string_view option,
                                     const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  if (file) content << file.rdbuf();
  if (!file) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, " ", path, ": ", std::strerror(errno)));
  }
  return content.str();
}

}  // namespace

std::string EnvironmentNameOf(const std::string& flag) {
  std::string name = "KELPMQ";
  for (char c : flag.substr(1)) {
    name += c == '-' ? '_' : absl::ascii_toupper(c);
  }
  return name;
}

CLI::Option* WithEnvironment(CLI::Option* option, const std::string& flag) {
  return option->envname(EnvironmentNameOf(flag));
}

void AddSecurityFlags(CLI::App* command, SecurityFlags* flags) {
  const auto add = [command](const std::string& flag, std::string* value,
                             const std::string& description) {
    WithEnvironment(command->add_option(flag, *value, description), flag)
        ->type_name("FILE")
        ->group(kSecurityGroup);
  };
  add("--tls-cert", &flags->tls.certificate,
      "Certificate with its chain, in PEM form: TLS for all but Unix sockets. "
      "Read again when the file changes");
  add("--tls-key", &flags->tls.key, "Its private key");
  add("--tls-client-ca", &flags->tls.client_ca,
      "Only clients with a certificate of one of these may connect");
  add("--users-file", &flags->users_file,
      "Users and permissions, in the form of RabbitMQ's definitions; without "
      "it everybody is the administrator guest");
  add("--definitions", &flags->definitions_file,
      "RabbitMQ's definitions.json: what it has is made before anybody can "
      "connect");
}

absl::Status ReadSecurityFiles(const SecurityFlags& flags,
                               BrokerOptions* options) {
  options->server.tls = flags.tls;
  if (flags.tls.wanted() || !flags.users_file.empty() ||
      !flags.definitions_file.empty()) {
    ForbidCoreDumps();
  }
  if (!flags.users_file.empty()) {
    absl::StatusOr<std::string> json =
        ReadFile("--users-file", flags.users_file);
    if (!json.ok()) return json.status();
    options->users = std::make_shared<UserStore>(UserStore::Guest::kNo);
    absl::Status read = ReadUsersFile(*json, options->users.get());
    Wipe(json->data(), json->size());
    if (!read.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--users-file ", flags.users_file, ": ", read.message()));
    }
  }
  if (!flags.definitions_file.empty()) {
    absl::StatusOr<std::string> json =
        ReadFile("--definitions", flags.definitions_file);
    if (!json.ok()) return json.status();
    options->definitions = *std::move(json);
  }
  return absl::OkStatus();
}

}  // namespace kelpmq::service
