#ifndef KELPMQ_TESTS_BENCH_RELAY_RELAY_CALL_H_
#define KELPMQ_TESTS_BENCH_RELAY_RELAY_CALL_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server_context.h>

#include <memory>
#include <string>

namespace kelpmq::bench {

// The least that makes gRPC's asynchronous generic API usable: a call owns its
// context, its stream and its tags. For one thread.
class RelayCall {
 public:
  class Tag {
   public:
    using Method = void (RelayCall::*)(bool ok);
    Tag(RelayCall* call, Method method) : call_(call), method_(method) {}
    void Run(bool ok) { (call_->*method_)(ok); }

   private:
    RelayCall* const call_;
    const Method method_;
  };

  // What a call does. Made for its method once it has come in.
  class Handler {
   public:
    virtual ~Handler() = default;
    // The next read is under way already.
    virtual void OnRead(const grpc::ByteBuffer& message) = 0;
    virtual void OnWritable() = 0;
    // The client has half-closed or is gone.
    virtual void OnEnd() = 0;
  };
  using MakeHandler = std::unique_ptr<Handler> (*)(RelayCall* call,
                                                   const std::string& method,
                                                   void* argument);

  // Where calls come from.
  struct Source {
    grpc::AsyncGenericService* service;
    grpc::ServerCompletionQueue* queue;
    MakeHandler make_handler;
    void* argument;
  };

  // Waits for a call. It deletes itself when it is over.
  static void Accept(const Source* source) { new RelayCall(source); }

  bool writable() const { return !writing_ && !finishing_; }
  void Write(const grpc::ByteBuffer& message);
  // The one reply of a unary call.
  void WriteAndFinish(const grpc::ByteBuffer& message);
  // Stops reading ahead: ReadOn takes it up again.
  void HoldReads() { held_ = true; }
  void ReadOn();

 private:
  explicit RelayCall(const Source* source);
  void OnAccepted(bool ok);
  void OnReadDone(bool ok);
  void OnWriteDone(bool ok);
  void OnFinished(bool ok);
  void Read();
  void DeleteIfOver();

  const Source* const source_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  grpc::ByteBuffer read_;
  std::unique_ptr<Handler> handler_;
  bool reading_ = false;
  bool writing_ = false;
  bool ended_ = false;
  bool finishing_ = false;
  bool finished_ = false;
  bool held_ = false;

  Tag accepted_{this, &RelayCall::OnAccepted};
  Tag read_done_{this, &RelayCall::OnReadDone};
  Tag write_done_{this, &RelayCall::OnWriteDone};
  Tag finish_done_{this, &RelayCall::OnFinished};
};

}  // namespace kelpmq::bench

#endif  // KELPMQ_TESTS_BENCH_RELAY_RELAY_CALL_H_
