#include "client/cpp/src/wire.h"

#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include <utility>

namespace kelpmq::client {

grpc::ByteBuffer BufferOf(std::string encoded) {
  auto* const kept = new std::string(std::move(encoded));
  const grpc::Slice slice(
      kept->data(), kept->size(),
      [](void* string) { delete static_cast<std::string*>(string); }, kept);
  return grpc::ByteBuffer(&slice, 1);
}

grpc::ByteBuffer BufferOf(const google::protobuf::MessageLite& message) {
  return BufferOf(message.SerializeAsString());
}

bool Parse(const grpc::ByteBuffer& bytes,
           google::protobuf::MessageLite* message) {
  grpc::ByteBuffer buffer(bytes);  // shares the slices
  grpc::ProtoBufferReader reader(&buffer);
  return reader.status().ok() && message->ParseFromZeroCopyStream(&reader);
}

}  // namespace kelpmq::client
