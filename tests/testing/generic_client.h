#ifndef KELPMQ_TESTS_TESTING_GENERIC_CLIENT_H_
#define KELPMQ_TESTS_TESTING_GENERIC_CLIENT_H_

#include <google/protobuf/message_lite.h>
#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace kelpmq::service::testing {

// How long anything may take before a test gives up. Real time, generous: on a
// sound server nothing comes near it.
inline constexpr std::chrono::seconds kPatience{20};

inline grpc::ByteBuffer BytesOf(const std::string& text) {
  grpc::Slice slice(text);
  return grpc::ByteBuffer(&slice, 1);
}

inline std::string TextOf(const grpc::ByteBuffer& bytes) {
  std::string text;
  if (!bytes.Valid()) return text;
  std::vector<grpc::Slice> slices;
  if (!bytes.Dump(&slices).ok()) std::abort();
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

// A channel of its own connection, with no limit on what it receives.
inline std::shared_ptr<grpc::Channel> NewChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt("grpc.use_local_subchannel_pool", 1);
  arguments.SetInt("grpc.enable_retries", 0);
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

// One RPC of any kind with raw bytes, each step waited for. Steps return false
// when the stream is over, as gRPC's blocking API does.
// Thread-safety: one step at a time; Cancel from any thread.
class GenericClientCall {
 public:
  GenericClientCall(std::shared_ptr<grpc::Channel> channel, std::string method)
      : channel_(std::move(channel)),
        stub_(channel_),
        method_(std::move(method)) {
    context_.set_deadline(std::chrono::system_clock::now() + kPatience);
  }
  ~GenericClientCall() {
    if (started_ && !finished_) {
      context_.TryCancel();
      Finish();
    }
    stream_.reset();
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  // Set deadline or metadata on it before Start.
  grpc::ClientContext& context() { return context_; }

  bool Start() {
    started_ = true;
    stream_ = stub_.PrepareCall(&context_, method_, &queue_);
    stream_->StartCall(Tag());
    return Wait();
  }
  bool Write(const std::string& bytes) {
    stream_->Write(BytesOf(bytes), Tag());
    return Wait();
  }
  bool WritesDone() {
    stream_->WritesDone(Tag());
    return Wait();
  }
  bool Read(std::string* bytes) {
    grpc::ByteBuffer message;
    stream_->Read(&message, Tag());
    if (!Wait()) return false;
    *bytes = TextOf(message);
    return true;
  }
  bool Read(google::protobuf::MessageLite* message) {
    std::string bytes;
    return Read(&bytes) && message->ParseFromString(bytes);
  }
  void Cancel() { context_.TryCancel(); }
  grpc::Status Finish() {
    grpc::Status status;
    stream_->Finish(&status, Tag());
    Wait();
    finished_ = true;
    return status;
  }
  // After Finish; empty if there is none.
  std::string Trailer(const std::string& key) const {
    const auto& trailers = context_.GetServerTrailingMetadata();
    auto it = trailers.find(key);
    return it == trailers.end()
               ? std::string()
               : std::string(it->second.data(), it->second.size());
  }

 private:
  void* Tag() { return this; }
  bool Wait() {
    void* tag;
    bool ok = false;
    if (queue_.AsyncNext(&tag, &ok,
                         std::chrono::system_clock::now() + 2 * kPatience) !=
        grpc::CompletionQueue::GOT_EVENT) {
      std::abort();  // the deadline above must have ended the call by now
    }
    return ok;
  }

  std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
  const std::string method_;
  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  bool started_ = false;
  bool finished_ = false;
};

struct UnaryResult {
  grpc::Status status;
  std::string response;
  std::string reason;     // trailer kelpmq-reason
  std::string amqp_code;  // trailer kelpmq-amqp-code
};

inline UnaryResult CallUnary(const std::shared_ptr<grpc::Channel>& channel,
                             const std::string& method,
                             const std::string& request) {
  GenericClientCall call(channel, method);
  UnaryResult result;
  if (call.Start() && call.Write(request)) call.WritesDone();
  call.Read(&result.response);
  result.status = call.Finish();
  result.reason = call.Trailer("kelpmq-reason");
  result.amqp_code = call.Trailer("kelpmq-amqp-code");
  return result;
}

inline UnaryResult CallUnary(const std::shared_ptr<grpc::Channel>& channel,
                             const std::string& method,
                             const google::protobuf::MessageLite& request,
                             google::protobuf::MessageLite* response) {
  UnaryResult result = CallUnary(channel, method, request.SerializeAsString());
  if (result.status.ok() && !response->ParseFromString(result.response)) {
    std::abort();
  }
  return result;
}

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_TESTING_GENERIC_CLIENT_H_
