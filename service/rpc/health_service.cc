#include "service/rpc/health_service.h"

#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.pb.h"
#include "service/base/error.h"
#include "service/base/mutex.h"
#include "service/rpc/codec.h"

namespace kelpmq::service {
namespace {

namespace wire = ::grpc::health::v1;
using ServingStatus = wire::HealthCheckResponse::ServingStatus;

struct Health {
  absl::flat_hash_set<std::string> services;
  const Draining* draining;
  StreamRegistry* streams;

  ServingStatus StatusOf(const std::string& service) const {
    if (!services.contains(service)) {
      return wire::HealthCheckResponse::SERVICE_UNKNOWN;
    }
    return draining->started() ? wire::HealthCheckResponse::NOT_SERVING
                               : wire::HealthCheckResponse::SERVING;
  }
};

// Tells the status at once and whenever it changes. Posts no read after the
// request; the client's going shows in OnDone.
class WatchHandler : public CallHandler,
                     public RegisteredStream,
                     public std::enable_shared_from_this<WatchHandler> {
 public:
  explicit WatchHandler(std::shared_ptr<const Health> health)
      : health_(std::move(health)) {}

  void OnStart(CallRef call) override {
    call_ = std::move(call);
    call_->Read();
  }

  void OnReadDone(bool ok, grpc::ByteBuffer message) override {
    wire::HealthCheckRequest request;
    if (!ok) {
      call_->Finish(MakeError(Reason::kMalformedRequest,
                              "the call carried no request message"));
      return;
    }
    if (absl::Status parsed = Parse(message, &request); !parsed.ok()) {
      call_->Finish(std::move(parsed));
      return;
    }
    {
      MutexLock lock(&mu_);
      service_ = request.service();
      started_ = true;
    }
    Update();
    health_->streams->Add(shared_from_this(),
                          StreamRegistry::DuringDrain::kDoNotWaitFor);
  }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(&mu_);
      writing_ = false;
    }
    Update();
  }

  void OnDone(bool cancelled) override { health_->streams->Remove(this); }

  void Drain(absl::Time deadline) override { Update(); }
  void EndForDrain() override {
    {
      MutexLock lock(&mu_);
      ending_ = true;
    }
    Update();
  }
  void EndVhost(absl::string_view vhost) override {}

 private:
  // Writes the status if it is news and no write is under way. The end waits
  // until the last news is out: NOT_SERVING is what a watcher watches for.
  void Update() {
    wire::HealthCheckResponse response;
    bool end;
    {
      MutexLock lock(&mu_);
      if (!started_ || writing_) return;
      const ServingStatus status = health_->StatusOf(service_);
      end = status == told_;
      if (end && !ending_) return;
      if (!end) {
        told_ = status;
        writing_ = true;
        response.set_status(status);
      }
    }
    if (end) {
      call_->Finish(
          MakeError(Reason::kServerDraining, "the server is shutting down"));
    } else {
      call_->Write(Serialize(response));
    }
  }

  const std::shared_ptr<const Health> health_;
  CallRef call_;  // set by OnStart, then constant
  Mutex mu_;
  std::string service_ ABSL_GUARDED_BY(mu_);
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  ServingStatus told_ ABSL_GUARDED_BY(mu_) =
      wire::HealthCheckResponse::UNKNOWN;  // nothing yet
};

}  // namespace

void RegisterHealth(const std::vector<std::string>& services,
                    const Draining* draining, StreamRegistry* streams,
                    MethodTable* methods) {
  auto health = std::make_shared<Health>();
  health->services.insert(services.begin(), services.end());
  health->services.insert("");
  health->draining = draining;
  health->streams = streams;

  AddUnary<wire::HealthCheckRequest, wire::HealthCheckResponse>(
      methods, "/grpc.health.v1.Health/Check",
      MethodTable::WhileDraining::kAllow,
      [health](CallContext context, wire::HealthCheckRequest request,
               Reply<wire::HealthCheckResponse> reply) {
        const ServingStatus status = health->StatusOf(request.service());
        if (status == wire::HealthCheckResponse::SERVICE_UNKNOWN) {
          std::move(reply)(absl::NotFoundError(
              absl::StrCat("no service '", request.service(), "'")));
          return;
        }
        wire::HealthCheckResponse response;
        response.set_status(status);
        std::move(reply)(std::move(response));
      },
      MethodTable::OpenTo::kEverybody);
  methods->Add(
      "/grpc.health.v1.Health/Watch", MethodTable::WhileDraining::kAllow,
      [health] { return std::make_shared<WatchHandler>(health); },
      MethodTable::Kind::kCall, MethodTable::OpenTo::kEverybody);
}

}  // namespace kelpmq::service
