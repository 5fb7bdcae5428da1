#ifndef KELPMQ_CLIENT_CPP_SRC_WIRE_H_
#define KELPMQ_CLIENT_CPP_SRC_WIRE_H_

#include <grpcpp/support/byte_buffer.h>

#include <string>

#include "google/protobuf/message_lite.h"

namespace kelpmq::client {

// gRPC's bytes of a message, without copying `encoded`.
grpc::ByteBuffer BufferOf(std::string encoded);
grpc::ByteBuffer BufferOf(const google::protobuf::MessageLite& message);

// False if the bytes are no such message.
bool Parse(const grpc::ByteBuffer& bytes,
           google::protobuf::MessageLite* message);

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_WIRE_H_
