#include "service/password_commands.h"

#include <sodium.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/auth/password_hash.h"
#include "service/auth/secret.h"
#include "service/auth/sodium.h"
#include "service/cli/command.h"
#include "service/cli/output.h"

namespace kelpmq::service {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 64;

constexpr size_t kTokenBytes = 32;  // out of guessing's reach

int Fail(int exit_code, absl::string_view text, absl::string_view hint) {
  cli::FailureReport report;
  report.line = std::string(text);
  report.hint = std::string(hint);
  cli::Output(cli::OutputOptions()).Report(report);
  return exit_code;
}

int HashPassword() {
  std::string password;
  std::getline(std::cin, password);
  absl::StripTrailingAsciiWhitespace(&password);
  if (password.empty()) {
    return Fail(kExitUsage, "there is no password on standard input",
                "kelpmq hash-password <FILE");
  }
  const auto hash = PasswordHash::Make(password);
  Wipe(password.data(), password.size());
  if (!hash.ok()) return Fail(kExitFailed, hash.status().message(), "");
  std::printf("%s\n", hash->text().c_str());
  return kExitOk;
}

struct TokenFlags {
  std::string user;
  absl::Duration lifetime = absl::InfiniteDuration();
};

// The token on standard output, its entry in a users file on standard error:
// the one for the client, the other for the server.
int MakeToken(const TokenFlags& flags) {
  InitSodium();
  std::string bytes(kTokenBytes, '\0');
  randombytes_buf(bytes.data(), bytes.size());
  const std::string token = absl::WebSafeBase64Escape(bytes);
  std::string digest(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                     reinterpret_cast<const unsigned char*>(token.data()),
                     token.size());
  nlohmann::ordered_json entry = {{"user", flags.user},
                                  {"sha256", absl::Base64Escape(digest)}};
  if (flags.lifetime != absl::InfiniteDuration()) {
    entry["expires"] =
        absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now() + flags.lifetime,
                         absl::UTCTimeZone());
  }
  std::printf("%s\n", token.c_str());
  std::fflush(stdout);
  std::fprintf(
      stderr, "%s\n",
      entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
          .c_str());
  return kExitOk;
}

}  // namespace

void AddPasswordCommands(CLI::App* app, int* exit_code) {
  {
    CLI::App* command = cli::AddCommand(
        app, "hash-password",
        "Make of a password, read from standard input, what a users file or "
        "user put --password-hash takes",
        {"kelpmq hash-password <app.secret", "kelpmq hash-password"},
        "Argon2id with a fresh salt: the same password gives another hash "
        "each\n"
        "time.");
    command->callback([exit_code] { *exit_code = HashPassword(); });
  }
  {
    auto flags = std::make_shared<TokenFlags>();
    CLI::App* command = cli::AddCommand(
        app, "make-token",
        "Make a token that stands for a user: it goes to standard output, and "
        "its entry under \"tokens\" in a users file to standard error",
        {"kelpmq make-token app >app.token",
         "kelpmq make-token app --lifetime 720h >app.token 2>entry.json"});
    command->add_option("USER", flags->user, "Whom it stands for")->required();
    cli::AddDuration(command, "--lifetime", &flags->lifetime,
                     "How long it holds: 24h, 90m (default: for ever)");
    command->callback([flags, exit_code] { *exit_code = MakeToken(*flags); });
  }
}

}  // namespace kelpmq::service
