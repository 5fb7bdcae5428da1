#ifndef KELPMQ_SERVICE_AUTH_PASSWORD_HASH_H_
#define KELPMQ_SERVICE_AUTH_PASSWORD_HASH_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kelpmq::service {

// What is kept of a password. New ones are hashed slowly, by Argon2id; those
// of RabbitMQ, which its definitions carry, are taken as they are: a salt of
// four bytes and one round of SHA-256, SHA-512 or MD5.
//
// Thread-safety: immutable, so thread-safe.
class PasswordHash {
 public:
  // As `hashing_algorithm` names them in definitions.
  static constexpr absl::string_view kArgon2id = "argon2id";
  static constexpr absl::string_view kSha256 = "rabbit_password_hashing_sha256";
  static constexpr absl::string_view kSha512 = "rabbit_password_hashing_sha512";
  static constexpr absl::string_view kMd5 = "rabbit_password_hashing_md5";

  // Of nobody: matches no password.
  PasswordHash() = default;

  // `text`: for Argon2id "$argon2id$v=19$m=...", else base64 as RabbitMQ writes
  // it; empty for a user without a password. An empty `algorithm` is kArgon2id
  // if the text begins as such a hash does, else kSha256.
  //   INVALID_VALUE: unknown algorithm, no such hash, or one that would take
  //   more than kMaxMemoryBytes or kMaxPasses to check.
  static absl::StatusOr<PasswordHash> Parse(absl::string_view text,
                                            absl::string_view algorithm);
  // A fresh salt and kArgon2id. Takes some 20 ms and kMemoryBytes.
  // INTERNAL_ERROR: the system has not that much memory left.
  static absl::StatusOr<PasswordHash> Make(absl::string_view password);
  // Made at once, of a random digest: of no password that anybody knows. To
  // check it takes as long as one by Make.
  static PasswordHash MakeUnknown();

  // As Parse reads them. Secrets, as good as: kept out of replies and logs.
  const std::string& text() const { return text_; }
  absl::string_view algorithm() const { return algorithm_; }

  // In time that does not tell where they differ. Takes as long as Make did for
  // kArgon2id, microseconds for the others.
  bool Matches(absl::string_view password) const;

  friend bool operator==(const PasswordHash& a, const PasswordHash& b) {
    return a.text_ == b.text_ && a.algorithm_ == b.algorithm_;
  }

  // OWASP's first choice for Argon2id of 2024: little enough for a small
  // container, and checked one at a time.
  static constexpr size_t kMemoryBytes = 19 * 1024 * 1024;
  static constexpr int kPasses = 2;
  // Of hashes that were made elsewhere.
  static constexpr size_t kMaxMemoryBytes = 256 * 1024 * 1024;
  static constexpr int kMaxPasses = 16;

 private:
  PasswordHash(std::string text, absl::string_view algorithm)
      : text_(std::move(text)), algorithm_(algorithm) {}

  std::string text_;
  absl::string_view algorithm_ = kArgon2id;  // one of the constants
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUTH_PASSWORD_HASH_H_
