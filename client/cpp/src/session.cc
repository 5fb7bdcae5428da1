#include "client/cpp/src/session.h"

#include <utility>

#include "client/cpp/src/methods.h"
#include "client/cpp/src/wire.h"

namespace kelpmq::client {

using service::MutexLock;

// Keeps the session alive, and tells what the broker says about it.
class Session::Watch final : public StreamCall::Events {
 public:
  Watch(Session* session, std::string id)
      : session_(session), id_(std::move(id)) {}

  // On the polling thread.
  static void Start(Session* session, const std::string& id) {
    auto watch = std::make_shared<Watch>(session, id);
    Watch* const started = watch.get();
    started->stream_ = session->connection_->OpenStream(
        SessionMethod("WatchSession"), std::move(watch));
  }

  void OnWritable() override {
    if (std::exchange(asked_, true)) return;
    v1::WatchSessionRequest request;
    request.set_session_id(id_);
    stream_->Write(BufferOf(request));
    stream_->Close();
  }

  bool OnRead(const grpc::ByteBuffer& message) override {
    v1::WatchSessionResponse response;
    if (!Parse(message, &response)) return true;
    using Kind = ClientEvent::Kind;
    if (response.has_flow()) {
      const bool blocked = response.flow().blocked();
      session_->listener_.report(
          {blocked ? Kind::kBlocked : Kind::kUnblocked,
           blocked ? absl::ResourceExhaustedError(response.flow().reason())
                   : absl::OkStatus(),
           "", ""});
    } else if (response.has_draining()) {
      session_->listener_.report(
          {Kind::kDraining,
           absl::UnavailableError(response.draining().message()), "", ""});
    }
    return true;
  }

  void OnDone(const absl::Status& status) override {
    stream_ = nullptr;
    session_->OnWatchEnded(id_, status);
  }

 private:
  Session* const session_;  // outlives the poller's calls
  const std::string id_;
  std::shared_ptr<StreamCall> stream_;
  bool asked_ = false;
};

Session::Session(Connection* connection, Listener listener)
    : connection_(connection), listener_(std::move(listener)) {}

std::string Session::id() const {
  MutexLock lock(&mu_);
  return id_;
}

absl::StatusOr<std::string> Session::Open() {
  {
    MutexLock lock(&mu_);
    while (state_ == State::kOpening) changed_.Wait(&mu_);
    if (state_ == State::kOpen) return id_;
    state_ = State::kOpening;
  }
  v1::OpenSessionResponse response;
  const absl::Status status =
      connection_->Call(SessionMethod("OpenSession"), OpenRequest(), &response);
  if (!status.ok()) {
    SetState(State::kNone);
    return status;
  }
  OnOpened(response);
  return response.session_id();
}

void Session::Reopen(absl::AnyInvocable<void(const absl::Status&)> done) {
  bool lost = false;
  {
    MutexLock lock(&mu_);
    lost = state_ == State::kLost;
    if (lost) state_ = State::kOpening;
  }
  if (!lost) return done(absl::OkStatus());
  connection_->Start<v1::OpenSessionResponse>(
      SessionMethod("OpenSession"), OpenRequest(),
      [this, done = std::move(done)](
          const absl::Status& status,
          const v1::OpenSessionResponse& response) mutable {
        if (status.ok()) {
          OnOpened(response);
        } else {
          SetState(State::kLost);
        }
        done(status);
      });
}

v1::OpenSessionRequest Session::OpenRequest() const {
  v1::OpenSessionRequest request;
  request.set_vhost(connection_->options().vhost);
  request.set_client_name(connection_->options().client_name);
  request.set_bound_to_watch(true);
  return request;
}

void Session::OnOpened(const v1::OpenSessionResponse& response) {
  SetState(State::kOpen, response.session_id());
  const std::string id = response.session_id();
  connection_->poller().Post([this, id] { Watch::Start(this, id); });
}

void Session::OnWatchEnded(const std::string& id, const absl::Status& status) {
  {
    MutexLock lock(&mu_);
    if (id_ != id) return;
    state_ = State::kLost;
    id_.clear();
    changed_.NotifyAll();
  }
  listener_.on_lost(status);
}

void Session::SetState(State state, const std::string& id) {
  MutexLock lock(&mu_);
  state_ = state;
  id_ = id;
  changed_.NotifyAll();
}

}  // namespace kelpmq::client
