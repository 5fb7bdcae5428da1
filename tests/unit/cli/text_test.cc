#include "service/cli/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kelpmq::service::cli {
namespace {

using ::testing::ElementsAre;

TEST(IsPrintableText, TakesTextInAnyScriptWithLineBreaks) {
  EXPECT_TRUE(IsPrintableText(""));
  EXPECT_TRUE(IsPrintableText("two\nlines\tand a tab\r\n"));
  EXPECT_TRUE(IsPrintableText("K\xc3\xb6ln \xe6\x9d\xb1\xe4\xba\xac"));
}

TEST(IsPrintableText, RefusesWhatATerminalWouldObey) {
  EXPECT_FALSE(IsPrintableText("\x1b[2J"));
  EXPECT_FALSE(IsPrintableText(absl::string_view("a\0b", 3)));
  EXPECT_FALSE(IsPrintableText("\x7f"));
  EXPECT_FALSE(
      IsPrintableText("\xc2\x9b"
                      "31m"));  // C1: CSI
  EXPECT_FALSE(IsPrintableText("\xff"));
}

TEST(OneLine, EscapesControlCharactersAndKeepsTheRest) {
  EXPECT_EQ(OneLine("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(OneLine("\x1b[31m\xc3\xa9"), "\\x1b[31m\xc3\xa9");
  EXPECT_EQ(OneLine("\xc2\x9b"), "\\x9b");
  EXPECT_EQ(OneLine("a\xff"), "a\\xff");
}

TEST(ShellWord, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(ShellWord("app.web-1:x/y"), "app.web-1:x/y");
  EXPECT_EQ(ShellWord(""), "''");
  EXPECT_EQ(ShellWord("a.*"), "'a.*'");
  EXPECT_EQ(ShellWord("it's"), "'it'\\''s'");
}

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("K\xc3\xb6ln"), 4);
  EXPECT_EQ(DisplayWidth("\xe6\x9d\xb1\xe4\xba\xac"),
            4);                                    // two wide characters
  EXPECT_EQ(DisplayWidth("e\xcc\x81"), 1);         // combining accent
  EXPECT_EQ(DisplayWidth("\xf0\x9f\x98\x80"), 2);  // an emoji
}

TEST(Wrapped, BreaksAtBlanksWithinTheWidth) {
  EXPECT_THAT(Wrapped("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(Wrapped("one two three", 6), ElementsAre("one", "two", "three"));
  EXPECT_THAT(Wrapped("one two", 80), ElementsAre("one two"));
  EXPECT_THAT(Wrapped("", 80), ElementsAre(""));
}

TEST(Wrapped, KeepsLineFeedsAndLongWords) {
  EXPECT_THAT(Wrapped("a\nb", 80), ElementsAre("a", "b"));
  EXPECT_THAT(Wrapped("a longer-than-that b", 6),
              ElementsAre("a", "longer-than-that", "b"));
}

TEST(Wrapped, CountsColumnsNotBytes) {
  EXPECT_THAT(Wrapped("K\xc3\xb6ln am Rhein", 7),
              ElementsAre("K\xc3\xb6ln am", "Rhein"));
}

TEST(Count, GroupsDigitsAndUsesThePlural) {
  EXPECT_EQ(Count(0, "message"), "0 messages");
  EXPECT_EQ(Count(1, "message"), "1 message");
  EXPECT_EQ(Count(1234567, "message"), "1,234,567 messages");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1000), "1,000");
}

TEST(EditDistance, CountsTypedDroppedAndChangedLetters) {
  EXPECT_EQ(EditDistance("queues", "queues"), 0);
  EXPECT_EQ(EditDistance("queue", "queues"), 1);
  EXPECT_EQ(EditDistance("--routing-kye", "--routing-key"), 2);
  EXPECT_EQ(EditDistance("", "abc"), 3);
}

}  // namespace
}  // namespace kelpmq::service::cli
