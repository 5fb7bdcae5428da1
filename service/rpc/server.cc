#include "service/rpc/server.h"

#include <grpc/grpc.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/base/error.h"
#include "service/rpc/listen_address.h"
#include "service/rpc/socket_mode.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kAuthorization = "authorization";

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

void SetChannelArguments(const ServerOptions& options,
                         grpc::ServerBuilder* builder) {
  // Two servers on one port would share its connections without a word.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A peer that vanished without closing shows in no other way.
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                              Milliseconds(options.keepalive_time));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                              Milliseconds(options.keepalive_timeout));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // No end to our pings on a connection where nothing else is sent.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder->AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      Milliseconds(options.min_client_ping_interval));
  builder->SetMaxReceiveMessageSize(
      static_cast<int>(options.max_request_bytes));
  builder->SetMaxSendMessageSize(-1);  // no limit: clients state their own
  if (options.max_transport_bytes > 0) {
    builder->SetResourceQuota(
        grpc::ResourceQuota("kelpmq").Resize(options.max_transport_bytes));
  }
}

// Each by itself can be bound; only together they cannot, or, where they are
// Unix sockets, one would push the other out of its place.
absl::Status CheckTwice(const std::vector<ListenSocket>& sockets) {
  std::set<absl::string_view> addresses;
  for (const ListenSocket& socket : sockets) {
    if (!socket.is_unix && absl::EndsWith(socket.address, ":0")) continue;
    if (!addresses.insert(socket.address).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", socket.address, "' is to be listened on twice"));
    }
  }
  return absl::OkStatus();
}

// "127.0.0.1:0" and 4711: "127.0.0.1:4711".
std::string BoundAddress(const ListenSocket& socket, int port) {
  if (socket.is_unix) return socket.address;
  const size_t colon = socket.address.rfind(':');
  return absl::StrCat(socket.address.substr(0, colon), ":", port);
}

}  // namespace

int DefaultIoThreads() {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2);
}

Server::Server(const MethodTable* methods, const Draining* draining,
               CallObserver* observer, Authenticator* authenticator)
    : methods_(methods),
      draining_(draining),
      observer_(observer),
      authenticator_(authenticator),
      on_call_([this](GenericCall* call) { OnCall(call); }) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(
    const ServerOptions& options, const MethodTable* methods,
    const Draining* draining, CallObserver* observer,
    Authenticator* authenticator) {
  std::unique_ptr<Server> server(
      new Server(methods, draining, observer, authenticator));
  if (absl::Status status = server->Bind(options); !status.ok()) {
    return status;
  }
  return server;
}

void Server::Serve() {
  for (size_t i = 0; i < queues_.size(); ++i) {
    queues_[i]->Start(static_cast<int>(i));
  }
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, const MethodTable* methods,
    const Draining* draining) {
  auto server = Listen(options, methods, draining, /*observer=*/nullptr);
  if (server.ok()) (*server)->Serve();
  return server;
}

absl::Status Server::Bind(const ServerOptions& options) {
  std::vector<ListenSocket> sockets;
  for (const std::string& address : options.listen) {
    auto resolved = ResolveListenAddress(address);
    if (!resolved.ok()) return resolved.status();
    sockets.insert(sockets.end(), resolved->begin(), resolved->end());
  }
  if (absl::Status status = CheckTwice(sockets); !status.ok()) return status;
  for (const ListenSocket& socket : sockets) {
    if (absl::Status status = CheckBindable(socket); !status.ok()) {
      return status;
    }
  }

  std::shared_ptr<grpc::ServerCredentials> credentials =
      grpc::InsecureServerCredentials();
  if (options.tls.wanted()) {
    auto tls = MakeTlsCredentials(options.tls);
    if (!tls.ok()) return tls.status();
    credentials = *std::move(tls);
  }

  grpc::ServerBuilder builder;
  SetChannelArguments(options, &builder);
  std::vector<int> ports(sockets.size(), 0);
  for (size_t i = 0; i < sockets.size(); ++i) {
    builder.AddListeningPort(
        sockets[i].address,
        sockets[i].is_unix ? grpc::InsecureServerCredentials() : credentials,
        &ports[i]);
  }
  builder.RegisterAsyncGenericService(&service_);
  for (int i = 0; i < std::max(1, options.io_threads); ++i) {
    queues_.push_back(std::make_unique<CallQueue>(builder.AddCompletionQueue(),
                                                  &service_, &on_call_));
  }
  const SocketMode socket_mode(options.socket_mode);
  server_ = builder.BuildAndStart();
  for (size_t i = 0; i < sockets.size(); ++i) {
    if (ports[i] == 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", sockets[i].address));
    }
    if (absl::Status status = socket_mode.Apply(sockets[i]); !status.ok()) {
      return status;
    }
    addresses_.push_back(BoundAddress(sockets[i], ports[i]));
  }
  if (server_ == nullptr) {
    return absl::InternalError("gRPC could not start its server");
  }
  return absl::OkStatus();
}

void Server::OnCall(GenericCall* call) {
  const MethodTable::Method* method = methods_->Find(call->method());
  if (method == nullptr) {
    call->Refuse({grpc::Status(grpc::StatusCode::UNIMPLEMENTED, ""), {}});
    return;
  }
  if (authenticator_ == nullptr ||
      method->open_to == MethodTable::OpenTo::kEverybody) {
    return Admit(*method, LoginRef(), call);
  }
  const absl::string_view header = call->metadata_view(kAuthorization);
  if (auto verdict = authenticator_->Recognize(header)) {
    return Admit(*method, *std::move(verdict), call);
  }
  call->Defer();
  authenticator_->Verify(
      header, call->peer(),
      [this, method, call](Authenticator::Verdict verdict) {
        call->Resume([this, method, call, verdict = std::move(verdict)] {
          Admit(*method, verdict, call);
        });
      });
}

void Server::Admit(const MethodTable::Method& method,
                   Authenticator::Verdict verdict, GenericCall* call) {
  absl::Status status = verdict.status();
  if (status.ok() && method.open_to == MethodTable::OpenTo::kAdministrators) {
    status = CheckAdministrator(*verdict);
  }
  if (!status.ok()) return call->Refuse(ToRpcStatus(status));
  call->set_login(*std::move(verdict));
  if (draining_->started() &&
      method.while_draining == MethodTable::WhileDraining::kRefuse) {
    call->Refuse(ToRpcStatus(
        MakeError(Reason::kServerDraining, "the server is shutting down")));
    return;
  }
  call->Serve(method.make_handler(), method.kind == MethodTable::Kind::kStream,
              observer_);
}

void Server::Stop(absl::Duration grace) {
  if (server_ == nullptr) return;
  // gRPC aborts when something is begun on a queue that is shut down, so the
  // order is: no more accepts, the server, then each queue when it is empty.
  for (auto& queue : queues_) queue->StopAccepting();
  server_->Shutdown(std::chrono::system_clock::now() +
                    absl::ToChronoNanoseconds(grace));
  for (auto& queue : queues_) queue->StopWhenIdle();
  for (auto& queue : queues_) queue->Join();
  server_.reset();
}

Server::~Server() { Stop(absl::ZeroDuration()); }

}  // namespace kelpmq::service
