#ifndef KELPMQ_SERVICE_RPC_REACTOR_H_
#define KELPMQ_SERVICE_RPC_REACTOR_H_

#include <grpcpp/support/byte_buffer.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/auth/login.h"

namespace kelpmq::service {

// The server side of one RPC, of any kind, on a completion queue. Hides tags:
// only generic_call.cc and call_queue.cc know them.
//
// Thread-safety: Write and Finish from any thread; Read from one at a time.
// Never blocks. Owned through std::shared_ptr: by the layer until the last tag
// has come back, and by whoever wants to write.
class Call {
 public:
  virtual ~Call() = default;

  // What the client sent along.
  virtual const std::string& method() const = 0;  // "/kelpmq.v1.X/Y"
  virtual std::string peer() const = 0;           // empty once the call is over
  virtual absl::Time deadline() const = 0;        // InfiniteFuture: none
  // First value of a metadata key, or empty; empty once the call is over.
  virtual std::string metadata(absl::string_view key) const = 0;
  // In whose name it acts; null where nobody is asked.
  virtual LoginRef login() const { return nullptr; }
  // Whether the client has gone or cancelled, as far as is known by now.
  virtual bool cancelled() const = 0;

  // Asks for the next message: one OnReadDone follows. None may be under way.
  // After Finish, and when the client is gone: dropped, with no OnReadDone.
  virtual void Read() = 0;
  // Sends one message: one OnWriteDone follows. None may be under way. After
  // Finish, and when the client is gone: dropped, with no OnWriteDone.
  virtual void Write(grpc::ByteBuffer message) = 0;
  // Ends the call; the first wins, later ones do nothing. A write under way is
  // let through first. An error's reason, AMQP code and metadata (base/error.h)
  // go into status details and trailers.
  virtual void Finish(absl::Status status) = 0;
  // Sends the one message of a unary reply and ends the call with OK, in one
  // operation. Instead of Finish.
  virtual void WriteAndFinish(grpc::ByteBuffer message) = 0;
};
using CallRef = std::shared_ptr<Call>;

// What an RPC does with its call. Runs on the poller thread of its completion
// queue: one call's events never run at the same time, and must not block.
class CallHandler {
 public:
  virtual ~CallHandler() = default;
  // Once, first: the call has been accepted. A handler usually keeps `call`
  // and calls Read.
  virtual void OnStart(CallRef call) = 0;
  // ok=false: the client has half-closed or is gone; no further reads.
  virtual void OnReadDone(bool ok, grpc::ByteBuffer message) = 0;
  virtual void OnWriteDone(bool ok) = 0;
  // Once: the call is over, by Finish or because the client is gone
  // (`cancelled`), and all reads and writes have come back. The layer lets go
  // of the handler afterwards. If it came without Finish, Finish has no effect
  // any more.
  virtual void OnDone(bool cancelled) = 0;
};
using HandlerFactory = std::function<std::shared_ptr<CallHandler>()>;

// Method path -> who handles it. Filled before the server starts.
class MethodTable {
 public:
  // Whether a method may be begun while the server drains.
  enum class WhileDraining { kRefuse, kAllow };
  // Streams of the API are logged and counted when they come and go.
  enum class Kind { kCall, kStream };

  // Who may call a method.
  enum class OpenTo {
    kEverybody,       // also who proves nothing: probes
    kUsers,           // what they may do in a vhost is the method's to check
    kAdministrators,  // users with that tag
  };

  struct Method {
    HandlerFactory make_handler;
    WhileDraining while_draining;
    Kind kind;
    OpenTo open_to;
  };

  void Add(std::string path, WhileDraining while_draining,
           HandlerFactory make_handler, Kind kind = Kind::kCall,
           OpenTo open_to = OpenTo::kUsers) {
    methods_.emplace(std::move(path), Method{std::move(make_handler),
                                             while_draining, kind, open_to});
  }
  // In no given order.
  template <typename Visitor>  // (const std::string& path, const Method&)
  void ForEach(Visitor visit) const {
    for (const auto& [path, method] : methods_) visit(path, method);
  }
  const Method* Find(absl::string_view path) const {
    auto it = methods_.find(path);
    return it == methods_.end() ? nullptr : &it->second;
  }

 private:
  absl::flat_hash_map<std::string, Method> methods_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_REACTOR_H_
