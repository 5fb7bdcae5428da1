#include "service/rpc/sessions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/engine/memory/memory_engine.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/manual_executor.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using ::kelpmq::service::testing::FakeClock;
using ::kelpmq::service::testing::ManualExecutor;
using ::kelpmq::service::testing::ReasonOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Writes down when queues of owners are deleted.
class LoggingEngine : public MemoryEngine {
 public:
  LoggingEngine(const Clock* clock, TimerQueue* timers, Executor* executor,
                std::vector<std::string>* log)
      : MemoryEngine(clock, timers, executor), log_(log) {}

  void EndOwner(std::string vhost, OwnerId owner,
                Done<EndOwnerResult> done) override {
    if (log_ != nullptr) log_->push_back("queues");
    MemoryEngine::EndOwner(std::move(vhost), owner, std::move(done));
  }

 private:
  std::vector<std::string>* const log_;
};

// A stream or lease that releases when the test says so, or at once.
class FakeUser : public SessionUser {
 public:
  FakeUser(std::string name, std::vector<std::string>* log)
      : name_(std::move(name)), log_(log) {}

  void EndForSession(absl::Status status, Released done) override {
    log_->push_back(name_);
    status_ = std::move(status);
    if (hold_) {
      done_ = std::move(done);
    } else {
      done(requeued_);
    }
  }
  uint64_t unacked_count() const override { return requeued_; }
  void ExclusiveQueueClosed(const std::string& queue,
                            CancelReason reason) override {
    log_->push_back(absl::StrCat(name_, " hears of ", queue, ", reason ",
                                 static_cast<int>(reason)));
  }

  void Hold() { hold_ = true; }
  void LetGo() { std::exchange(done_, nullptr)(requeued_); }
  void set_requeued(uint64_t count) { requeued_ = count; }
  const absl::Status& status() const { return status_; }

 private:
  const std::string name_;
  std::vector<std::string>* const log_;
  bool hold_ = false;
  uint64_t requeued_ = 0;
  absl::Status status_;
  Released done_;
};

class SessionsTest : public ::testing::Test {
 protected:
  SessionsTest()
      : timers_(&clock_, &executor_),
        engine_(&clock_, &timers_, &executor_, &log_),
        sessions_(Create("node-1")) {}

  std::shared_ptr<Sessions> Create(const std::string& node_id,
                                   size_t max_sessions = 100) {
    return Sessions::Create({node_id, max_sessions}, &engine_, &clock_,
                            &timers_);
  }

  std::string Open(Sessions::OpenParams params = {}) {
    if (params.vhost.empty()) params.vhost = "/";
    auto opened = sessions_->Open(std::move(params));
    EXPECT_EQ(ReasonOf(opened), "OK");
    return opened.ok() ? opened->session_id : "";
  }
  std::string OpenBoundToWatch() {
    Sessions::OpenParams params;
    params.bound_to_watch = true;
    return Open(std::move(params));
  }
  std::shared_ptr<FakeUser> User(const std::string& name) {
    return std::make_shared<FakeUser>(name, &log_);
  }
  Sessions::Attachment Attach(const std::string& id, SessionUse use,
                              std::shared_ptr<FakeUser> user) {
    auto attached = sessions_->Attach(id, user, use);
    EXPECT_EQ(ReasonOf(attached), "OK");
    return attached.ok() ? *attached : Sessions::Attachment();
  }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    timers_.RunDue();
    executor_.RunAll();
  }
  bool IsOpen(const std::string& id) {
    for (const Sessions::Listed& listed : sessions_->List("", "", 1000)) {
      if (listed.session.owner == owners_[id]) return true;
    }
    return false;
  }
  // Opens a session that IsOpen can look at without renewing it.
  std::string OpenObserved(Sessions::OpenParams params = {}) {
    const std::string id = Open(std::move(params));
    owners_[id] = sessions_->Use(id)->owner;
    return id;
  }
  // The answer of Close; nullopt while it has none.
  using Answer =
      std::shared_ptr<std::optional<absl::StatusOr<Sessions::Ended>>>;
  Answer Close(const std::string& id) {
    auto answer = std::make_shared<Answer::element_type>();
    sessions_->Close(id, [answer](absl::StatusOr<Sessions::Ended> ended) {
      *answer = std::move(ended);
    });
    return answer;
  }
  void DeclareExclusive(OwnerId owner, const std::string& name,
                        Table arguments = {}) {
    DeclareQueueParams params;
    params.vhost = "/";
    params.owner = owner;
    params.spec.name = name;
    params.spec.exclusive = true;
    params.spec.arguments = std::move(arguments);
    engine_.DeclareQueue(std::move(params),
                         [](absl::StatusOr<DeclareQueueResult> result) {
                           EXPECT_EQ(ReasonOf(result), "OK");
                         });
  }

  std::vector<std::string> log_;
  FakeClock clock_;
  ManualExecutor executor_;
  TimerQueue timers_;
  LoggingEngine engine_;
  std::shared_ptr<Sessions> sessions_;
  std::map<std::string, OwnerId> owners_;
};

// ---- Opening ----

TEST_F(SessionsTest, OpenAnswersTtlAndExpireTime) {
  Sessions::OpenParams params;
  params.vhost = "/";
  params.ttl = absl::Seconds(7);
  auto opened = sessions_->Open(std::move(params));
  ASSERT_EQ(ReasonOf(opened), "OK");
  EXPECT_EQ(opened->ttl, absl::Seconds(7));
  EXPECT_EQ(opened->expire_time, clock_.Now() + absl::Seconds(7));
}

TEST_F(SessionsTest, IdIsAtMost64UrlSafeCharactersAndNeverTheSame) {
  const std::string first = Open();
  const std::string second = Open();
  EXPECT_NE(first, second);
  EXPECT_LE(first.size(), 64u);
  EXPECT_GE(first.size(), 22u);  // 128 bits in base64
  EXPECT_TRUE(std::all_of(first.begin(), first.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  }));
}

TEST_F(SessionsTest, VHOST_01_UnknownVhostIsRefused) {
  Sessions::OpenParams params;
  params.vhost = "nowhere";
  EXPECT_EQ(ReasonOf(sessions_->Open(std::move(params))), "VHOST_NOT_FOUND");
  EXPECT_EQ(sessions_->count(), 0u);
}

TEST_F(SessionsTest, OverTheLimitIsLimitExceeded) {
  sessions_ = Create("node-1", /*max_sessions=*/2);
  const std::string first = Open();
  Open();
  Sessions::OpenParams params;
  params.vhost = "/";
  EXPECT_EQ(ReasonOf(sessions_->Open(params)), "LIMIT_EXCEEDED");
  Close(first);
  EXPECT_EQ(ReasonOf(sessions_->Open(params)), "OK");
}

TEST_F(SessionsTest, UseTellsWhoseSessionItIs) {
  Sessions::OpenParams params;
  params.client_name = "billing";
  params.peer = "ipv4:10.0.0.1:5";
  auto session = sessions_->Use(Open(std::move(params)));
  ASSERT_EQ(ReasonOf(session), "OK");
  EXPECT_NE(session->owner, kNoOwner);
  EXPECT_EQ(session->vhost, "/");
  EXPECT_EQ(session->client_name, "billing");
  EXPECT_EQ(session->peer, "ipv4:10.0.0.1:5");
  EXPECT_EQ(sessions_->ClientNameOf(session->owner), "billing");
}

TEST_F(SessionsTest, OwnersAreNeverTheSame) {
  const OwnerId session = sessions_->Use(Open())->owner;
  const OwnerId stream = sessions_->NewOwner();
  EXPECT_NE(session, stream);
  EXPECT_NE(stream, kNoOwner);
  EXPECT_EQ(sessions_->ClientNameOf(stream), "");
}

TEST_F(SessionsTest, UnknownIdIsSessionNotFound) {
  EXPECT_EQ(ReasonOf(sessions_->Use("")), "SESSION_NOT_FOUND");
  EXPECT_EQ(ReasonOf(sessions_->Use("nonsense")), "SESSION_NOT_FOUND");
  EXPECT_EQ(ReasonOf(sessions_->KeepAlive("x")), "SESSION_NOT_FOUND");
  EXPECT_EQ(ReasonOf(sessions_->Attach("x", {}, SessionUse::kStream)),
            "SESSION_NOT_FOUND");
  EXPECT_EQ(ReasonOf(**Close("x")), "SESSION_NOT_FOUND");
}

TEST_F(SessionsTest, IdOfAnotherNodeIsWrongNode) {
  const std::string id = Open();
  sessions_ = Create("node-2");
  EXPECT_EQ(ReasonOf(sessions_->Use(id)), "WRONG_NODE");
}

TEST_F(SessionsTest, IdOfAnEarlierStartIsSessionNotFound) {
  const std::string id = Open();
  sessions_ = Create("node-1");
  EXPECT_EQ(ReasonOf(sessions_->Use(id)), "SESSION_NOT_FOUND");
}

TEST_F(SessionsTest, ErrorsDoNotShowTheId) {
  const std::string id = Open();
  sessions_ = Create("node-1");
  EXPECT_THAT(std::string(sessions_->Use(id).status().message()),
              Not(HasSubstr(id)));
}

// ---- Expiry ----

TEST_F(SessionsTest, ExpiresAfterItsTtl) {
  const std::string id = OpenObserved();
  Advance(Sessions::kDefaultTtl - absl::Milliseconds(1));
  EXPECT_TRUE(IsOpen(id));
  Advance(absl::Milliseconds(1));
  EXPECT_FALSE(IsOpen(id));
  EXPECT_EQ(ReasonOf(sessions_->Use(id)), "SESSION_NOT_FOUND");
  EXPECT_THAT(log_, ElementsAre("queues"));
}

TEST_F(SessionsTest, EveryUseRenewsIt) {
  const std::string id = OpenObserved();
  for (int i = 0; i < 5; ++i) {
    Advance(absl::Seconds(20));
    ASSERT_EQ(ReasonOf(sessions_->Use(id)), "OK");
  }
  Advance(absl::Seconds(29));
  EXPECT_TRUE(IsOpen(id));
  Advance(absl::Seconds(1));
  EXPECT_FALSE(IsOpen(id));
}

TEST_F(SessionsTest, KeepAliveAnswersTheNewExpireTime) {
  const std::string id = Open();
  Advance(absl::Seconds(10));
  auto expire_time = sessions_->KeepAlive(id);
  ASSERT_EQ(ReasonOf(expire_time), "OK");
  EXPECT_EQ(*expire_time, clock_.Now() + Sessions::kDefaultTtl);
}

TEST_F(SessionsTest, DoesNotExpireWhileAStreamIsOpen) {
  for (const SessionUse use : {SessionUse::kWatch, SessionUse::kStream}) {
    const std::string id = OpenObserved();
    auto user = User("stream");
    const Sessions::Attachment attachment = Attach(id, use, user);
    Advance(absl::Hours(2));
    EXPECT_TRUE(IsOpen(id));
    sessions_->Detach(attachment);
    Advance(absl::Seconds(29));
    EXPECT_TRUE(IsOpen(id)) << "its ttl begins when the stream ends";
    Advance(absl::Seconds(1));
    EXPECT_FALSE(IsOpen(id));
  }
}

TEST_F(SessionsTest, AGetLeaseDoesNotKeepItAlive) {
  const std::string id = OpenObserved();
  auto lease = User("lease");
  Attach(id, SessionUse::kGetLease, lease);
  Advance(absl::Seconds(30));
  EXPECT_FALSE(IsOpen(id));
  EXPECT_THAT(log_, ElementsAre("lease", "queues"));
}

TEST_F(SessionsTest, TheLastOfSeveralStreamsCounts) {
  const std::string id = OpenObserved();
  const auto first = Attach(id, SessionUse::kStream, User("a"));
  const auto second = Attach(id, SessionUse::kStream, User("b"));
  sessions_->Detach(first);
  sessions_->Detach(first);  // a second time: no effect
  Advance(absl::Hours(1));
  EXPECT_TRUE(IsOpen(id));
  sessions_->Detach(second);
  Advance(absl::Seconds(30));
  EXPECT_FALSE(IsOpen(id));
}

// ---- The end ----

TEST_F(SessionsTest, EndsStreamsThenLeasesThenQueuesThenAnswers) {
  const std::string id = Open();
  auto lease = User("lease");
  auto stream = User("stream");
  auto watch = User("watch");
  lease->Hold();
  stream->Hold();
  stream->set_requeued(3);
  lease->set_requeued(4);
  DeclareExclusive(sessions_->Use(id)->owner, "mine");
  Attach(id, SessionUse::kGetLease, lease);
  Attach(id, SessionUse::kStream, stream);
  Attach(id, SessionUse::kWatch, watch);

  Answer answer = Close(id);
  EXPECT_THAT(log_, ElementsAre("stream", "watch"));
  stream->LetGo();
  EXPECT_THAT(log_, ElementsAre("stream", "watch", "lease"));
  EXPECT_FALSE(answer->has_value());
  lease->LetGo();
  EXPECT_THAT(log_, ElementsAre("stream", "watch", "lease", "queues"));
  ASSERT_TRUE(answer->has_value());
  ASSERT_EQ(ReasonOf(**answer), "OK");
  EXPECT_EQ((**answer)->requeued_count, 7u);
  EXPECT_THAT((**answer)->deleted_queues, ElementsAre("mine"));
}

TEST_F(SessionsTest, StreamsEndWithAbortedSessionEnded) {
  const std::string id = Open();
  auto stream = User("stream");
  Attach(id, SessionUse::kStream, stream);
  Close(id);
  EXPECT_EQ(ReasonOf(stream->status()), "SESSION_ENDED");
  EXPECT_EQ(stream->status().code(), absl::StatusCode::kAborted);
}

TEST_F(SessionsTest, AnEndingSessionCannotBeUsed) {
  const std::string id = Open();
  auto stream = User("stream");
  stream->Hold();
  Attach(id, SessionUse::kStream, stream);
  Close(id);
  EXPECT_EQ(ReasonOf(sessions_->Use(id)), "SESSION_NOT_FOUND");
  EXPECT_EQ(ReasonOf(sessions_->Attach(id, {}, SessionUse::kRequest)),
            "SESSION_NOT_FOUND");
  EXPECT_THAT(sessions_->List("", "", 10), IsEmpty());
  stream->LetGo();
}

TEST_F(SessionsTest, QLIFE_02_ItsExclusiveQueuesGoAndNoOthers) {
  const std::string id = Open();
  const std::string other = Open();
  DeclareExclusive(sessions_->Use(id)->owner, "a");
  DeclareExclusive(sessions_->Use(id)->owner, "b");
  DeclareExclusive(sessions_->Use(other)->owner, "c");
  Answer answer = Close(id);
  ASSERT_EQ(ReasonOf(**answer), "OK");
  EXPECT_THAT((**answer)->deleted_queues,
              ::testing::UnorderedElementsAre("a", "b"));
  engine_.GetQueue({"/", "c"}, [](absl::StatusOr<QueueInfo> queue) {
    EXPECT_EQ(ReasonOf(queue), "OK");
  });
}

TEST_F(SessionsTest, QEXP_01_AWatchHearsOfAnExclusiveQueueThatExpires) {
  const std::string id = Open();
  auto watch = User("watch");
  auto stream = User("stream");
  Attach(id, SessionUse::kWatch, watch);
  Attach(id, SessionUse::kStream, stream);
  Table expires;
  expires.emplace("x-expires", int32_t{1000});
  DeclareExclusive(sessions_->Use(id)->owner, "q", std::move(expires));
  Advance(absl::Seconds(1));
  EXPECT_THAT(log_, ElementsAre("watch hears of q, reason 4"));
}

TEST_F(SessionsTest, AWatchHearsOfADeletedQueueOfItsOwnSessionAlone) {
  const std::string id = Open();
  const std::string other = Open();
  auto watch = User("watch");
  auto other_watch = User("other");
  Attach(id, SessionUse::kWatch, watch);
  Attach(other, SessionUse::kWatch, other_watch);
  const OwnerId owner = sessions_->Use(id)->owner;
  DeclareExclusive(owner, "q");
  DeleteQueueParams params;
  params.vhost = "/";
  params.owner = owner;
  params.name = "q";
  engine_.DeleteQueue(params, [](absl::StatusOr<DeleteQueueResult>) {});
  EXPECT_THAT(log_, ElementsAre("watch hears of q, reason 3"));
}

TEST_F(SessionsTest, AWatchOfAnEndingSessionHearsOfNoQueue) {
  const std::string id = Open();
  auto watch = User("watch");
  Attach(id, SessionUse::kWatch, watch);
  DeclareExclusive(sessions_->Use(id)->owner, "q");
  Close(id);
  EXPECT_THAT(log_, ElementsAre("watch", "queues"));
}

TEST_F(SessionsTest, EndWaitsForARequestThatMakesSomething) {
  const std::string id = Open();
  const OwnerId owner = sessions_->Use(id)->owner;
  auto request = sessions_->Attach(id, {}, SessionUse::kRequest);
  ASSERT_EQ(ReasonOf(request), "OK");
  Answer answer = Close(id);
  EXPECT_FALSE(answer->has_value());
  DeclareExclusive(owner, "late");
  sessions_->Detach(*request);
  ASSERT_TRUE(answer->has_value());
  EXPECT_THAT((**answer)->deleted_queues, ElementsAre("late"));
}

TEST_F(SessionsTest, CloseIsIdempotentForAMinute) {
  const std::string id = Open();
  DeclareExclusive(sessions_->Use(id)->owner, "mine");
  Close(id);
  Advance(absl::Seconds(60));
  Answer again = Close(id);
  ASSERT_EQ(ReasonOf(**again), "OK");
  EXPECT_THAT((**again)->deleted_queues, ElementsAre("mine"));
  Advance(absl::Seconds(1));
  EXPECT_EQ(ReasonOf(**Close(id)), "SESSION_NOT_FOUND");
}

TEST_F(SessionsTest, ASecondCloseWaitsForTheFirst) {
  const std::string id = Open();
  auto stream = User("stream");
  stream->Hold();
  stream->set_requeued(2);
  Attach(id, SessionUse::kStream, stream);
  Answer first = Close(id);
  Answer second = Close(id);
  EXPECT_FALSE(second->has_value());
  stream->LetGo();
  EXPECT_EQ((**first)->requeued_count, 2u);
  EXPECT_EQ((**second)->requeued_count, 2u);
  EXPECT_THAT(log_, ElementsAre("stream", "queues")) << "it ended once";
}

TEST_F(SessionsTest, CloseAfterExpiryIsOkForAMinute) {
  const std::string id = Open();
  Advance(absl::Seconds(31));
  EXPECT_EQ(ReasonOf(**Close(id)), "OK");
}

TEST_F(SessionsTest, AUserThatIsGoneIsNoObstacle) {
  const std::string id = Open();
  {
    auto stream = User("stream");
    Attach(id, SessionUse::kStream, stream);
  }
  EXPECT_EQ(ReasonOf(**Close(id)), "OK");
  EXPECT_THAT(log_, ElementsAre("queues"));
}

TEST_F(SessionsTest, ADetachedUserIsNotTold) {
  const std::string id = Open();
  auto stream = User("stream");
  sessions_->Detach(Attach(id, SessionUse::kStream, stream));
  Close(id);
  EXPECT_THAT(log_, ElementsAre("queues"));
}

TEST_F(SessionsTest, DetachAfterTheEndDoesNothing) {
  const std::string id = Open();
  auto stream = User("stream");
  const auto attachment = Attach(id, SessionUse::kStream, stream);
  Close(id);
  sessions_->Detach(attachment);
  sessions_->Detach(Sessions::Attachment());
  Advance(absl::Hours(1));
  EXPECT_THAT(log_, ElementsAre("stream", "queues"));
}

TEST_F(SessionsTest, ATimerThatIsStillSetOutlivesTheSessionsHarmlessly) {
  Open();
  sessions_ = nullptr;
  Advance(absl::Hours(1));
}

// ---- bound_to_watch ----

TEST_F(SessionsTest, BoundSessionEndsWithItsLastWatch) {
  const std::string id = OpenBoundToWatch();
  const auto first = Attach(id, SessionUse::kWatch, User("first"));
  const auto second = Attach(id, SessionUse::kWatch, User("second"));
  sessions_->Detach(first);
  EXPECT_EQ(sessions_->count(), 1u);
  sessions_->Detach(second);
  EXPECT_EQ(sessions_->count(), 0u);
  EXPECT_THAT(log_, ElementsAre("queues"));
}

TEST_F(SessionsTest, BoundSessionEndsItsOtherStreamsToo) {
  const std::string id = OpenBoundToWatch();
  auto consume = User("consume");
  Attach(id, SessionUse::kStream, consume);
  sessions_->Detach(Attach(id, SessionUse::kWatch, User("watch")));
  EXPECT_THAT(log_, ElementsAre("consume", "queues"));
}

TEST_F(SessionsTest, BoundSessionSurvivesTheEndOfOtherStreams) {
  const std::string id = OpenBoundToWatch();
  auto watch = User("watch");
  Attach(id, SessionUse::kWatch, watch);
  sessions_->Detach(Attach(id, SessionUse::kStream, User("consume")));
  EXPECT_EQ(sessions_->count(), 1u);
}

TEST_F(SessionsTest, BoundSessionThatIsNeverWatchedExpires) {
  OpenBoundToWatch();
  Advance(absl::Seconds(29));
  EXPECT_EQ(sessions_->count(), 1u);
  Advance(absl::Seconds(1));
  EXPECT_EQ(sessions_->count(), 0u);
}

TEST_F(SessionsTest, UnboundSessionSurvivesItsWatch) {
  const std::string id = Open();
  sessions_->Detach(Attach(id, SessionUse::kWatch, User("watch")));
  EXPECT_EQ(sessions_->count(), 1u);
}

// ---- Administration ----

TEST_F(SessionsTest, EndByRefTellsTheReason) {
  const std::string id = Open();
  auto stream = User("stream");
  Attach(id, SessionUse::kStream, stream);
  const auto listed = sessions_->List("", "", 10);
  ASSERT_EQ(listed.size(), 1u);
  std::optional<bool> ended;
  sessions_->EndByRef(listed[0].session_ref, "maintenance",
                      [&ended](bool was_there) { ended = was_there; });
  EXPECT_EQ(ended, true);
  EXPECT_THAT(std::string(stream->status().message()),
              HasSubstr("maintenance"));
  sessions_->EndByRef(listed[0].session_ref, "",
                      [&ended](bool was_there) { ended = was_there; });
  EXPECT_EQ(ended, false);
}

TEST_F(SessionsTest, TheReferenceIsNotTheId) {
  const std::string id = Open();
  const std::string ref = sessions_->List("", "", 10)[0].session_ref;
  EXPECT_FALSE(absl::StrContains(ref, id.substr(10)));
  EXPECT_EQ(ReasonOf(sessions_->Use(ref)), "SESSION_NOT_FOUND");
}

TEST_F(SessionsTest, VHOST_04_DeletingAVhostEndsItsSessionsAlone) {
  engine_.PutVhost({"other", "", {}, ""}, [](absl::StatusOr<bool>) {});
  Sessions::OpenParams params;
  params.vhost = "other";
  const std::string theirs = Open(std::move(params));
  const std::string ours = Open();
  auto stream = User("stream");
  Attach(theirs, SessionUse::kStream, stream);
  engine_.DeleteVhost("other", [](absl::StatusOr<bool>) {});
  bool done = false;
  sessions_->EndVhost("other",
                      MakeError(Reason::kVhostNotFound, "vhost was deleted"),
                      [&done] { done = true; });
  EXPECT_TRUE(done);
  EXPECT_EQ(ReasonOf(sessions_->Use(theirs)), "SESSION_NOT_FOUND");
  EXPECT_EQ(ReasonOf(sessions_->Use(ours)), "OK");
  EXPECT_EQ(ReasonOf(stream->status()), "VHOST_NOT_FOUND");
}

TEST_F(SessionsTest, ListTellsWhatASessionHasOpen) {
  Sessions::OpenParams params;
  params.client_name = "billing";
  const std::string id = Open(std::move(params));
  auto stream = User("stream");
  auto lease = User("lease");
  stream->set_requeued(3);
  lease->set_requeued(4);
  const auto attachment = Attach(id, SessionUse::kStream, stream);
  Attach(id, SessionUse::kGetLease, lease);

  auto listed = sessions_->List("/", "", 10);
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].session.client_name, "billing");
  EXPECT_EQ(listed[0].open_time, clock_.Now());
  EXPECT_EQ(listed[0].expire_time, absl::InfiniteFuture());
  EXPECT_EQ(listed[0].unacked_count, 7u);
  EXPECT_EQ(listed[0].stream_count, 1u);

  sessions_->Detach(attachment);
  listed = sessions_->List("/", "", 10);
  EXPECT_EQ(listed[0].expire_time, clock_.Now() + Sessions::kDefaultTtl);
  EXPECT_THAT(sessions_->List("other", "", 10), IsEmpty());
}

TEST_F(SessionsTest, ListPagesInOrderOfReference) {
  for (int i = 0; i < 10; ++i) Open();
  std::vector<std::string> refs;
  while (true) {
    const auto page = sessions_->List("", refs.empty() ? "" : refs.back(), 3);
    if (page.empty()) break;
    for (const auto& listed : page) refs.push_back(listed.session_ref);
  }
  EXPECT_EQ(refs.size(), 10u);
  EXPECT_TRUE(std::is_sorted(refs.begin(), refs.end()));
}

// ---- Threads ----

TEST(SessionsThreads, NothingIsMadeForAnOwnerThatIsGone) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 200;
  RealClock clock;
  ThreadPoolExecutor executor(2);
  TimerQueue timers(&clock, &executor);
  LoggingEngine engine(&clock, &timers, &executor, nullptr);
  auto sessions = Sessions::Create({"node", 10000}, &engine, &clock, &timers);

  for (int round = 0; round < kRounds; ++round) {
    Sessions::OpenParams params;
    params.vhost = "/";
    const std::string id = sessions->Open(std::move(params))->session_id;
    std::atomic<int> closed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        if (t == 0) {
          sessions->Close(id, [&closed](absl::StatusOr<Sessions::Ended> ended) {
            EXPECT_EQ(ReasonOf(ended), "OK");
            ++closed;
          });
          return;
        }
        auto attached = sessions->Attach(id, {}, SessionUse::kRequest);
        if (!attached.ok()) return;
        DeclareQueueParams declare;
        declare.vhost = "/";
        declare.owner = attached->session().owner;
        declare.spec.name = absl::StrCat("q", round, "-", t);
        declare.spec.exclusive = true;
        engine.DeclareQueue(
            std::move(declare),
            [&, attachment = *attached](absl::StatusOr<DeclareQueueResult>) {
              sessions->Detach(attachment);
            });
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(closed, 1);
  }
  size_t left = 0;
  ListParams list;
  list.vhost = "/";
  engine.ListQueues(list, [&left](absl::StatusOr<Page<QueueInfo>> page) {
    ASSERT_EQ(ReasonOf(page), "OK");
    left = page->items.size();
  });
  EXPECT_EQ(left, 0u);
  EXPECT_EQ(sessions->count(), 0u);
}

}  // namespace
}  // namespace kelpmq::service
