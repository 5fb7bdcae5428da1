// Reading definitions.

#include <functional>
#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "service/definitions/definitions.h"
#include "service/definitions/json_fields.h"
#include "service/definitions/policy_target_names.h"

namespace kelpmq::service {
namespace {

using Json = nlohmann::ordered_json;

// As that of headers: nobody nests arguments deeper.
constexpr int kMaxDepth = 20;
constexpr size_t kSha256Bytes = 32;
constexpr absl::string_view kVhostLimits = "vhost-limits";

// The fields of the document that say who wrote it.
bool IsAboutTheWriter(absl::string_view key) {
  for (const absl::string_view known :
       {"rabbit_version", "rabbitmq_version", "product_name", "product_version",
        "rabbitmq_definition_format", "original_cluster_name", "explanation",
        "original_vhost_name", "metadata"}) {
    if (key == known) return true;
  }
  return false;
}

// Before 3.6.0 RabbitMQ hashed by MD5 and did not say so.
absl::string_view DefaultAlgorithm(const Json& document) {
  for (const char* key : {"rabbitmq_version", "rabbit_version"}) {
    auto it = document.find(key);
    if (it == document.end() || !it->is_string()) continue;
    const std::vector<std::string> parts =
        absl::StrSplit(it->get<std::string>(), '.');
    int major = 0;
    int minor = 0;
    if (parts.size() >= 2 && absl::SimpleAtoi(parts[0], &major) &&
        absl::SimpleAtoi(parts[1], &minor) &&
        std::make_pair(major, minor) < std::make_pair(3, 6)) {
      return PasswordHash::kMd5;
    }
    break;
  }
  return "";
}

class Parser {
 public:
  explicit Parser(const std::optional<std::string>& vhost) : vhost_(vhost) {}

  absl::StatusOr<Definitions> Parse(const Json& document) {
    if (!document.is_object()) {
      return DefinitionsError("the document", "must be an object");
    }
    default_algorithm_ = DefaultAlgorithm(document);
    for (const auto& [key, section] : document.items()) {
      absl::Status status = ParseSection(key, section);
      if (!status.ok()) return status;
    }
    for (VhostInfo& vhost : result_.vhosts) ApplyLimits(&vhost);
    return std::move(result_);
  }

 private:
  using ParseItem = void (Parser::*)(JsonFields* fields);

  absl::Status ParseSection(const std::string& key, const Json& section) {
    static const auto* const sections = new std::map<std::string, ParseItem>{
        {"vhosts", &Parser::ParseVhost},
        {"users", &Parser::ParseUser},
        {"tokens", &Parser::ParseToken},
        {"permissions", &Parser::ParsePermission},
        {"topic_permissions", &Parser::ParseTopicPermission},
        {"policies", &Parser::ParsePolicy},
        {"exchanges", &Parser::ParseExchange},
        {"queues", &Parser::ParseQueue},
        {"bindings", &Parser::ParseBinding},
        {"parameters", &Parser::ParseParameter},
    };
    auto known = sections->find(key);
    if (known == sections->end() || (vhost_.has_value() && IsGlobal(key))) {
      if (!IsAboutTheWriter(key) && !section.empty()) {
        result_.kept[key] = section;
      }
      return absl::OkStatus();
    }
    if (!section.is_array()) return DefinitionsError(key, "must be an array");
    size_t index = 0;
    for (const Json& item : section) {
      JsonFields fields(item, absl::StrCat(key, "[", index++, "]"));
      item_ = &item;
      (this->*known->second)(&fields);
      if (!fields.status().ok()) return fields.status();
    }
    return absl::OkStatus();
  }

  // Sections that the document of a single vhost does not have.
  static bool IsGlobal(absl::string_view key) {
    return key == "vhosts" || key == "users" || key == "tokens" ||
           key == "permissions" || key == "topic_permissions";
  }

  std::string VhostOf(JsonFields* fields) {
    return vhost_.has_value() ? *vhost_ : fields->Name("vhost");
  }

  void ParseVhost(JsonFields* fields) {
    VhostInfo vhost;
    vhost.name = fields->Name("name");
    vhost.description = fields->Text("description");
    vhost.tags = fields->Tags("tags");
    vhost.default_queue_type = fields->Text("default_queue_type");
    if (const Json* metadata = fields->Find("metadata");
        metadata != nullptr && metadata->is_object()) {
      JsonFields more(*metadata, "vhosts.metadata");
      if (vhost.description.empty()) {
        vhost.description = more.Text("description");
      }
      if (vhost.tags.empty()) vhost.tags = more.Tags("tags");
      if (vhost.default_queue_type.empty()) {
        vhost.default_queue_type = more.Text("default_queue_type");
      }
    }
    // How RabbitMQ writes that there is none.
    if (vhost.default_queue_type == "undefined") {
      vhost.default_queue_type.clear();
    }
    result_.vhosts.push_back(std::move(vhost));
  }

  void ParseUser(JsonFields* fields) {
    User user;
    user.name = fields->Name("name");
    if (user.name.empty()) fields->Fail("name", "must not be empty");
    user.tags = fields->Tags("tags");
    std::string algorithm = fields->Text("hashing_algorithm");
    const std::string hash = fields->Text("password_hash");
    if (algorithm.empty() && hash.substr(0, 1) != "$") {
      algorithm = std::string(default_algorithm_);
    }
    absl::StatusOr<PasswordHash> parsed = PasswordHash::Parse(hash, algorithm);
    if (!parsed.ok()) {
      fields->Fail("password_hash", parsed.status().message());
      return;
    }
    user.password = *std::move(parsed);
    result_.users.push_back(std::move(user));
  }

  void ParseToken(JsonFields* fields) {
    Token token;
    token.user = fields->Name("user");
    if (!absl::Base64Unescape(fields->Text("sha256"), &token.sha256) ||
        token.sha256.size() != kSha256Bytes) {
      fields->Fail("sha256", "must be the SHA-256 of the token in base64");
    }
    std::string error;
    const std::string expires = fields->Text("expires");
    if (!expires.empty() && !absl::ParseTime(absl::RFC3339_full, expires,
                                             &token.expire_time, &error)) {
      fields->Fail("expires", "must be a time as 2027-01-31T12:00:00Z");
    }
    result_.tokens.push_back(std::move(token));
  }

  void ParsePermission(JsonFields* fields) {
    result_.permissions.push_back(
        {fields->Name("vhost"), fields->Name("user"), fields->Text("configure"),
         fields->Text("write"), fields->Text("read")});
  }

  void ParseTopicPermission(JsonFields* fields) {
    result_.topic_permissions.push_back(
        {fields->Name("vhost"), fields->Name("user"), fields->Name("exchange"),
         fields->Text("write"), fields->Text("read")});
  }

  void ParsePolicy(JsonFields* fields) {
    PolicyInfo policy;
    policy.vhost = VhostOf(fields);
    policy.name = fields->Name("name");
    policy.pattern = fields->Text("pattern");
    policy.priority =
        static_cast<int32_t>(fields->Integer("priority").value_or(0));
    policy.definition = fields->Arguments("definition");
    const std::string target = fields->Text("apply-to");
    if (const auto known = PolicyTargetOf(target.empty() ? "all" : target)) {
      policy.apply_to = *known;
    } else {
      fields->Fail("apply-to",
                   "must be all, queues, classic_queues, quorum_queues, "
                   "streams or exchanges");
    }
    result_.policies.push_back(std::move(policy));
  }

  void ParseExchange(JsonFields* fields) {
    InVhost<ExchangeSpec> exchange;
    exchange.vhost = VhostOf(fields);
    exchange.spec.name = fields->Name("name");
    exchange.spec.type = fields->Name("type");
    exchange.spec.durable = fields->Flag("durable");
    exchange.spec.auto_delete = fields->Flag("auto_delete");
    exchange.spec.internal = fields->Flag("internal");
    exchange.spec.arguments = fields->Arguments("arguments");
    result_.exchanges.push_back(std::move(exchange));
  }

  void ParseQueue(JsonFields* fields) {
    InVhost<QueueSpec> queue;
    queue.vhost = VhostOf(fields);
    queue.spec.name = fields->Name("name");
    if (queue.spec.name.empty()) fields->Fail("name", "must not be empty");
    queue.spec.durable = fields->Flag("durable");
    queue.spec.auto_delete = fields->Flag("auto_delete");
    queue.spec.arguments = fields->Arguments("arguments");
    // Later versions write the type beside the arguments, too.
    constexpr absl::string_view kQueueType = "x-queue-type";
    const std::string type = fields->Text("type");
    if (type == "quorum" && queue.spec.arguments.count(kQueueType) == 0) {
      queue.spec.arguments.emplace(kQueueType, type);
    }
    result_.queues.push_back(std::move(queue));
  }

  void ParseBinding(JsonFields* fields) {
    InVhost<BindingSpec> binding;
    binding.vhost = VhostOf(fields);
    binding.spec.source = fields->Name("source");
    binding.spec.destination = fields->Name("destination");
    binding.spec.routing_key = fields->Name("routing_key");
    binding.spec.arguments = fields->Arguments("arguments");
    const std::string kind = fields->Text("destination_type");
    if (kind == "exchange") {
      binding.spec.kind = DestinationKind::kExchange;
    } else if (kind != "queue") {
      fields->Fail("destination_type", "must be queue or exchange");
    }
    result_.bindings.push_back(std::move(binding));
  }

  // Limits of a vhost are parameters in RabbitMQ, part of the vhost here.
  void ParseParameter(JsonFields* fields) {
    if (fields->Text("component") != kVhostLimits) {
      result_.kept["parameters"].push_back(*item_);
      return;
    }
    const Json* const value = fields->Find("value");
    if (value == nullptr) return;
    JsonFields limits(*value, "parameters.value");
    VhostInfo& vhost = limits_[VhostOf(fields)];
    vhost.max_queues = limits.Count("max-queues");
    vhost.max_connections = limits.Count("max-connections");
    if (!limits.status().ok()) fields->Fail("value", "must hold numbers");
  }

  void ApplyLimits(VhostInfo* vhost) const {
    auto it = limits_.find(vhost->name);
    if (it == limits_.end()) return;
    vhost->max_queues = it->second.max_queues;
    vhost->max_connections = it->second.max_connections;
  }

  const std::optional<std::string>& vhost_;
  absl::string_view default_algorithm_;
  const Json* item_ = nullptr;  // being parsed
  std::map<std::string, VhostInfo> limits_;
  Definitions result_;
};

}  // namespace

absl::StatusOr<Definitions> ParseDefinitions(
    absl::string_view json, const std::optional<std::string>& vhost) {
  // Known before the document is built, since what is nested deeply is costly
  // to walk.
  bool too_deep = false;
  const Json document = Json::parse(
      json.begin(), json.end(),
      [&too_deep](int depth, Json::parse_event_t, Json&) {
        too_deep |= depth > kMaxDepth;
        return !too_deep;
      },
      /*allow_exceptions=*/false);
  if (too_deep) {
    return DefinitionsError("the document",
                            absl::StrCat("is nested deeper than ", kMaxDepth));
  }
  if (document.is_discarded()) {
    return DefinitionsError("the document", "is not valid JSON");
  }
  return Parser(vhost).Parse(document);
}

}  // namespace kelpmq::service
