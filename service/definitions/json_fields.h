#ifndef KELPMQ_SERVICE_DEFINITIONS_JSON_FIELDS_H_
#define KELPMQ_SERVICE_DEFINITIONS_JSON_FIELDS_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "service/base/value.h"

namespace kelpmq::service {

// Reads the fields of one JSON object. The first thing that is wrong is kept
// in status(), and what follows it reads as absent.
// Thread-safety: thread-compatible. The object must outlive it.
class JsonFields {
 public:
  // `where` names the object in errors: "queues[3]".
  JsonFields(const nlohmann::ordered_json& object, std::string where);

  // At most 255 bytes (LIMIT-01); must be there.
  std::string Name(absl::string_view key);
  // Empty if absent.
  std::string Text(absl::string_view key);
  bool Flag(absl::string_view key);
  std::optional<int64_t> Integer(absl::string_view key);
  std::optional<uint64_t> Count(absl::string_view key);
  // An array of strings, or RabbitMQ's old form: one string with commas.
  std::vector<std::string> Tags(absl::string_view key);
  // As RabbitMQ reads JSON: whole numbers are 64 bits wide.
  Table Arguments(absl::string_view key);

  bool Has(absl::string_view key) const { return Find(key) != nullptr; }
  const nlohmann::ordered_json* Find(absl::string_view key) const;

  void Fail(absl::string_view key, absl::string_view why);
  const absl::Status& status() const { return status_; }

 private:
  const nlohmann::ordered_json& object_;
  const std::string where_;
  absl::Status status_;
};

// INVALID_VALUE: "definitions: WHERE WHY".
absl::Status DefinitionsError(absl::string_view where, absl::string_view why);

// Argument tables as JSON. What JSON has no form for becomes what RabbitMQ's
// management API makes of it: bytes and timestamps are strings and numbers.
nlohmann::ordered_json ToJson(const Table& table);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_DEFINITIONS_JSON_FIELDS_H_
