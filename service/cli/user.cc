// `user put` and `user delete`.
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

constexpr char kNewPassword[] = "KELPMQ_NEW_PASSWORD";
constexpr char kStandardInput[] = "-";

struct UserFlags {
  ClientFlags client;
  std::string name;
  std::vector<std::string> tags;
  std::string password_file;
  std::string password_hash;
  std::string hashing_algorithm;
};

absl::StatusOr<std::string> ReadNewPassword(const std::string& path) {
  std::string password;
  if (path.empty()) {
    const char* const value = std::getenv(kNewPassword);
    if (value != nullptr) password = value;
  } else if (path == kStandardInput) {
    std::getline(std::cin, password);
  } else {
    std::ifstream file(path);
    if (!file) {
      return MakeFailure(ExitCode::kUsage,
                         absl::StrCat("cannot read ", OneLine(path), ": ",
                                      std::strerror(errno)));
    }
    std::getline(file, password);
  }
  absl::StripTrailingAsciiWhitespace(&password);
  if (!password.empty()) return password;
  return MakeFailure(
      ExitCode::kUsage, "the user needs a password",
      absl::StrCat("put it into a file: --new-password-file FILE (- is "
                   "standard input), or into ",
                   kNewPassword));
}

absl::Status PutUser(const UserFlags& flags, Connection* connection,
                     Output* output) {
  v1::PutUserRequest request;
  v1::User* user = request.mutable_user();
  user->set_name(flags.name);
  for (const std::string& tag : flags.tags) user->add_tags(tag);
  if (flags.password_hash.empty()) {
    absl::StatusOr<std::string> password = ReadNewPassword(flags.password_file);
    if (!password.ok()) return password.status();
    request.set_password(*std::move(password));
  } else {
    user->set_password_hash(flags.password_hash);
    user->set_hashing_algorithm(flags.hashing_algorithm);
  }
  v1::PutUserResponse response;
  const absl::Status status =
      connection->Call(connection->admin(), &v1::AdminService::Stub::PutUser,
                       request, &response);
  if (!status.ok()) return status;
  output->PrintPut("user", flags.name, response.created());
  return absl::OkStatus();
}

absl::Status DeleteUser(const UserFlags& flags, Connection* connection,
                        Output* output) {
  v1::DeleteUserRequest request;
  request.set_name(flags.name);
  v1::DeleteUserResponse response;
  const absl::Status status =
      connection->Call(connection->admin(), &v1::AdminService::Stub::DeleteUser,
                       request, &response);
  if (!status.ok()) return status;
  output->PrintDeleted("user", flags.name, response.deleted());
  return absl::OkStatus();
}

}  // namespace

void AddUserCommands(CLI::App* app, int* exit_code) {
  CLI::App* group = AddGroup(app, "user", "Make, change or delete a user");
  {
    auto flags = std::make_shared<UserFlags>();
    CLI::App* command = AddCommand(
        group, "put", "Make a user, or replace its password and tags",
        {"kelpmq user put app --new-password-file app.secret",
         "kelpmq user put root --tag administrator --new-password-file - "
         "<secret",
         "kelpmq user put app --password-hash \"$(kelpmq hash-password "
         "<app.secret)\""},
        "A new user may do nothing: see kelpmq permission set. Calls without "
        "a\n"
        "user stand for 'guest', an administrator, until it is deleted.");
    command->add_option("NAME", flags->name, "Name of the user")->required();
    AddRepeatable(command, "--tag", &flags->tags,
                  "administrator, impersonator or any other; may be repeated")
        ->type_name("TAG");
    command
        ->add_option("--new-password-file", flags->password_file,
                     "File with the password in its first line; - is standard "
                     "input (default: KELPMQ_NEW_PASSWORD)")
        ->type_name("FILE");
    CLI::Option* hash =
        command
            ->add_option("--password-hash", flags->password_hash,
                         "What kelpmq hash-password or RabbitMQ made of it")
            ->type_name("HASH");
    command
        ->add_option("--hashing-algorithm", flags->hashing_algorithm,
                     "As RabbitMQ names it (default: as the hash looks)")
        ->type_name("NAME")
        ->needs(hash);
    AddClientFlags(command, &flags->client, VhostFlag::kNo);
    OnRun(command, std::move(flags), exit_code, &PutUser);
  }
  {
    auto flags = std::make_shared<UserFlags>();
    CLI::App* command =
        AddCommand(group, "delete", "Delete a user and end what it has open",
                   {"kelpmq user delete app", "kelpmq user delete guest"});
    command->add_option("NAME", flags->name, "Name of the user")->required();
    AddClientFlags(command, &flags->client, VhostFlag::kNo);
    OnRun(command, std::move(flags), exit_code, &DeleteUser);
  }
}

}  // namespace kelpmq::service::cli
