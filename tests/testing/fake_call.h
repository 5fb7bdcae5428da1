#ifndef KELPMQ_TESTS_TESTING_FAKE_CALL_H_
#define KELPMQ_TESTS_TESTING_FAKE_CALL_H_

#include <google/protobuf/message_lite.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"
#include "service/rpc/codec.h"
#include "service/rpc/reactor.h"

namespace kelpmq::service::testing {

// A call whose other end is the test: keeps what is written, and completes
// reads and writes only when told. Checks the contract of Call. Thread-safe.
class FakeCall : public Call {
 public:
  const std::string& method() const override { return method_; }
  std::string peer() const override { return "fake:1"; }
  absl::Time deadline() const override { return deadline_; }
  std::string metadata(absl::string_view) const override { return ""; }
  bool cancelled() const override {
    MutexLock lock(&mu_);
    return cancelled_;
  }

  void Read() override {
    MutexLock lock(&mu_);
    if (TakesNothing()) return;
    EXPECT_FALSE(reading_) << "two reads at once";
    reading_ = true;
  }
  void Write(grpc::ByteBuffer message) override {
    MutexLock lock(&mu_);
    if (TakesNothing()) return;
    EXPECT_FALSE(writing_) << "two writes at once";
    writing_ = true;
    Keep(message);
  }
  void Finish(absl::Status status) override {
    MutexLock lock(&mu_);
    if (TakesNothing()) return;
    status_ = std::move(status);
  }
  void WriteAndFinish(grpc::ByteBuffer message) override {
    MutexLock lock(&mu_);
    if (TakesNothing()) return;
    status_ = absl::OkStatus();
    Keep(message);
  }

  void set_deadline(absl::Time deadline) { deadline_ = deadline; }

  bool reading() const {
    MutexLock lock(&mu_);
    return reading_;
  }
  bool writing() const {
    MutexLock lock(&mu_);
    return writing_;
  }
  // What it was finished with.
  std::optional<absl::Status> status() const {
    MutexLock lock(&mu_);
    return status_;
  }
  // The next message written; each is taken once.
  std::optional<std::string> Take() {
    MutexLock lock(&mu_);
    if (written_.empty()) return std::nullopt;
    std::string message = std::move(written_.front());
    written_.pop_front();
    return message;
  }

  // For whoever plays the layer below.
  bool EndRead() {
    MutexLock lock(&mu_);
    return std::exchange(reading_, false);
  }
  bool EndWrite() {
    MutexLock lock(&mu_);
    return std::exchange(writing_, false);
  }
  // The client has gone.
  void Break() {
    MutexLock lock(&mu_);
    cancelled_ = true;
    reading_ = writing_ = false;
  }

 private:
  bool TakesNothing() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return cancelled_ || status_.has_value();
  }
  void Keep(const grpc::ByteBuffer& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    std::vector<grpc::Slice> slices;
    EXPECT_TRUE(message.Dump(&slices).ok());
    std::string& text = written_.emplace_back();
    for (const grpc::Slice& slice : slices) {
      text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
  }

  const std::string method_ = "/kelpmq.v1.Fake/Fake";
  absl::Time deadline_ = absl::InfiniteFuture();
  mutable Mutex mu_;
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<absl::Status> status_ ABSL_GUARDED_BY(mu_);
  std::deque<std::string> written_ ABSL_GUARDED_BY(mu_);
};

// A client of one call: plays the layer below its handler. Single-threaded.
template <typename Response>
class FakeClient {
 public:
  explicit FakeClient(std::shared_ptr<CallHandler> handler)
      : call_(std::make_shared<FakeCall>()), handler_(std::move(handler)) {}
  ~FakeClient() {
    if (handler_ != nullptr) Leave(/*cancelled=*/!finished());
  }
  FakeClient(const FakeClient&) = delete;
  FakeClient& operator=(const FakeClient&) = delete;

  void Start() { handler_->OnStart(call_); }
  void Send(const google::protobuf::MessageLite& request) {
    SendBytes(Serialize(request));
  }
  void SendBytes(grpc::ByteBuffer bytes) {
    ASSERT_TRUE(call_->EndRead()) << "the server does not read";
    handler_->OnReadDone(true, std::move(bytes));
  }
  void HalfClose() {
    ASSERT_TRUE(call_->EndRead()) << "the server does not read";
    handler_->OnReadDone(false, grpc::ByteBuffer());
  }
  // Lets the write under way through.
  void LetWriteThrough() {
    ASSERT_TRUE(call_->EndWrite()) << "nothing is being written";
    handler_->OnWriteDone(true);
  }
  // The next response, once it has been given to the transport; lets no write
  // through.
  std::optional<Response> Peek() {
    std::optional<std::string> bytes = call_->Take();
    if (!bytes.has_value()) return std::nullopt;
    Response response;
    EXPECT_TRUE(response.ParseFromString(*bytes));
    return response;
  }
  // All responses, letting writes through until there are no more.
  std::vector<Response> Receive() {
    std::vector<Response> responses;
    while (true) {
      if (auto response = Peek()) {
        responses.push_back(*std::move(response));
      } else if (call_->writing()) {
        LetWriteThrough();
      } else {
        return responses;
      }
    }
  }
  // The client has gone, or the call is over: the handler is let go of.
  void Leave(bool cancelled = true) {
    if (cancelled) call_->Break();
    std::exchange(handler_, nullptr)->OnDone(cancelled);
  }

  FakeCall& call() { return *call_; }
  bool finished() const { return call_->status().has_value(); }
  absl::Status status() const {
    return call_->status().value_or(absl::UnknownError("not finished"));
  }

 private:
  const std::shared_ptr<FakeCall> call_;
  std::shared_ptr<CallHandler> handler_;
};

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_TESTING_FAKE_CALL_H_
