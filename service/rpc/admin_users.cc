// AdminService's users.

#include <utility>

#include "absl/strings/str_cat.h"
#include "service/auth/secret.h"
#include "service/base/error.h"
#include "service/rpc/admin_service.h"
#include "service/rpc/convert.h"
#include "service/rpc/paging.h"

namespace kelpmq::service {
namespace {

// Far more than anybody can use: tags are kept and listed.
constexpr int kMaxTags = 100;
constexpr size_t kMaxPasswordBytes = 4096;

absl::Status CheckUser(const v1::User& user) {
  if (user.name().empty()) {
    return MakeError(Reason::kInvalidName, "a user needs a name",
                     {{"argument", "name"}});
  }
  absl::Status valid = CheckName("user", user.name());
  if (valid.ok() && user.tags_size() > kMaxTags) {
    valid = MakeError(Reason::kInvalidValue,
                      absl::StrCat("a user has at most ", kMaxTags, " tags"),
                      {{"argument", "tags"}});
  }
  for (const std::string& tag : user.tags()) {
    if (valid.ok()) valid = CheckName("tag", tag);
  }
  return valid;
}

}  // namespace

void AdminService::PutUser(const CallContext&, v1::PutUserRequest request,
                           Reply<v1::PutUserResponse> reply) {
  const v1::User& proto = request.user();
  absl::Status valid = CheckUser(proto);
  if (!valid.ok()) return reply(std::move(valid));
  const bool has_password = !request.password().empty();
  if (has_password == !proto.password_hash().empty()) {
    return reply(
        MakeError(Reason::kConflictingArgument,
                  "give exactly one of password and user.password_hash"));
  }
  if (request.password().size() > kMaxPasswordBytes) {
    return reply(MakeError(
        Reason::kInvalidValue,
        absl::StrCat("a password has at most ", kMaxPasswordBytes, " bytes"),
        {{"argument", "password"}}));
  }
  User user;
  user.name = proto.name();
  user.tags.assign(proto.tags().begin(), proto.tags().end());
  auto put = [this](User user, Reply<v1::PutUserResponse> reply) {
    absl::StatusOr<bool> created = users_->PutUser(std::move(user));
    if (!created.ok()) return reply(std::move(created).status());
    Recheck([created = *created, reply = std::move(reply)]() mutable {
      v1::PutUserResponse response;
      response.set_created(created);
      reply(std::move(response));
    });
  };
  if (!has_password) {
    auto hash =
        PasswordHash::Parse(proto.password_hash(), proto.hashing_algorithm());
    if (!hash.ok()) return reply(std::move(hash).status());
    user.password = *std::move(hash);
    return put(std::move(user), std::move(reply));
  }
  Secret password(request.password());
  std::string* const sent = request.mutable_password();
  Wipe(sent->data(), sent->size());
  slow_->Post([this, user = std::move(user), password = std::move(password),
               put, reply = std::move(reply)]() mutable {
    // The same one again, as declared by a deployment, ends no logins.
    const AccountRef present = users_->FindUser(user.name);
    if (present != nullptr && !present->unrestricted &&
        present->user.password.algorithm() == PasswordHash::kArgon2id &&
        present->user.password.Matches(password.view())) {
      user.password = present->user.password;
    } else {
      auto hash = PasswordHash::Make(password.view());
      if (!hash.ok()) return reply(std::move(hash).status());
      user.password = *std::move(hash);
    }
    put(std::move(user), std::move(reply));
  });
}

void AdminService::DeleteUser(const CallContext&, v1::DeleteUserRequest request,
                              Reply<v1::DeleteUserResponse> reply) {
  const bool deleted = users_->DeleteUser(request.name());
  Recheck([deleted, reply = std::move(reply)]() mutable {
    v1::DeleteUserResponse response;
    response.set_deleted(deleted);
    reply(std::move(response));
  });
}

void AdminService::ListUsers(const CallContext&, v1::ListUsersRequest request,
                             Reply<v1::ListUsersResponse> reply) {
  const PageScope scope("ListUsers", {});
  auto page = scope.Read(request.page_size(), request.page_token());
  if (!page.ok()) return reply(std::move(page).status());
  // One more than asked for tells whether another page follows.
  std::vector<User> users = users_->ListUsers(page->after, page->limit + 1);
  v1::ListUsersResponse response;
  if (users.size() > page->limit) {
    users.pop_back();
    response.set_next_page_token(scope.NextToken(users.back().name));
  }
  for (const User& user : users) {
    v1::User* proto = response.add_users();
    proto->set_name(user.name);
    for (const std::string& tag : user.tags) proto->add_tags(tag);
  }
  reply(std::move(response));
}

}  // namespace kelpmq::service
