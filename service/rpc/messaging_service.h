#ifndef KELPMQ_SERVICE_RPC_MESSAGING_SERVICE_H_
#define KELPMQ_SERVICE_RPC_MESSAGING_SERVICE_H_

#include <string>

#include "absl/time/time.h"
#include "kelpmq/v1/messaging.pb.h"
#include "service/rpc/codec.h"
#include "service/rpc/messaging_context.h"
#include "service/rpc/reactor.h"

namespace kelpmq::service {

// kelpmq.v1.MessagingService: its unary methods, and the making of its streams.
// Thread-safety: thread-safe.
class MessagingService {
 public:
  // What GetServerInfo tells.
  struct Identity {
    std::string version;
    std::string node_id;
    absl::Time start_time;
    std::vector<std::string> features;  // abilities that not every server has
  };
  // `context` outlives the service.
  MessagingService(const MessagingContext* context, Identity identity)
      : context_(context), identity_(std::move(identity)) {}

  // Adds its methods; the table must not outlive the service.
  void Register(MethodTable* methods);

 private:
  void Publish(const LoginRef& login, grpc::ByteBuffer request, RawReply reply);
  void PublishBatch(const LoginRef& login, grpc::ByteBuffer request,
                    RawReply reply);
  // Ack and Nack differ in the action alone.
  template <typename Request, typename Response>
  void Settle(const LoginRef& login, const Request& request,
              SettleAction action, Reply<Response> reply);
  // The lease, if it is the user's.
  absl::StatusOr<Leases::Found> FindLease(const LoginRef& login,
                                          const std::string& id) const;
  void ExtendLease(const LoginRef& login, const v1::ExtendLeaseRequest& request,
                   Reply<v1::ExtendLeaseResponse> reply);
  v1::GetServerInfoResponse ServerInfo() const;

  const MessagingContext* const context_;
  const Identity identity_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_MESSAGING_SERVICE_H_
