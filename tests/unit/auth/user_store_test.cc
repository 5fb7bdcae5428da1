#include "service/auth/user_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using testing::ReasonOf;

User MakeUser(const std::string& name, std::vector<std::string> tags = {}) {
  User user;
  user.name = name;
  user.tags = std::move(tags);
  user.password = *PasswordHash::Parse(
      "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", "");
  return user;
}

std::vector<std::string> NamesOf(const std::vector<User>& users) {
  std::vector<std::string> names;
  for (const User& user : users) names.push_back(user.name);
  return names;
}

class UserStoreTest : public ::testing::Test {
 protected:
  UserStore store_{UserStore::Guest::kNo};
};

TEST_F(UserStoreTest, TagsDecideWhatAUserIs) {
  EXPECT_TRUE(*store_.PutUser(MakeUser("root", {"x", "administrator"})));
  EXPECT_TRUE(store_.FindUser("root")->administrator);
  EXPECT_FALSE(store_.FindUser("root")->impersonator);
  EXPECT_FALSE(*store_.PutUser(MakeUser("root", {"impersonator"})));
  EXPECT_FALSE(store_.FindUser("root")->administrator);
  EXPECT_TRUE(store_.FindUser("root")->impersonator);
}

TEST_F(UserStoreTest, AUserNeedsAName) {
  EXPECT_EQ(ReasonOf(store_.PutUser(MakeUser(""))), "INVALID_NAME");
  EXPECT_EQ(ReasonOf(store_.PutUser(MakeUser(std::string(256, 'x')))),
            "INVALID_NAME");
}

TEST_F(UserStoreTest, OnlyAnotherPasswordIsAnotherCredential) {
  ASSERT_TRUE(store_.PutUser(MakeUser("a")).ok());
  const uint64_t before = store_.FindUser("a")->credential;
  ASSERT_TRUE(store_.PutUser(MakeUser("a", {"tag"})).ok());
  EXPECT_EQ(store_.FindUser("a")->credential, before);
  User changed = MakeUser("a");
  changed.password = *PasswordHash::Make("other");
  ASSERT_TRUE(store_.PutUser(changed).ok());
  EXPECT_NE(store_.FindUser("a")->credential, before);
}

TEST_F(UserStoreTest, AUserWhoWasDeletedAndMadeAgainIsAnother) {
  ASSERT_TRUE(store_.PutUser(MakeUser("a")).ok());
  const uint64_t before = store_.FindUser("a")->credential;
  EXPECT_TRUE(store_.DeleteUser("a"));
  ASSERT_TRUE(store_.PutUser(MakeUser("a")).ok());
  EXPECT_NE(store_.FindUser("a")->credential, before);
}

TEST_F(UserStoreTest, ListsByName) {
  for (const char* name : {"b", "c", "a"}) {
    ASSERT_TRUE(store_.PutUser(MakeUser(name)).ok());
  }
  EXPECT_THAT(NamesOf(store_.ListUsers("", 2)), ElementsAre("a", "b"));
  EXPECT_THAT(NamesOf(store_.ListUsers("b", 2)), ElementsAre("c"));
}

TEST_F(UserStoreTest, DeletingAUserTakesItsPermissionsAndTokens) {
  ASSERT_TRUE(store_.PutUser(MakeUser("a")).ok());
  ASSERT_TRUE(store_.SetPermission({"v", "a", ".*", ".*", ".*"}).ok());
  ASSERT_TRUE(store_.AddToken({"a", "digest"}).ok());
  EXPECT_TRUE(store_.DeleteUser("a"));
  EXPECT_FALSE(store_.DeleteUser("a"));
  EXPECT_TRUE(store_.ListPermissions("", "", {}, 9).empty());
  EXPECT_FALSE(store_.FindToken("digest").has_value());
  ASSERT_TRUE(store_.PutUser(MakeUser("a")).ok());
  EXPECT_FALSE(store_.FindRules("v", "a")->permission.has_value());
}

TEST_F(UserStoreTest, WhatNamesNobodyIsRefused) {
  EXPECT_EQ(ReasonOf(store_.SetPermission({"v", "a", "", "", ""})),
            "INVALID_VALUE");
  EXPECT_EQ(ReasonOf(store_.SetTopicPermission({"v", "a", "x", "", ""})),
            "INVALID_VALUE");
  EXPECT_EQ(ReasonOf(store_.AddToken({"a", "digest"})), "INVALID_VALUE");
}

TEST_F(UserStoreTest, ABadPatternChangesNothing) {
  ASSERT_TRUE(store_.PutUser(MakeUser("a")).ok());
  ASSERT_TRUE(store_.SetPermission({"v", "a", "c", "w", "r"}).ok());
  const uint64_t before = store_.generation();
  EXPECT_EQ(ReasonOf(store_.SetPermission({"v", "a", "x", "y", "("})),
            "INVALID_VALUE");
  EXPECT_EQ(store_.FindRules("v", "a")->permission->set.configure, "c");
  EXPECT_EQ(store_.generation(), before);
}

TEST_F(UserStoreTest, PermissionsAndTopicRulesAreApart) {
  ASSERT_TRUE(store_.PutUser(MakeUser("a")).ok());
  ASSERT_TRUE(store_.SetTopicPermission({"v", "a", "x", "w", "r"}).ok());
  EXPECT_FALSE(store_.FindRules("v", "a")->permission.has_value());
  ASSERT_TRUE(store_.SetPermission({"v", "a", "", "", ""}).ok());
  EXPECT_TRUE(store_.ClearTopicPermissions("v", "a", "x"));
  EXPECT_FALSE(store_.ClearTopicPermissions("v", "a", "x"));
  EXPECT_TRUE(store_.ClearPermission("v", "a"));
  EXPECT_FALSE(store_.ClearPermission("v", "a"));
}

TEST_F(UserStoreTest, ForgetsWhatConcernsAVhost) {
  ASSERT_TRUE(store_.PutUser(MakeUser("a")).ok());
  for (const char* vhost : {"u", "v", "w"}) {
    ASSERT_TRUE(store_.SetPermission({vhost, "a", "", "", ""}).ok());
    ASSERT_TRUE(store_.SetTopicPermission({vhost, "a", "x", "", ""}).ok());
  }
  store_.ForgetVhost("v");
  EXPECT_EQ(store_.ListPermissions("", "", {}, 9).size(), 2u);
  EXPECT_TRUE(store_.ListPermissions("v", "", {}, 9).empty());
  EXPECT_EQ(store_.ListTopicPermissions("", "a", {}, 9).size(), 2u);
}

TEST_F(UserStoreTest, ListsPermissionsInPagesAndByFilter) {
  for (const char* user : {"a", "b"}) {
    ASSERT_TRUE(store_.PutUser(MakeUser(user)).ok());
    for (const char* vhost : {"v", "u"}) {
      ASSERT_TRUE(store_.SetPermission({vhost, user, "", "", ""}).ok());
      ASSERT_TRUE(store_.SetTopicPermission({vhost, user, "x", "", ""}).ok());
    }
  }
  const auto first = store_.ListPermissions("", "", {}, 3);
  ASSERT_EQ(first.size(), 3u);
  EXPECT_EQ(first[2].vhost + first[2].user, "va");
  EXPECT_EQ(store_.ListPermissions("", "", {"v", "a"}, 3).size(), 1u);
  EXPECT_EQ(store_.ListPermissions("u", "b", {}, 3).size(), 1u);
  EXPECT_EQ(store_.ListTopicPermissions("", "", {"u", "b", "x"}, 9).size(), 2u);
}

TEST(UserStoreGuest, MayDoEverythingUntilItIsTouched) {
  UserStore store;
  EXPECT_TRUE(store.guest_is_open());
  EXPECT_TRUE(store.FindUser("guest")->unrestricted);
  EXPECT_TRUE(store.FindUser("guest")->administrator);
  ASSERT_TRUE(store.PutUser(MakeUser("guest", {"administrator"})).ok());
  EXPECT_FALSE(store.guest_is_open());
  UserStore other;
  EXPECT_TRUE(other.DeleteUser("guest"));
  EXPECT_FALSE(other.guest_is_open());
  EXPECT_FALSE(UserStore(UserStore::Guest::kNo).guest_is_open());
}

TEST(UserStoreGuest, IsBoundByWhatIsSetForIt) {
  UserStore store;
  ASSERT_TRUE(store.PutUser(MakeUser("other")).ok());
  ASSERT_TRUE(store.SetPermission({"v", "other", "", "", ""}).ok());
  EXPECT_TRUE(store.guest_is_unbound());
  ASSERT_TRUE(store.SetTopicPermission({"v", "guest", "x", "", ""}).ok());
  EXPECT_FALSE(store.guest_is_unbound());
  EXPECT_TRUE(store.guest_is_open());
  EXPECT_TRUE(store.ClearTopicPermissions("v", "guest", std::nullopt));
  EXPECT_TRUE(store.guest_is_unbound());
}

}  // namespace
}  // namespace kelpmq::service
