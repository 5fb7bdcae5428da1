#ifndef KELPMQ_CLIENT_CPP_SRC_STREAM_CALL_H_
#define KELPMQ_CLIENT_CPP_SRC_STREAM_CALL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "client/cpp/src/poller.h"
#include "service/base/mutex.h"

namespace kelpmq::client {

// A stream of messages in both directions, on a Poller. The client's side of
// what rpc/reactor.h is for the service: tags are known here only.
//
// Thread-safety: Write, Close and Cancel on any thread; one write at a time.
// Owned by itself until OnDone, and by whoever wants to write.
class StreamCall final : public Poller::Call,
                         public std::enable_shared_from_this<StreamCall> {
 public:
  // Called on the polling thread. Kept until OnDone has returned.
  class Events {
   public:
    virtual ~Events() = default;
    // The stream can take a Write: once after the start, and after each.
    virtual void OnWritable() = 0;
    // False: no more for now, until Resume.
    virtual bool OnRead(const grpc::ByteBuffer& message) = 0;
    // Last.
    virtual void OnDone(const absl::Status& status) = 0;
  };

  // On the polling thread, so that no event comes before it has returned. Null
  // if the poller stops.
  static std::shared_ptr<StreamCall> Start(
      Poller* poller, const std::shared_ptr<grpc::Channel>& channel,
      const std::string& method, const std::string& authorization,
      std::shared_ptr<Events> events);

  // Only after OnWritable, which follows again unless the stream is over.
  void Write(grpc::ByteBuffer message);
  // Half-closes once the write under way is done; later ones are dropped.
  void Close();
  void Cancel() override { context_.TryCancel(); }
  // Reads on, after OnRead gave false. On any thread.
  void Resume();

 private:
  class Tag final : public Poller::Completion {
   public:
    using Method = void (StreamCall::*)(bool ok);
    Tag(StreamCall* stream, Method method) : stream_(stream), method_(method) {}
    void OnComplete(bool ok) override { (stream_->*method_)(ok); }

   private:
    StreamCall* const stream_;
    const Method method_;
  };

  StreamCall(Poller* poller, std::shared_ptr<Events> events)
      : poller_(poller), events_(std::move(events)) {}

  void OnStarted(bool ok);
  void OnReadDone(bool ok);
  void OnWriteDone(bool ok);
  void OnClosed(bool ok);
  void OnFinished(bool ok);
  void StartRead();
  // Asks for the status, once nothing else is under way on a broken stream.
  void FinishIfQuiet();

  Poller* const poller_;
  std::shared_ptr<Events> events_;    // the polling thread's
  std::shared_ptr<StreamCall> self_;  // likewise
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer read_;
  grpc::Status status_;

  service::Mutex mu_;
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;  // or half-closing
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mu_) = false;
  bool broken_ ABSL_GUARDED_BY(mu_) = false;      // reads or writes fail
  bool reads_over_ ABSL_GUARDED_BY(mu_) = false;  // no more will succeed
  bool finishing_ ABSL_GUARDED_BY(mu_) = false;

  Tag started_tag_{this, &StreamCall::OnStarted};
  Tag read_tag_{this, &StreamCall::OnReadDone};
  Tag write_tag_{this, &StreamCall::OnWriteDone};
  Tag closed_tag_{this, &StreamCall::OnClosed};
  Tag finished_tag_{this, &StreamCall::OnFinished};
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_STREAM_CALL_H_
