#ifndef KELPMQ_SERVICE_CLI_PERF_CLIENT_STREAM_H_
#define KELPMQ_SERVICE_CLI_PERF_CLIENT_STREAM_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "service/cli/perf/call_loop.h"

namespace kelpmq::service::cli::perf {

// One bidirectional stream of raw bytes on a CallLoop. Reads all the time;
// writes one message at a time.
// Thread-safety: for the loop's thread. To be destroyed only once it is over().
class ClientStream {
 public:
  // Called by the loop. Must outlive the stream.
  class Events {
   public:
    virtual void OnRead(const grpc::ByteBuffer& message) = 0;
    // The stream can take the next Write.
    virtual void OnWritable() = 0;
    // Once: nothing follows.
    virtual void OnOver(const absl::Status& status) = 0;

   protected:
    ~Events() = default;
  };

  ClientStream(CallLoop* loop, std::shared_ptr<grpc::Channel> channel,
               std::string method, Events* events);

  void Start();
  bool writable() const { return started_ && !writing_ && !closing_; }
  // Only while writable().
  void Write(const grpc::ByteBuffer& message);
  // Half-closes once the write under way is done: no more writes.
  void Close();
  void Cancel() { context_.TryCancel(); }
  bool over() const { return over_; }

 private:
  class Tag final : public CallLoop::Completion {
   public:
    using Method = void (ClientStream::*)(bool ok);
    Tag(ClientStream* stream, Method method)
        : stream_(stream), method_(method) {}
    void OnComplete(bool ok) override { (stream_->*method_)(ok); }

   private:
    ClientStream* const stream_;
    const Method method_;
  };

  void OnStarted(bool ok);
  void OnReadDone(bool ok);
  void OnWriteDone(bool ok);
  void OnClosed(bool ok);
  void OnFinished(bool ok);
  void HalfClose();
  void EndIfQuiet();

  Events* const events_;
  const std::string method_;
  grpc::ClientContext context_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer read_;
  grpc::Status status_;
  bool started_ = false;
  bool reading_ = false;
  bool writing_ = false;  // or half-closing
  bool closing_ = false;
  bool finishing_ = false;
  bool over_ = false;

  Tag started_tag_{this, &ClientStream::OnStarted};
  Tag read_tag_{this, &ClientStream::OnReadDone};
  Tag write_tag_{this, &ClientStream::OnWriteDone};
  Tag closed_tag_{this, &ClientStream::OnClosed};
  Tag finished_tag_{this, &ClientStream::OnFinished};
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_CLIENT_STREAM_H_
