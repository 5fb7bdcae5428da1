#include "service/rpc/admin_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/broker_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AdminServiceTest : public BrokerFixture {
 protected:
  auto PutVhost(const std::string& name) {
    v1::PutVhostRequest request;
    request.mutable_vhost()->set_name(name);
    return Call(&Admin::PutVhost, request);
  }
  auto DeleteVhost(const std::string& name) {
    v1::DeleteVhostRequest request;
    request.set_name(name);
    return Call(&Admin::DeleteVhost, request);
  }
  std::string OpenSession(const std::string& vhost,
                          const std::string& client_name = "") {
    v1::OpenSessionRequest request;
    request.set_vhost(vhost);
    request.set_client_name(client_name);
    return Call(&Session::OpenSession, request)->session_id();
  }
  std::string ReasonOfKeepAlive(const std::string& session_id) {
    v1::KeepSessionAliveRequest request;
    request.set_session_id(session_id);
    return Call(&Session::KeepSessionAlive, request).reason;
  }
};

// ---- Vhosts ----

TEST_F(AdminServiceTest, PutsListsAndDeletesVhosts) {
  v1::PutVhostRequest put;
  put.mutable_vhost()->set_name("staging");
  put.mutable_vhost()->set_description("for rehearsals");
  put.mutable_vhost()->add_tags("team-a");
  put.mutable_vhost()->set_default_queue_type("classic");
  EXPECT_TRUE(Call(&Admin::PutVhost, put)->created());
  EXPECT_FALSE(Call(&Admin::PutVhost, put)->created());

  auto listed = Call(&Admin::ListVhosts, v1::ListVhostsRequest());
  ASSERT_EQ(listed->vhosts_size(), 2);
  EXPECT_EQ(listed->vhosts(0).name(), "/");
  const v1::Vhost& vhost = listed->vhosts(1);
  EXPECT_EQ(vhost.name(), "staging");
  EXPECT_EQ(vhost.description(), "for rehearsals");
  EXPECT_THAT(vhost.tags(), ElementsAre("team-a"));
  EXPECT_EQ(vhost.default_queue_type(), "classic");

  EXPECT_TRUE(DeleteVhost("staging")->deleted());
  EXPECT_FALSE(DeleteVhost("staging")->deleted());
}

TEST_F(AdminServiceTest, VhostNamesAreChecked) {
  EXPECT_EQ(PutVhost("").reason, "INVALID_NAME");
  EXPECT_EQ(PutVhost(std::string(256, 'v')).reason, "INVALID_NAME");
  EXPECT_EQ(PutVhost(std::string(255, 'v')).reason, "OK");
  EXPECT_EQ(DeleteVhost("").reason, "INVALID_NAME");
}

TEST_F(AdminServiceTest, ListVhostsPages) {
  for (int i = 0; i < 4; ++i) PutVhost(absl::StrCat("v", i));
  v1::ListVhostsRequest request;
  request.set_page_size(2);
  std::vector<std::string> names;
  while (true) {
    auto page = Call(&Admin::ListVhosts, request);
    ASSERT_EQ(page.reason, "OK");
    for (const v1::Vhost& vhost : page->vhosts()) names.push_back(vhost.name());
    if (page->next_page_token().empty()) break;
    request.set_page_token(page->next_page_token());
  }
  EXPECT_THAT(names, ElementsAre("/", "v0", "v1", "v2", "v3"));
  request.set_page_token("garbage");
  EXPECT_EQ(Call(&Admin::ListVhosts, request).reason, "BAD_PAGE_TOKEN");
}

TEST_F(AdminServiceTest, VHOST_04_DeletingAVhostEndsItsSessionsAndStreams) {
  PutVhost("doomed");
  const std::string theirs = OpenSession("doomed");
  const std::string ours = OpenSession("/");
  v1::WatchSessionRequest watch;
  watch.set_session_id(theirs);
  Session stub(channel_);
  const auto context = NewContext();
  auto stream = stub.WatchSession(context.get(), watch);
  v1::WatchSessionResponse response;
  ASSERT_TRUE(stream->Read(&response));

  ASSERT_TRUE(DeleteVhost("doomed")->deleted());
  while (stream->Read(&response)) {
  }
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonOfCall(*context, status), "VHOST_NOT_FOUND");
  EXPECT_EQ(ReasonOfKeepAlive(theirs), "SESSION_NOT_FOUND");
  EXPECT_EQ(ReasonOfKeepAlive(ours), "OK");
}

TEST_F(AdminServiceTest, VHOST_05_LimitsAreListedAndHold) {
  v1::PutVhostRequest put;
  put.mutable_vhost()->set_name("small");
  put.mutable_vhost()->set_max_queues(1);
  put.mutable_vhost()->set_max_connections(2);
  ASSERT_EQ(Call(&Admin::PutVhost, put).reason, "OK");
  auto listed = Call(&Admin::ListVhosts, v1::ListVhostsRequest());
  const v1::Vhost& vhost = listed->vhosts(1);
  EXPECT_EQ(vhost.max_queues(), 1u);
  EXPECT_EQ(vhost.max_connections(), 2u);
  EXPECT_FALSE(listed->vhosts(0).has_max_queues());

  v1::OpenSessionRequest open;
  open.set_vhost("small");
  const auto first = Call(&Session::OpenSession, open);
  ASSERT_EQ(first.reason, "OK");
  ASSERT_EQ(Call(&Session::OpenSession, open).reason, "OK");
  EXPECT_EQ(Call(&Session::OpenSession, open).reason, "LIMIT_EXCEEDED");
  v1::CloseSessionRequest close;
  close.set_session_id(first->session_id());
  ASSERT_EQ(Call(&Session::CloseSession, close).reason, "OK");
  EXPECT_EQ(Call(&Session::OpenSession, open).reason, "OK") << "room again";

  v1::DeclareQueueRequest declare;
  declare.set_vhost("small");
  declare.set_name("q1");
  ASSERT_EQ(Call(&Topology::DeclareQueue, declare).reason, "OK");
  declare.set_name("q2");
  const auto refused = Call(&Topology::DeclareQueue, declare);
  EXPECT_EQ(refused.reason, "LIMIT_EXCEEDED");
  EXPECT_EQ(refused.amqp_code, "406");
}

// ---- Policies ----

TEST_F(AdminServiceTest, POLICY_01_PoliciesArePutListedAndDeleted) {
  v1::PutPolicyRequest put;
  v1::Policy* policy = put.mutable_policy();
  policy->set_name("p");
  policy->set_pattern("^q");
  policy->set_priority(-3);
  policy->set_apply_to(v1::POLICY_TARGET_QUEUES);
  (*policy->mutable_definition())["max-length"].set_int64_value(5);
  EXPECT_TRUE(Call(&Admin::PutPolicy, put)->created());
  EXPECT_FALSE(Call(&Admin::PutPolicy, put)->created());
  auto listed = Call(&Admin::ListPolicies, v1::ListPoliciesRequest());
  ASSERT_EQ(listed->policies_size(), 1);
  policy->set_vhost("/");  // the default one
  EXPECT_EQ(listed->policies(0).SerializeAsString(),
            policy->SerializeAsString());
  v1::DeletePolicyRequest remove;
  remove.set_name("p");
  EXPECT_TRUE(Call(&Admin::DeletePolicy, remove)->deleted());
  EXPECT_FALSE(Call(&Admin::DeletePolicy, remove)->deleted());
  EXPECT_EQ(
      Call(&Admin::ListPolicies, v1::ListPoliciesRequest())->policies_size(),
      0);
}

TEST_F(AdminServiceTest, AWrongPolicyIsRefused) {
  const auto reason = [&](auto change) {
    v1::PutPolicyRequest put;
    put.mutable_policy()->set_name("p");
    put.mutable_policy()->set_pattern("q");
    change(put.mutable_policy());
    return Call(&Admin::PutPolicy, put).reason;
  };
  EXPECT_EQ(reason([](v1::Policy* p) { p->set_name(""); }), "INVALID_NAME");
  EXPECT_EQ(reason([](v1::Policy* p) { p->set_pattern("["); }),
            "INVALID_VALUE");
  EXPECT_EQ(
      reason([](v1::Policy* p) { p->set_pattern(std::string(5000, 'a')); }),
      "INVALID_VALUE");
  EXPECT_EQ(reason([](v1::Policy* p) {
              p->set_apply_to(static_cast<v1::PolicyTarget>(9));
            }),
            "INVALID_VALUE");
  EXPECT_EQ(reason([](v1::Policy* p) {
              (*p->mutable_definition())["bogus"].set_int64_value(5);
            }),
            "INVALID_VALUE");
  EXPECT_EQ(reason([](v1::Policy* p) { p->set_vhost("absent"); }),
            "VHOST_NOT_FOUND");
}

// ---- Sessions ----

TEST_F(AdminServiceTest, ListSessionsShowsThemWithoutTheirIds) {
  const std::string id = OpenSession("", "billing");
  auto listed = Call(&Admin::ListSessions, v1::ListSessionsRequest());
  ASSERT_EQ(listed->sessions_size(), 1);
  const v1::SessionInfo& session = listed->sessions(0);
  EXPECT_EQ(session.vhost(), "/");
  EXPECT_EQ(session.user(), "guest");
  EXPECT_EQ(session.client_name(), "billing");
  EXPECT_THAT(session.peer(), HasSubstr("127.0.0.1"));
  EXPECT_EQ(session.open_time().seconds(), absl::ToUnixSeconds(clock_.Now()));
  EXPECT_EQ(session.expire_time().seconds(),
            absl::ToUnixSeconds(clock_.Now()) + 30);
  EXPECT_THAT(listed.response.SerializeAsString(), Not(HasSubstr(id)));
}

TEST_F(AdminServiceTest, ListSessionsPagesAndFilters) {
  PutVhost("other");
  for (int i = 0; i < 5; ++i) OpenSession("");
  OpenSession("other");
  v1::ListSessionsRequest request;
  request.set_vhost("/");
  request.set_page_size(2);
  std::set<std::string> refs;
  while (true) {
    auto page = Call(&Admin::ListSessions, request);
    ASSERT_EQ(page.reason, "OK");
    for (const auto& session : page->sessions()) {
      EXPECT_EQ(session.vhost(), "/");
      refs.insert(session.session_ref());
    }
    if (page->next_page_token().empty()) break;
    request.set_page_token(page->next_page_token());
  }
  EXPECT_EQ(refs.size(), 5u);
  request.set_vhost("other");
  EXPECT_EQ(Call(&Admin::ListSessions, request).reason, "BAD_PAGE_TOKEN");
}

TEST_F(AdminServiceTest, EndSessionEndsItWithTheReason) {
  const std::string id = OpenSession("");
  v1::WatchSessionRequest watch;
  watch.set_session_id(id);
  Session stub(channel_);
  const auto context = NewContext();
  auto stream = stub.WatchSession(context.get(), watch);
  v1::WatchSessionResponse response;
  ASSERT_TRUE(stream->Read(&response));

  v1::EndSessionRequest end;
  end.set_session_ref(Call(&Admin::ListSessions, v1::ListSessionsRequest())
                          ->sessions(0)
                          .session_ref());
  end.set_reason("maintenance at noon");
  EXPECT_TRUE(Call(&Admin::EndSession, end)->ended());
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(ReasonOfCall(*context, status), "SESSION_ENDED");
  EXPECT_THAT(status.error_message(), HasSubstr("maintenance at noon"));
  EXPECT_EQ(ReasonOfKeepAlive(id), "SESSION_NOT_FOUND");
  EXPECT_FALSE(Call(&Admin::EndSession, end)->ended());
}

// ---- What is not built ----

TEST_F(AdminServiceTest, TheClockIsNotMovedUnlessTheServerSaysSo) {
  const auto result = Call(&Testing::AdvanceClock, {});
  EXPECT_EQ(result.reason, "FEATURE_UNSUPPORTED");
  EXPECT_EQ(result.amqp_code, "540");
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(result.status.error_message(), HasSubstr("AdvanceClock"));
}

}  // namespace
}  // namespace kelpmq::service::testing
