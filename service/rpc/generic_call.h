#ifndef KELPMQ_SERVICE_RPC_GENERIC_CALL_H_
#define KELPMQ_SERVICE_RPC_GENERIC_CALL_H_

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server_context.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "service/base/executor.h"
#include "service/base/mutex.h"
#include "service/rpc/call_observer.h"
#include "service/rpc/grpc_status.h"
#include "service/rpc/reactor.h"

namespace kelpmq::service {

// What a completion queue's tag points to.
class CompletionTag {
 public:
  // On the queue's polling thread.
  virtual void OnComplete(bool ok) = 0;

 protected:
  ~CompletionTag() = default;
};

// A Call on gRPC's asynchronous generic service. Made to wait for the next RPC
// that comes in; owns itself until its last tag is back.
//
// gRPC hands tags back in any order (a finish may come after the done tag), so
// they are counted: the call is over when none is out.
class GenericCall : public Call,
                    public std::enable_shared_from_this<GenericCall> {
 public:
  // Who waits for calls. Called on the polling thread.
  class Owner {
   public:
    // An RPC has come in: decide who handles it, by Serve or Refuse, or put
    // that off by Defer.
    virtual void OnAccepted(GenericCall* call) = 0;
    // The last that is heard of a call, whether it was accepted or not.
    virtual void OnClosed() = 0;

   protected:
    ~Owner() = default;
  };

  // Waits for an RPC. OnClosed follows once, also if none comes before the
  // server shuts down.
  static void Accept(grpc::AsyncGenericService* service,
                     grpc::ServerCompletionQueue* queue, Owner* owner);

  // One of them once, within OnAccepted or what was given to Resume.
  // `observer`, which must outlive the server, or null, hears of failures and,
  // if the call is a stream, of its beginning and end.
  void Serve(std::shared_ptr<CallHandler> handler, bool is_stream,
             CallObserver* observer);
  void Refuse(RpcStatus status);

  // Within OnAccepted: whoever calls this has to call Resume once, from any
  // thread. `decide` then runs on the polling thread, unless the client has
  // gone meanwhile.
  void Defer();
  void Resume(Closure decide);

  // Before Serve.
  void set_login(LoginRef login) { login_ = std::move(login); }
  // Within OnAccepted: the first value of a metadata key, or empty. Lives as
  // long as the call is not decided on.
  absl::string_view metadata_view(absl::string_view key) const;

  const std::string& method() const override { return method_; }
  std::string peer() const override;
  absl::Time deadline() const override { return deadline_; }
  std::string metadata(absl::string_view key) const override;
  LoginRef login() const override { return login_; }
  bool cancelled() const override {
    return cancelled_.load(std::memory_order_acquire);
  }
  void Read() override;
  void Write(grpc::ByteBuffer message) override;
  void Finish(absl::Status status) override;
  void WriteAndFinish(grpc::ByteBuffer message) override;

 private:
  class Tag final : public CompletionTag {
   public:
    using Method = void (GenericCall::*)(bool ok);
    Tag(GenericCall* call, Method method) : call_(call), method_(method) {}
    void OnComplete(bool ok) override { (call_->*method_)(ok); }

   private:
    GenericCall* const call_;
    const Method method_;
  };

  // What belongs to gRPC. Freed as soon as the call is over, however long
  // somebody keeps the Call: it must not outlive the server.
  struct Transport {
    grpc::GenericServerContext context;
    grpc::GenericServerAsyncReaderWriter stream{&context};
  };

  struct End {
    std::optional<grpc::ByteBuffer> message;
    RpcStatus status;
  };

  GenericCall(grpc::ServerCompletionQueue* queue, Owner* owner);

  void OnAccept(bool ok);
  void OnRead(bool ok);
  void OnWrite(bool ok);
  void OnFinish(bool ok);
  void OnDone(bool ok);
  void OnResume(bool ok);

  void RequestEnd(End end);
  // Needs a tag counted for it.
  void StartEnd(End end);
  void TagIsBack();
  // After each tag: lets go of everything if it was the last.
  void CloseIfOver();
  bool TakesNothing() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return ending_ || done_ || closed_;
  }
  grpc::ByteBuffer TakeRead();

  grpc::ServerCompletionQueue* const queue_;
  Owner* const owner_;
  // Set by OnAccept and constant from then on.
  std::string method_;
  absl::Time deadline_ = absl::InfiniteFuture();
  // Set before Serve and constant from then on.
  LoginRef login_;
  // Of a call that was deferred: made by Defer, gone when the call is over.
  std::unique_ptr<grpc::Alarm> resume_alarm_;
  Closure decide_;

  // Set by Serve and constant from then on.
  CallObserver* observer_ = nullptr;
  bool is_stream_ = false;
  std::string stream_peer_;  // of a stream that is observed

  // Used by the polling thread alone.
  std::shared_ptr<CallHandler> handler_;
  std::shared_ptr<GenericCall> self_;  // until the last tag is back
  grpc::ByteBuffer read_;
  bool finish_failed_ = false;

  std::atomic<bool> cancelled_{false};
  // Constant but for its reset once closed_; gRPC is called without the lock,
  // under protection of a counted tag.
  std::unique_ptr<Transport> transport_;

  mutable Mutex mu_;
  int tags_out_ ABSL_GUARDED_BY(mu_) = 1;  // the accept
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;  // Finish was called
  bool done_ ABSL_GUARDED_BY(mu_) = false;    // gRPC says it is over
  bool closed_ ABSL_GUARDED_BY(mu_) = false;  // no tag is out
  std::optional<End> end_after_write_ ABSL_GUARDED_BY(mu_);

  Tag accept_tag_{this, &GenericCall::OnAccept};
  Tag read_tag_{this, &GenericCall::OnRead};
  Tag write_tag_{this, &GenericCall::OnWrite};
  Tag finish_tag_{this, &GenericCall::OnFinish};
  Tag done_tag_{this, &GenericCall::OnDone};
  Tag resume_tag_{this, &GenericCall::OnResume};
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_GENERIC_CALL_H_
