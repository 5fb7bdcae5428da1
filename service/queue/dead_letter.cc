#include "service/queue/dead_letter.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/message_fields.h"
#include "service/base/value.h"
#include "service/base/value_encode.h"
#include "service/base/value_fields.h"
#include "service/base/value_wire.h"
#include "service/base/wire_reader.h"

namespace kelpmq::service {
namespace {

constexpr auto kBytes = WireReader::kBytes;

constexpr absl::string_view kDeaths = "x-death";
constexpr absl::string_view kFirstDeath = "x-first-death-";
constexpr absl::string_view kLastDeath = "x-last-death-";
constexpr absl::string_view kReason = "reason";
constexpr absl::string_view kQueue = "queue";
constexpr absl::string_view kExchange = "exchange";
constexpr absl::string_view kCount = "count";

absl::string_view NameOf(DeathReason reason) {
  switch (reason) {
    case DeathReason::kRejected:
      return "rejected";
    case DeathReason::kExpired:
      return "expired";
    case DeathReason::kMaxLength:
      return "maxlen";
    case DeathReason::kDeliveryLimit:
      return "delivery_limit";
  }
  return "";
}

// The name of an encoded header.
absl::string_view HeaderName(absl::string_view entry) {
  absl::string_view name;
  WireReader reader(entry);
  while (reader.Next()) {
    if (reader.Is(kEntryKey, kBytes)) name = reader.bytes();
  }
  return name;
}

// The value of an encoded header.
Value HeaderValue(absl::string_view entry) {
  Table table;
  DecodeEntry(entry, &table);
  return std::move(table.begin()->second);
}

// Of a death on record; "" if it is not there.
absl::string_view TextOf(const Table& death, absl::string_view field) {
  const auto it = death.find(field);
  if (it == death.end()) return "";
  return StringOf(it->second).value_or("");
}

// RabbitMQ turns the older deaths round whenever it adds one to x-death (seen
// of 3.10): the newest comes first, the others in an order that depends on how
// many there are. We keep what the header shows the same, and sort it out here,
// since cycles are judged by the true order.
void NewestFirst(Array* header) {
  for (size_t i = 1; i < header->size(); ++i) {
    std::reverse(header->begin() + i, header->end());
  }
}
void AsInHeader(Array* newest_first) {
  for (size_t i = newest_first->size(); i > 1; --i) {
    std::reverse(newest_first->begin() + (i - 1), newest_first->end());
  }
}

// A message taken apart: what stays as it was, and what a death looks at.
struct Parts {
  std::string rest;   // fields, encoded
  Array deaths;       // newest first
  Array sender_keys;  // of CC: further keys that are no secret
  std::string expiration;
};

// `keys_replaced`: the message's own keys no longer count (DLX-07).
Parts TakeApart(const Message& message, bool keys_replaced) {
  const bool died_before = message.marks().dead_lettered;
  Parts parts;
  // Leaves out, of the headers, what is written anew or must go.
  const auto keep_header = [&](absl::string_view entry) {
    const absl::string_view name = HeaderName(entry);
    if (name == kDeaths) {
      Value value = HeaderValue(entry);
      if (died_before) parts.deaths = std::move(*value.MutableAs<Array>());
      NewestFirst(&parts.deaths);
      return false;
    }
    if (absl::StartsWith(name, kLastDeath)) return false;
    if (absl::StartsWith(name, kFirstDeath)) return died_before;
    if (name == "CC") {
      Value value = HeaderValue(entry);
      parts.sender_keys = std::move(*value.MutableAs<Array>());
      return !keys_replaced;
    }
    return name != "BCC" || !keys_replaced;
  };
  const char* field_start = message.encoded().data();
  WireReader reader(message.encoded());
  while (reader.Next()) {
    bool keep = true;
    if (reader.Is(message_field::kExpiration, kBytes)) {
      parts.expiration = std::string(reader.bytes());
      keep = false;
    } else if (reader.Is(message_field::kHeaders, kBytes)) {
      keep = keep_header(reader.bytes());
    }
    if (keep) parts.rest.append(field_start, reader.position());
    field_start = reader.position();
  }
  return parts;
}

// The record of a first death of this kind.
Table NewDeath(const Message& message, absl::string_view reason,
               absl::string_view queue, const Parts& parts, absl::Time time) {
  Array keys = {std::string(message.routing_key())};
  for (const Value& key : parts.sender_keys) {
    if (StringOf(key).has_value()) keys.push_back(key);
  }
  Table death = {
      {std::string(kCount), int64_t{1}},
      {std::string(kReason), std::string(reason)},
      {std::string(kQueue), std::string(queue)},
      {"time", Timestamp{static_cast<uint64_t>(absl::ToUnixSeconds(time))}},
      {std::string(kExchange), std::string(message.exchange())},
      {"routing-keys", std::move(keys)},
  };
  if (!parts.expiration.empty()) {
    death.emplace("original-expiration", parts.expiration);
  }
  return death;
}

// Enters a death: a further one of the same queue and reason counts up the
// first and moves it to the front (DLX-10).
void AddDeath(Table death, Array* deaths) {
  const auto same = std::find_if(
      deaths->begin(), deaths->end(), [&death](const Value& value) {
        const Table* other = value.As<Table>();
        return other != nullptr &&
               TextOf(*other, kQueue) == TextOf(death, kQueue) &&
               TextOf(*other, kReason) == TextOf(death, kReason);
      });
  if (same == deaths->end()) {
    deaths->insert(deaths->begin(), std::move(death));
    return;
  }
  Value& count = (*same->MutableAs<Table>())[std::string(kCount)];
  count = IntegerOf(count).value_or(0) + 1;
  std::rotate(deaths->begin(), same, same + 1);
}

void AppendDeathHeaders(absl::string_view prefix, absl::string_view reason,
                        absl::string_view queue, absl::string_view exchange,
                        std::string* encoded) {
  const auto append = [&](absl::string_view name, absl::string_view value) {
    AppendHeader(absl::StrCat(prefix, name), std::string(value), encoded);
  };
  append(kReason, reason);
  append(kQueue, queue);
  append(kExchange, exchange);
}

}  // namespace

MessageRef MakeDeadLetter(const Message& message, DeathReason reason,
                          const DeadLetterRoute& route, absl::Time time) {
  const bool keys_replaced = route.routing_key.has_value();
  const absl::string_view why = NameOf(reason);
  Parts parts = TakeApart(message, keys_replaced);
  AddDeath(NewDeath(message, why, route.queue, parts, time), &parts.deaths);

  AsInHeader(&parts.deaths);
  std::string encoded = std::move(parts.rest);
  AppendHeader(kDeaths, std::move(parts.deaths), &encoded);
  if (!message.marks().dead_lettered) {
    AppendDeathHeaders(kFirstDeath, why, route.queue, message.exchange(),
                       &encoded);
  }
  AppendDeathHeaders(kLastDeath, why, route.queue, message.exchange(),
                     &encoded);

  MessageFacts facts = message.facts();
  facts.has_headers = true;
  facts.dead_lettered = true;
  facts.has_expiration = false;
  facts.expiration_ms = 0;
  if (keys_replaced) {
    facts.has_sender_keys = false;
    facts.bcc = MessageMarks::Bcc::kNone;
  }
  return Message::Create(
      route.exchange,
      keys_replaced ? *route.routing_key : message.routing_key(), encoded,
      facts, message.hidden_header());
}

DeathHistory::DeathHistory(const Message& message) {
  if (!message.marks().dead_lettered) return;
  WireReader reader(message.encoded());
  while (reader.Next()) {
    if (!reader.Is(message_field::kHeaders, kBytes) ||
        HeaderName(reader.bytes()) != kDeaths) {
      continue;
    }
    Value value = HeaderValue(reader.bytes());
    Array& deaths = *value.MutableAs<Array>();
    NewestFirst(&deaths);
    for (const Value& death : deaths) {
      const Table& record = *death.As<Table>();
      deaths_.push_back(
          {std::string(TextOf(record, kQueue)),
           TextOf(record, kReason) == NameOf(DeathReason::kRejected)});
    }
  }
}

bool DeathHistory::IsCycle(absl::string_view queue) const {
  for (const Death& death : deaths_) {
    if (death.rejected) return false;
    if (death.queue == queue) return true;
  }
  return false;
}

}  // namespace kelpmq::service
