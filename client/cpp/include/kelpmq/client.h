#ifndef KELPMQ_CLIENT_H_
#define KELPMQ_CLIENT_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kelpmq/consumer.h"
#include "kelpmq/delivery.h"
#include "kelpmq/error.h"
#include "kelpmq/options.h"
#include "kelpmq/publisher.h"
#include "kelpmq/topology.h"
#include "kelpmq/v1/messaging.pb.h"
#include "kelpmq/value.h"

namespace kelpmq {

// A connection to a broker, and one thread that polls it.
//
// If the connection is lost the client comes back by itself, with a jittered
// exponential back-off; it declares again what was declared through it
// (Restore::kYes), then consumers and publishers go on. Calls that block fail
// meanwhile.
//
// An interface, so that programs can be tested with mocks
// (kelpmq/mocks/mock_client.h).
// Thread-safety: thread-safe, but for the destructor. Does not fork.
class Client {
 public:
  // Connects, and waits for the broker's first answer.
  //   Errors: kUnavailable if no broker is reached within connect_timeout,
  //   kUnauthenticated, kInvalidArgument for options that make no sense.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(ClientOptions options);
  // With all else as by default.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(std::string address) {
    ClientOptions options;
    options.address = std::move(address);
    return Connect(std::move(options));
  }

  // Ends all streams: what is unconfirmed is reported as kConfirmLost, and
  // publishers and consumers that still exist have ended (kClosed). Destroy
  // them first to have them finish well. Not on the polling thread.
  virtual ~Client() = default;

  virtual Topology& topology() = 0;

  // Does not block. The client may go first, see above.
  virtual std::unique_ptr<Publisher> NewPublisher(PublisherOptions options) = 0;
  std::unique_ptr<Publisher> NewPublisher() {
    return NewPublisher(PublisherOptions());
  }

  // Waits until the broker has started the consumer, call_timeout at most.
  //   Errors: kNotFound QUEUE_NOT_FOUND, kFailedPrecondition
  //   CONSUMER_EXCLUSIVE, ...; kFailedPrecondition on the polling thread.
  virtual absl::StatusOr<std::unique_ptr<Consumer>> Consume(
      ConsumerOptions options, DeliveryHandler handler) = 0;
  absl::StatusOr<std::unique_ptr<Consumer>> Consume(std::string queue,
                                                    DeliveryHandler handler) {
    return Consume(ConsumerOptions(std::move(queue)), std::move(handler));
  }

  // Takes what is there, without a consumer; nothing is not an error. Blocks
  // for options.wait and the broker's answer.
  virtual absl::StatusOr<std::vector<Delivery>> Get(const std::string& queue,
                                                    GetOptions options) = 0;
  absl::StatusOr<std::vector<Delivery>> Get(const std::string& queue) {
    return Get(queue, GetOptions());
  }

  // Version, limits and abilities of the broker. Blocks.
  virtual absl::StatusOr<v1::GetServerInfoResponse> ServerInfo() = 0;
};

}  // namespace kelpmq

#endif  // KELPMQ_CLIENT_H_
