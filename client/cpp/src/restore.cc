#include "client/cpp/src/restore.h"

#include <memory>
#include <utility>
#include <vector>

#include "client/cpp/src/call_status.h"
#include "client/cpp/src/methods.h"

namespace kelpmq::client {
namespace {

// One run through the steps. Kept alive by the call under way.
class TopologyRestore : public std::enable_shared_from_this<TopologyRestore> {
 public:
  TopologyRestore(const RestoreParts& parts,
                  absl::AnyInvocable<void(const absl::Status&)> done)
      : parts_(parts),
        done_(std::move(done)),
        steps_(parts.topology->StepsToRestore()) {}

  void Next() {
    if (next_ == steps_.size()) return done_(absl::OkStatus());
    std::visit([this](auto& request) { Do(request); }, steps_[next_].request);
  }

 private:
  void Do(const v1::DeclareExchangeRequest& request) {
    Start<v1::DeclareExchangeResponse>("DeclareExchange", request);
  }
  void Do(const v1::BindExchangeRequest& request) {
    Start<v1::BindExchangeResponse>("BindExchange", request);
  }
  void Do(v1::BindQueueRequest& request) {
    // Its queue may have got another name a step before.
    request.set_queue(parts_.topology->CurrentName(request.queue()));
    request.set_session_id(parts_.session->id());
    Start<v1::BindQueueResponse>("BindQueue", request);
  }
  void Do(v1::DeclareQueueRequest& request) {
    request.set_session_id(parts_.session->id());
    Start<v1::DeclareQueueResponse>("DeclareQueue", request);
  }

  template <typename Response>
  void Start(const char* method, const google::protobuf::MessageLite& request) {
    parts_.connection->Start<Response>(
        TopologyMethod(method), request,
        [self = shared_from_this()](const absl::Status& status,
                                    const Response& response) {
          if (status.ok()) self->OnRestored(response);
          self->OnStep(status);
        });
  }

  template <typename Response>
  void OnRestored(const Response& /*response*/) {}
  void OnRestored(const v1::DeclareQueueResponse& response) {
    const std::string& before = steps_[next_].resource;
    const std::string& now = response.queue().name();
    if (before == now) return;
    parts_.topology->Renamed(before, now);
    parts_.report(
        {ClientEvent::Kind::kQueueRenamed, absl::OkStatus(), before, now});
  }

  void OnStep(const absl::Status& status) {
    if (!status.ok()) {
      if (IsConnectionLoss(status) || absl::IsDeadlineExceeded(status)) {
        return done_(status);
      }
      parts_.report({ClientEvent::Kind::kRestoreFailed, status,
                     steps_[next_].resource, ""});
    }
    ++next_;
    Next();
  }

  const RestoreParts parts_;
  absl::AnyInvocable<void(const absl::Status&)> done_;
  std::vector<TopologyRecord::Step> steps_;
  size_t next_ = 0;
};

}  // namespace

void RestoreTopology(const RestoreParts& parts,
                     absl::AnyInvocable<void(const absl::Status&)> done) {
  std::make_shared<TopologyRestore>(parts, std::move(done))->Next();
}

}  // namespace kelpmq::client
