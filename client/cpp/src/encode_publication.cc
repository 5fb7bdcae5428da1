#include "client/cpp/src/encode_publication.h"

#include "client/cpp/src/proto_time.h"
#include "kelpmq/v1/messaging.pb.h"

namespace kelpmq::client {

std::string EncodePublication(Publication& publication) {
  v1::PublishStreamRequest request;
  v1::PublishItem& item = *request.add_items();
  // Lent for the time of encoding, which saves copies.
  item.mutable_message()->Swap(&publication.message);
  item.mutable_exchange()->swap(publication.exchange);
  item.mutable_routing_key()->swap(publication.routing_key);
  item.set_mandatory(publication.mandatory);
  if (publication.deliver_time.has_value()) {
    SetTime(*publication.deliver_time, item.mutable_deliver_time());
  }
  std::string encoded = request.SerializeAsString();
  item.mutable_message()->Swap(&publication.message);
  item.mutable_exchange()->swap(publication.exchange);
  item.mutable_routing_key()->swap(publication.routing_key);
  return encoded;
}

}  // namespace kelpmq::client
