#include "client/cpp/src/publish_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/cpp/src/encode_publication.h"
#include "kelpmq/error.h"

namespace kelpmq::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

PublishLedger::Limits Limits() {
  return {/*window_messages=*/100, /*window_bytes=*/10'000,
          /*batch_messages=*/10, /*batch_bytes=*/1'000, /*resend=*/false};
}

std::string Encoded(const std::string& body) {
  Publication publication("q", body);
  return EncodePublication(publication);
}

void Add(PublishLedger* ledger, const std::string& body) {
  ledger->Add(Encoded(body), {[](const absl::Status&) {}, nullptr});
}

std::vector<std::string> Bodies(const std::optional<std::string>& batch) {
  std::vector<std::string> bodies;
  v1::PublishStreamRequest request;
  EXPECT_TRUE(batch.has_value() && request.ParseFromString(*batch));
  for (const v1::PublishItem& item : request.items()) {
    bodies.push_back(item.message().body());
  }
  return bodies;
}

v1::PublishStreamResponse Confirmed(uint64_t first, uint64_t last) {
  v1::PublishStreamResponse response;
  v1::TagRange* const range = response.add_confirmed();
  range->set_first(first);
  range->set_last(last);
  return response;
}

std::vector<std::string> Reasons(const PublishLedger::Outcomes& outcomes) {
  std::vector<std::string> reasons;
  for (const auto& outcome : outcomes) {
    reasons.push_back(outcome.status.ok() ? "OK" : ReasonOf(outcome.status));
  }
  return reasons;
}

TEST(PublishLedger, ALoneMessageNeverWaits) {
  PublishLedger ledger(Limits());
  Add(&ledger, "a");
  EXPECT_THAT(Bodies(ledger.TakeBatch()), ElementsAre("a"));
  EXPECT_FALSE(ledger.TakeBatch().has_value());
}

TEST(PublishLedger, WhatGathersGoesTogetherInOrder) {
  PublishLedger ledger(Limits());
  Add(&ledger, "a");
  Add(&ledger, "b");
  EXPECT_THAT(Bodies(ledger.TakeBatch()), ElementsAre("a", "b"));
}

TEST(PublishLedger, ABatchHasTheLimitsOfMessagesAndBytes) {
  PublishLedger ledger(Limits());
  for (int i = 0; i < 11; ++i) Add(&ledger, "m");
  EXPECT_EQ(Bodies(ledger.TakeBatch()).size(), 10u);
  EXPECT_EQ(Bodies(ledger.TakeBatch()).size(), 1u);
  Add(&ledger, std::string(600, 'x'));
  Add(&ledger, std::string(600, 'y'));
  EXPECT_EQ(Bodies(ledger.TakeBatch()).size(), 1u);
}

TEST(PublishLedger, WithFourRequestsOnTheirWaySmallOnesGather) {
  PublishLedger ledger(Limits());
  for (int i = 0; i < 4; ++i) {
    Add(&ledger, "m");
    EXPECT_TRUE(ledger.TakeBatch().has_value());
  }
  for (int i = 0; i < 4; ++i) {
    Add(&ledger, "m");
    EXPECT_FALSE(ledger.TakeBatch().has_value());
  }
  Add(&ledger, "m");  // half of a batch
  EXPECT_EQ(Bodies(ledger.TakeBatch()).size(), 5u);
  Add(&ledger, "last");
  EXPECT_FALSE(ledger.TakeBatch().has_value());
  ledger.OnResponse(Confirmed(1, 2));
  EXPECT_THAT(Bodies(ledger.TakeBatch()), ElementsAre("last"));
}

TEST(PublishLedger, TheWindowCountsMessagesUntilTheyAreConfirmed) {
  PublishLedger::Limits limits = Limits();
  limits.window_messages = 2;
  PublishLedger ledger(limits);
  Add(&ledger, "a");
  EXPECT_TRUE(ledger.HasRoom(1));
  Add(&ledger, "b");
  EXPECT_FALSE(ledger.HasRoom(1));
  ledger.TakeBatch();
  EXPECT_FALSE(ledger.HasRoom(1));
  ledger.OnResponse(Confirmed(1, 1));
  EXPECT_TRUE(ledger.HasRoom(1));
  EXPECT_TRUE(ledger.empty());
}

TEST(PublishLedger, AMessageLargerThanTheWindowGoesAlone) {
  PublishLedger ledger(Limits());
  EXPECT_TRUE(ledger.HasRoom(20'000));
  Add(&ledger, "a");
  EXPECT_FALSE(ledger.HasRoom(20'000));
}

TEST(PublishLedger, ConfirmsMayComeOutOfOrder) {
  PublishLedger ledger(Limits());
  for (int i = 0; i < 3; ++i) {
    Add(&ledger, "m");
    ledger.TakeBatch();
  }
  EXPECT_THAT(Reasons(ledger.OnResponse(Confirmed(2, 2))), ElementsAre("OK"));
  EXPECT_THAT(Reasons(ledger.OnResponse(Confirmed(1, 3))),
              ElementsAre("OK", "OK"));
  EXPECT_TRUE(ledger.empty());
}

TEST(PublishLedger, AFailureConcernsItsItemAlone) {
  PublishLedger ledger(Limits());
  Add(&ledger, "a");
  Add(&ledger, "b");
  Add(&ledger, "c");
  ledger.TakeBatch();
  v1::PublishStreamResponse response = Confirmed(1, 1);
  v1::PublishFailure* const failure = response.add_failures();
  failure->set_sequence(1);
  failure->set_index(1);
  failure->set_code(9);
  failure->set_reason("NO_ROUTE");
  EXPECT_THAT(Reasons(ledger.OnResponse(response)),
              ElementsAre("OK", "NO_ROUTE", "OK"));
}

TEST(PublishLedger, WhateverTheBrokerConfirmsIsBounded) {
  PublishLedger ledger(Limits());
  Add(&ledger, "a");
  ledger.TakeBatch();
  EXPECT_THAT(Reasons(ledger.OnResponse(Confirmed(0, ~uint64_t{0}))),
              ElementsAre("OK"));
  EXPECT_THAT(Reasons(ledger.OnResponse(Confirmed(0, 5))), IsEmpty());
  v1::PublishStreamResponse response;
  response.add_failures()->set_sequence(77);
  EXPECT_THAT(Reasons(ledger.OnResponse(response)), IsEmpty());
}

TEST(PublishLedger, WithTheStreamOnlyWhatWasSentIsLost) {
  PublishLedger ledger(Limits());
  Add(&ledger, "confirmed");
  ledger.TakeBatch();
  ledger.OnResponse(Confirmed(1, 1));
  Add(&ledger, "sent");
  ledger.TakeBatch();
  Add(&ledger, "unsent");
  const auto outcomes = ledger.OnStreamLost();
  EXPECT_THAT(Reasons(outcomes), ElementsAre("CONFIRM_LOST"));
  EXPECT_TRUE(IsOutcomeUnknown(outcomes[0].status));
  EXPECT_EQ(outcomes[0].status.code(), absl::StatusCode::kUnknown);
  // The next stream counts from 1.
  EXPECT_THAT(Bodies(ledger.TakeBatch()), ElementsAre("unsent"));
  EXPECT_THAT(Reasons(ledger.OnResponse(Confirmed(1, 1))), ElementsAre("OK"));
}

TEST(PublishLedger, ResendingSendsAgainWhatIsNotConfirmedFirst) {
  PublishLedger::Limits limits = Limits();
  limits.resend = true;
  PublishLedger ledger(limits);
  for (const char* body : {"a", "b", "c"}) {
    Add(&ledger, body);
    ledger.TakeBatch();
  }
  ledger.OnResponse(Confirmed(2, 2));
  Add(&ledger, "d");
  EXPECT_THAT(Reasons(ledger.OnStreamLost()), IsEmpty());
  EXPECT_THAT(Bodies(ledger.TakeBatch()), ElementsAre("a"));
  EXPECT_THAT(Bodies(ledger.TakeBatch()), ElementsAre("c"));
  EXPECT_THAT(Bodies(ledger.TakeBatch()), ElementsAre("d"));
  EXPECT_THAT(Reasons(ledger.OnResponse(Confirmed(1, 3))),
              ElementsAre("OK", "OK", "OK"));
}

TEST(PublishLedger, GivingUpTellsSentFromUnsent) {
  PublishLedger ledger(Limits());
  Add(&ledger, "sent");
  ledger.TakeBatch();
  Add(&ledger, "unsent");
  EXPECT_THAT(Reasons(ledger.GiveUp(
                  MakeError(absl::StatusCode::kCancelled, kClosed, "closed"))),
              ElementsAre("CONFIRM_LOST", "CLOSED"));
  EXPECT_TRUE(ledger.empty());
}

}  // namespace
}  // namespace kelpmq::client
