#include "service/base/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>

namespace kelpmq::service {
namespace {

// Decodes one character after the other, as RFC 3629 has it.
bool NaiveIsValid(const std::string& text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i++]);
    int more;
    uint32_t point;
    uint32_t least;
    if (lead < 0x80) {
      continue;
    } else if ((lead & 0xe0) == 0xc0) {
      more = 1, point = lead & 0x1f, least = 0x80;
    } else if ((lead & 0xf0) == 0xe0) {
      more = 2, point = lead & 0x0f, least = 0x800;
    } else if ((lead & 0xf8) == 0xf0) {
      more = 3, point = lead & 0x07, least = 0x10000;
    } else {
      return false;
    }
    for (; more > 0; --more) {
      if (i == text.size()) return false;
      const auto byte = static_cast<uint8_t>(text[i++]);
      if ((byte & 0xc0) != 0x80) return false;
      point = point << 6 | (byte & 0x3f);
    }
    if (point < least || point > 0x10ffff) return false;
    if (point >= 0xd800 && point <= 0xdfff) return false;
  }
  return true;
}

std::string Encode(uint32_t point) {
  const auto tail = [point](int shift) {
    return static_cast<char>(0x80 | (point >> shift & 0x3f));
  };
  if (point < 0x80) return {static_cast<char>(point)};
  if (point < 0x800) return {static_cast<char>(0xc0 | point >> 6), tail(0)};
  if (point < 0x10000) {
    return {static_cast<char>(0xe0 | point >> 12), tail(6), tail(0)};
  }
  return {static_cast<char>(0xf0 | point >> 18), tail(12), tail(6), tail(0)};
}

TEST(Utf8, EveryCodePointButSurrogatesIsValid) {
  for (uint32_t point = 0; point < 0x110100; ++point) {
    const bool valid =
        point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
    ASSERT_EQ(IsValidUtf8(Encode(point)), valid) << point;
  }
}

TEST(Utf8, EveryShortSequenceIsJudgedAsByANaiveDecoder) {
  for (int a = 0; a < 256; ++a) {
    std::string text(1, static_cast<char>(a));
    ASSERT_EQ(IsValidUtf8(text), NaiveIsValid(text)) << a;
    for (int b = 0; b < 256; ++b) {
      text = {static_cast<char>(a), static_cast<char>(b)};
      ASSERT_EQ(IsValidUtf8(text), NaiveIsValid(text)) << a << ' ' << b;
      if (a < 0xe0) continue;
      for (int c : {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff}) {
        text = {static_cast<char>(a), static_cast<char>(b),
                static_cast<char>(c)};
        ASSERT_EQ(IsValidUtf8(text), NaiveIsValid(text));
        text += '\x80';
        ASSERT_EQ(IsValidUtf8(text), NaiveIsValid(text));
      }
    }
  }
}

TEST(Utf8, RandomTextsAreJudgedAsByANaiveDecoder) {
  std::mt19937 random(1);
  int valid_count = 0;
  for (int i = 0; i < 200000; ++i) {
    std::string text;
    for (uint32_t n = random() % 12; n > 0; --n) {
      switch (random() % 4) {
        case 0:
          text += Encode(random() % 0x110000);
          break;
        case 1:
          text += Encode(random() % 0x900);
          break;
        default:
          text.append(random() % 10, 'a');
      }
    }
    if (!text.empty() && random() % 3 == 0) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    if (random() % 8 == 0) text.resize(text.size() - text.size() / 8);
    const bool valid = NaiveIsValid(text);
    valid_count += valid;
    ASSERT_EQ(IsValidUtf8(text), valid);
  }
  EXPECT_GT(valid_count, 20000);
  EXPECT_LT(valid_count, 180000);
}

}  // namespace
}  // namespace kelpmq::service
