#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "service/definitions/definitions.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ReasonOf;

Definitions Parse(absl::string_view json) {
  auto parsed = ParseDefinitions(json, std::nullopt);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *std::move(parsed) : Definitions();
}

TEST(ParseDefinitions, AnEmptyDocumentIsOne) {
  const Definitions empty = Parse("{}");
  EXPECT_TRUE(empty.queues.empty());
  EXPECT_TRUE(empty.kept.empty());
}

TEST(ParseDefinitions, ReadsAQueueWithItsArguments) {
  const Definitions parsed = Parse(
      R"({"queues":[{"name":"q","vhost":"/","durable":true,"auto_delete":false,
          "arguments":{"x-max-length":5,"x-dead-letter-exchange":"dlx","a":[1.5,null,true]}}]})");
  ASSERT_EQ(parsed.queues.size(), 1u);
  const QueueSpec& spec = parsed.queues[0].spec;
  EXPECT_EQ(parsed.queues[0].vhost, "/");
  EXPECT_TRUE(spec.durable);
  EXPECT_EQ(spec.arguments.at("x-max-length"), Value(int64_t{5}));
  EXPECT_EQ(spec.arguments.at("x-dead-letter-exchange"), Value("dlx"));
  EXPECT_EQ(spec.arguments.at("a"),
            Value(Array{Value(1.5), Value(), Value(true)}));
}

TEST(ParseDefinitions, TagsComeAsAListOrAsOneString) {
  const Definitions parsed = Parse(
      R"({"users":[{"name":"a","tags":["x","y"]},{"name":"b","tags":"x,y"},{"name":"c","tags":""}]})");
  EXPECT_THAT(parsed.users[0].tags, ElementsAre("x", "y"));
  EXPECT_THAT(parsed.users[1].tags, ElementsAre("x", "y"));
  EXPECT_TRUE(parsed.users[2].tags.empty());
}

TEST(ParseDefinitions, AnOldDocumentHashesByMd5) {
  const std::string user =
      R"("users":[{"name":"a","password_hash":"AAAAAGeFi5gWrE2RTTtKNE6RZqo=","tags":""}])";
  EXPECT_EQ(Parse(absl::StrCat(R"({"rabbit_version":"3.5.7",)", user, "}"))
                .users[0]
                .password.algorithm(),
            PasswordHash::kMd5);
  EXPECT_EQ(ReasonOf(ParseDefinitions(
                absl::StrCat(R"({"rabbit_version":"3.10.8",)", user, "}"),
                std::nullopt)),
            "INVALID_VALUE");
}

TEST(ParseDefinitions, LimitsOfAVhostArePartOfIt) {
  const Definitions parsed = Parse(
      R"({"vhosts":[{"name":"v"},{"name":"w"}],"parameters":[
          {"component":"vhost-limits","name":"limits","vhost":"v","value":{"max-queues":7}},
          {"component":"shovel","name":"s","vhost":"v","value":{}}]})");
  EXPECT_EQ(parsed.vhosts[0].max_queues, 7u);
  EXPECT_FALSE(parsed.vhosts[1].max_queues.has_value());
  ASSERT_EQ(parsed.kept["parameters"].size(), 1u);
  EXPECT_EQ(parsed.kept["parameters"][0]["component"], "shovel");
}

TEST(ParseDefinitions, KeepsWhatItDoesNotKnow) {
  const Definitions parsed = Parse(
      R"({"rabbit_version":"3.10.8","global_parameters":[{"name":"cluster_name","value":"x"}],
          "vendor":{"a":1},"parameters":[]})");
  EXPECT_EQ(parsed.kept.size(), 2u);
  EXPECT_EQ(parsed.kept["vendor"]["a"], 1);
}

TEST(ParseDefinitions, ADocumentOfOneVhostNamesNone) {
  const auto parsed = ParseDefinitions(
      R"({"queues":[{"name":"q"}],"policies":[{"name":"p","vhost":"x","pattern":"","definition":{}}],
          "users":[{"name":"u"}]})",
      "v");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->queues[0].vhost, "v");
  EXPECT_EQ(parsed->policies[0].vhost, "v");
  EXPECT_TRUE(parsed->users.empty());
  EXPECT_TRUE(parsed->kept.contains("users"));
}

TEST(ParseDefinitions, SaysWhereSomethingIsWrong) {
  for (
      const auto& [json, where] :
      std::initializer_list<std::pair<std::string, std::string>>{
          {"[]", "the document must be an object"},
          {"{", "not valid JSON"},
          {"{\"queues\":[{\"name\":\"\xff\",\"vhost\":\"/\"}]}",
           "not valid JSON"},
          {R"({"queues":{}})", "queues must be an array"},
          {R"({"queues":[3]})", "queues[0] must be an object"},
          {R"({"queues":[{"vhost":"/"}]})", "queues[0].name must be there"},
          {R"({"queues":[{"name":"q"}]})", "queues[0].vhost must be there"},
          {R"({"queues":[{"name":1,"vhost":"/"}]})",
           "queues[0].name must be a string"},
          {R"({"queues":[{"name":"q","vhost":"/","durable":"yes"}]})",
           "queues[0].durable"},
          {R"({"queues":[{"name":"q","vhost":"/","arguments":{"a":18446744073709551615}}]})",
           "queues[0].arguments"},
          {R"({"bindings":[{"vhost":"/","source":"x","destination":"q","routing_key":"",
                "destination_type":"topic"}]})",
           "bindings[0].destination_type"},
          {R"({"policies":[{"vhost":"/","name":"p","apply-to":"cats"}]})",
           "policies[0].apply-to"},
          {R"({"users":[{"name":"a","password_hash":"x","hashing_algorithm":"rot13"}]})",
           "users[0].password_hash"},
          {R"({"users":[{"name":"a","tags":[1]}]})", "users[0].tags"},
          {absl::StrCat(R"({"queues":[{"name":")", std::string(256, 'x'),
                        R"(","vhost":"/"}]})"),
           "queues[0].name"},
          {absl::StrCat("{\"x\":", std::string(100, '['), std::string(100, ']'),
                        "}"),
           "nested deeper"}}) {
    const auto parsed = ParseDefinitions(json, std::nullopt);
    EXPECT_EQ(ReasonOf(parsed), "INVALID_VALUE") << json;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(where));
  }
}

}  // namespace
}  // namespace kelpmq::service
