#ifndef KELPMQ_SERVICE_BASE_UTF8_H_
#define KELPMQ_SERVICE_BASE_UTF8_H_

#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"

namespace kelpmq::service {

// Whether all bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong
// forms, nothing above U+10FFFF), which is what protobuf parsers demand of a
// string. ASCII goes eight bytes a step.
inline bool IsValidUtf8(absl::string_view text) {
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  const uint8_t* const end = p + text.size();
  while (p < end) {
    while (end - p >= 8) {
      uint64_t chunk;
      std::memcpy(&chunk, p, sizeof(chunk));
      if ((chunk & 0x8080808080808080u) != 0) break;
      p += 8;
    }
    if (p == end) break;
    const uint8_t lead = *p++;
    if (lead < 0x80) continue;
    int more;            // continuation bytes
    uint8_t low = 0x80;  // bounds of the first of them
    uint8_t high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    if (end - p < more || *p < low || *p > high) return false;
    ++p;
    while (--more > 0) {
      if ((*p++ & 0xc0) != 0x80) return false;
    }
  }
  return true;
}

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_UTF8_H_
