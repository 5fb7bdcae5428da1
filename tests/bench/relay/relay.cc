// A bare relay: what gRPC itself allows, for the broker to be measured against.
// Speaks as much of PublishStream and Consume as `kelpmq perf --use-queue`
// asks for, with one queue: no routing, no validation, no limits, no errors.
// Publish answers at once, for the bare cost of a unary call.
//   kelpmq_bare_relay [MAX_READY]      prints its address, runs until killed

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "tests/bench/relay/relay_call.h"
#include "tests/bench/relay/relay_queue.h"
#include "tests/bench/relay/relay_streams.h"

namespace kelpmq::bench {
namespace {

// As the broker's.
constexpr int kPostedAccepts = 4;

std::unique_ptr<RelayCall::Handler> MakeHandler(RelayCall* call,
                                                const std::string& method,
                                                void* argument) {
  auto* const queue = static_cast<RelayQueue*>(argument);
  if (absl::EndsWith(method, "/PublishStream")) {
    return std::make_unique<PublishRelay>(call, queue);
  }
  if (absl::EndsWith(method, "/Consume")) {
    return std::make_unique<ConsumeRelay>(call, queue);
  }
  return std::make_unique<EchoCall>(call);
}

int Run(size_t max_ready) {
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddChannelArgument("grpc.so_reuseport", 0);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterAsyncGenericService(&service);
  builder.SetMaxReceiveMessageSize(-1);
  const auto queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0) return 1;
  RelayQueue relayed(max_ready);
  const RelayCall::Source source{&service, queue.get(), &MakeHandler, &relayed};
  for (int i = 0; i < kPostedAccepts; ++i) RelayCall::Accept(&source);
  std::printf("relay ready on 127.0.0.1:%d\n", port);
  std::fflush(stdout);
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<RelayCall::Tag*>(tag)->Run(ok);
  return 0;
}

}  // namespace
}  // namespace kelpmq::bench

int main(int argc, char** argv) {
  return kelpmq::bench::Run(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 0);
}
