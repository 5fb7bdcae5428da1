#include "service/cli/perf/stamp.h"

#include <cstring>

namespace kelpmq::service::cli::perf {
namespace {

// producer and sequence (8 bytes), checksum (4), time (8), filler.
constexpr size_t kChecksumOffset = 8;
constexpr size_t kTimeOffset = 12;
constexpr int kSequenceBits = 48;
constexpr uint64_t kSequenceMask = (uint64_t{1} << kSequenceBits) - 1;

// Odd numbers without a pattern, as multipliers.
constexpr uint64_t kMultipliers[] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f,
                                     0x165667b19e3779f9, 0xd6e8feb86659fd93};

uint64_t Load64(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

uint64_t Mix(uint64_t hash, uint64_t word, uint64_t multiplier) {
  hash = (hash ^ word) * multiplier;
  return hash ^ (hash >> 29);
}

// Four lanes, so that one multiplication need not wait for the one before.
uint64_t HashOf(const char* p, size_t size, uint64_t seed) {
  uint64_t lanes[4] = {seed, seed + 1, seed + 2, seed + 3};
  for (; size >= 32; p += 32, size -= 32) {
    for (int i = 0; i < 4; ++i) {
      lanes[i] = Mix(lanes[i], Load64(p + 8 * i), kMultipliers[i]);
    }
  }
  uint64_t hash = lanes[0];
  for (int i = 1; i < 4; ++i) hash = Mix(hash, lanes[i], kMultipliers[i]);
  for (; size >= 8; p += 8, size -= 8) {
    hash = Mix(hash, Load64(p), kMultipliers[0]);
  }
  uint64_t rest = size;
  if (size > 0) std::memcpy(&rest, p, size);
  return Mix(hash, rest, kMultipliers[1]);
}

uint32_t ChecksumOf(const char* body, size_t size, uint64_t meant_for) {
  const uint64_t seed = Mix(meant_for, Load64(body), kMultipliers[2]);
  const uint64_t hash = HashOf(body + kTimeOffset, size - kTimeOffset, seed);
  return static_cast<uint32_t>(hash ^ (hash >> 32));
}

}  // namespace

void FillBody(char* body, size_t size) {
  uint64_t state = kMultipliers[3];
  for (size_t i = 0; i < size; ++i) {
    state = Mix(state, i, kMultipliers[0]);
    body[i] = static_cast<char>(state >> 32);
  }
}

void WriteStamp(const Stamp& stamp, uint64_t meant_for, char* body,
                size_t size) {
  const uint64_t head = uint64_t{stamp.producer} << kSequenceBits |
                        (stamp.sequence & kSequenceMask);
  std::memcpy(body, &head, sizeof(head));
  if (size >= kTimedStampBytes) {
    std::memcpy(body + kTimeOffset, &stamp.sent_ns, sizeof(stamp.sent_ns));
  }
  const uint32_t checksum = ChecksumOf(body, size, meant_for);
  std::memcpy(body + kChecksumOffset, &checksum, sizeof(checksum));
}

std::optional<Stamp> ReadStamp(absl::string_view body, uint64_t meant_for) {
  if (body.size() < kMinStampBytes) return std::nullopt;
  uint32_t checksum;
  std::memcpy(&checksum, body.data() + kChecksumOffset, sizeof(checksum));
  if (checksum != ChecksumOf(body.data(), body.size(), meant_for)) {
    return std::nullopt;
  }
  Stamp stamp;
  const uint64_t head = Load64(body.data());
  stamp.producer = static_cast<uint16_t>(head >> kSequenceBits);
  stamp.sequence = head & kSequenceMask;
  if (body.size() >= kTimedStampBytes) {
    std::memcpy(&stamp.sent_ns, body.data() + kTimeOffset,
                sizeof(stamp.sent_ns));
  }
  return stamp;
}

}  // namespace kelpmq::service::cli::perf
