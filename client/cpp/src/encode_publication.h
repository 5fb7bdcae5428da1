#ifndef KELPMQ_CLIENT_CPP_SRC_ENCODE_PUBLICATION_H_
#define KELPMQ_CLIENT_CPP_SRC_ENCODE_PUBLICATION_H_

#include <string>

#include "kelpmq/publisher.h"

namespace kelpmq::client {

// `publication` as a PublishStreamRequest that has one item. The publication is
// the same afterwards.
std::string EncodePublication(Publication& publication);

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_ENCODE_PUBLICATION_H_
