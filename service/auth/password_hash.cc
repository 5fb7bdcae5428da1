#include "service/auth/password_hash.h"

#include <openssl/evp.h>

#include <array>
#include <optional>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "service/auth/sodium.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kArgon2idPrefix = "$argon2id$";
constexpr size_t kArgon2idDigestBytes = 32;  // libsodium's
constexpr size_t kSaltBytes = 4;             // RabbitMQ's

struct Digest {
  absl::string_view algorithm;
  const EVP_MD* (*function)();
};
constexpr Digest kDigests[] = {
    {PasswordHash::kSha256, &EVP_sha256},
    {PasswordHash::kSha512, &EVP_sha512},
    {PasswordHash::kMd5, &EVP_md5},
};

const Digest* FindDigest(absl::string_view algorithm) {
  for (const Digest& digest : kDigests) {
    if (digest.algorithm == algorithm) return &digest;
  }
  return nullptr;
}

absl::Status Invalid(absl::string_view why) {
  // Not the hash itself: errors are logged and shown.
  return MakeError(Reason::kInvalidValue, why, {{"argument", "password_hash"}});
}

// "$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH": the cost must be one that this
// server can bear whenever somebody logs in.
absl::Status CheckArgon2id(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '$');
  uint64_t memory_kib = 0;
  int passes = 0;
  int lanes = 0;
  bool valid = parts.size() == 6 && parts[0].empty() &&
               parts[1] == PasswordHash::kArgon2id && parts[2] == "v=19" &&
               !parts[4].empty() && !parts[5].empty() &&
               text.size() < crypto_pwhash_STRBYTES;
  if (valid) {
    const std::vector<absl::string_view> cost = absl::StrSplit(parts[3], ',');
    valid = cost.size() == 3;
    for (size_t i = 0; valid && i < 3; ++i) {
      absl::string_view value = cost[i];
      valid = (i == 0 && absl::ConsumePrefix(&value, "m=") &&
               absl::SimpleAtoi(value, &memory_kib)) ||
              (i == 1 && absl::ConsumePrefix(&value, "t=") &&
               absl::SimpleAtoi(value, &passes)) ||
              (i == 2 && absl::ConsumePrefix(&value, "p=") &&
               absl::SimpleAtoi(value, &lanes));
    }
  }
  if (!valid) {
    return Invalid("not a hash of Argon2id: kelpmq hash-password makes one");
  }
  if (memory_kib > PasswordHash::kMaxMemoryBytes / 1024 ||
      passes > PasswordHash::kMaxPasses || lanes != 1) {
    return Invalid(absl::StrCat("the hash is too costly to check: at most m=",
                                PasswordHash::kMaxMemoryBytes / 1024,
                                ",t=", PasswordHash::kMaxPasses, ",p=1"));
  }
  return absl::OkStatus();
}

std::string RandomBase64(size_t bytes) {
  InitSodium();
  std::string random(bytes, '\0');
  randombytes_buf(random.data(), random.size());
  std::string text = absl::Base64Escape(random);
  text.erase(text.find_last_not_of('=') + 1);  // as such hashes are written
  return text;
}

// SALT and the digest of SALT and password.
bool MatchesDigest(const Digest& digest, absl::string_view base64,
                   absl::string_view password) {
  std::string salted;
  if (!absl::Base64Unescape(base64, &salted) || salted.size() < kSaltBytes) {
    return false;
  }
  const std::string expected = salted.substr(kSaltBytes);
  salted.resize(kSaltBytes);
  absl::StrAppend(&salted, password);
  std::array<unsigned char, EVP_MAX_MD_SIZE> actual;
  unsigned int size = 0;
  const bool done = EVP_Digest(salted.data(), salted.size(), actual.data(),
                               &size, digest.function(), nullptr) == 1;
  sodium_memzero(salted.data(), salted.size());
  return done && size == expected.size() &&
         sodium_memcmp(actual.data(), expected.data(), size) == 0;
}

}  // namespace

absl::StatusOr<PasswordHash> PasswordHash::Parse(absl::string_view text,
                                                 absl::string_view algorithm) {
  if (algorithm.empty()) {
    algorithm = absl::StartsWith(text, kArgon2idPrefix) ? kArgon2id : kSha256;
  }
  if (algorithm == kArgon2id) {
    if (!text.empty()) {
      absl::Status valid = CheckArgon2id(text);
      if (!valid.ok()) return valid;
    }
    return PasswordHash(std::string(text), kArgon2id);
  }
  const Digest* const digest = FindDigest(algorithm);
  if (digest == nullptr) {
    return MakeError(
        Reason::kInvalidValue,
        absl::StrCat("unknown hashing algorithm '", algorithm, "': one of ",
                     kArgon2id, ", ", kSha256, ", ", kSha512, ", ", kMd5),
        {{"argument", "hashing_algorithm"}});
  }
  std::string bytes;
  if (!text.empty() &&
      (!absl::Base64Unescape(text, &bytes) ||
       bytes.size() != kSaltBytes + static_cast<size_t>(
                                        EVP_MD_get_size(digest->function())))) {
    return Invalid(absl::StrCat("not a hash of ", algorithm, " in base64"));
  }
  return PasswordHash(std::string(text), digest->algorithm);
}

absl::StatusOr<PasswordHash> PasswordHash::Make(absl::string_view password) {
  InitSodium();
  std::array<char, crypto_pwhash_STRBYTES> text;
  // Fails for want of memory alone.
  if (crypto_pwhash_str(text.data(), password.data(), password.size(), kPasses,
                        kMemoryBytes) != 0) {
    return MakeError(Reason::kInternalError,
                     "there is not enough memory to hash a password");
  }
  return PasswordHash(text.data(), kArgon2id);
}

PasswordHash PasswordHash::MakeUnknown() {
  return PasswordHash(
      absl::StrCat("$argon2id$v=19$m=", kMemoryBytes / 1024, ",t=", kPasses,
                   ",p=1$", RandomBase64(crypto_pwhash_SALTBYTES), "$",
                   RandomBase64(kArgon2idDigestBytes)),
      kArgon2id);
}

bool PasswordHash::Matches(absl::string_view password) const {
  if (text_.empty()) return false;
  InitSodium();
  if (algorithm_ == kArgon2id) {
    return crypto_pwhash_str_verify(text_.c_str(), password.data(),
                                    password.size()) == 0;
  }
  return MatchesDigest(*FindDigest(algorithm_), text_, password);
}

}  // namespace kelpmq::service
