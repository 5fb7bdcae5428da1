#ifndef KELPMQ_SERVICE_BASE_VARINT_H_
#define KELPMQ_SERVICE_BASE_VARINT_H_

#include <cstddef>
#include <cstdint>

namespace kelpmq::service {

// Protobuf's base-128 varints.

inline constexpr size_t kMaxVarintSize = 10;

inline size_t VarintSize(uint64_t value) {
  size_t size = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++size;
  }
  return size;
}

// Writes VarintSize(value) bytes and returns what follows them.
inline char* WriteVarint(char* out, uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}

// Reads a varint from [p, end); returns what follows it, or nullptr if the
// bytes end within it or it is longer than ten bytes.
inline const char* ReadVarint(const char* p, const char* end, uint64_t* value) {
  if (p < end && static_cast<uint8_t>(*p) < 0x80) {  // most are this short
    *value = static_cast<uint8_t>(*p);
    return p + 1;
  }
  uint64_t result = 0;
  for (int shift = 0; shift < 70 && p < end; shift += 7) {
    const auto byte = static_cast<uint8_t>(*p++);
    if (shift < 64) result |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = result;
      return p;
    }
  }
  return nullptr;
}

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_VARINT_H_
