#ifndef KELPMQ_TESTS_BENCH_RELAY_RELAY_STREAMS_H_
#define KELPMQ_TESTS_BENCH_RELAY_RELAY_STREAMS_H_

#include <cstdint>
#include <deque>

#include "tests/bench/relay/relay_call.h"
#include "tests/bench/relay/relay_queue.h"

namespace kelpmq::bench {

// PublishStream: queues each message, and confirms requests as one range while
// a response is being written.
class PublishRelay : public RelayCall::Handler, private RelayQueue::Publisher {
 public:
  PublishRelay(RelayCall* call, RelayQueue* queue)
      : call_(call), queue_(queue) {}
  ~PublishRelay() override { queue_->RemovePublisher(this); }

  void OnRead(const grpc::ByteBuffer& message) override;
  void OnWritable() override { Confirm(); }
  void OnEnd() override {}

 private:
  void OnRoom() override { call_->ReadOn(); }
  void Confirm();

  RelayCall* const call_;
  RelayQueue* const queue_;
  uint64_t received_ = 0;
  uint64_t confirmed_ = 0;
};

// Consume: one consumer with a prefetch, acknowledged by `up_to`.
class ConsumeRelay : public RelayCall::Handler, private RelayQueue::Consumer {
 public:
  ConsumeRelay(RelayCall* call, RelayQueue* queue)
      : call_(call), queue_(queue) {}
  ~ConsumeRelay() override;

  void OnRead(const grpc::ByteBuffer& message) override;
  void OnWritable() override { OnReady(); }
  void OnEnd() override { queue_->RemoveConsumer(this); }

 private:
  void OnReady() override;
  void Ack(uint64_t up_to);

  RelayCall* const call_;
  RelayQueue* const queue_;
  uint64_t prefetch_ = 0;
  uint64_t last_tag_ = 0;
  std::deque<RelayEntry> unacked_;  // the newest has last_tag_
};

// Publish: answered with nothing, unread.
class EchoCall : public RelayCall::Handler {
 public:
  explicit EchoCall(RelayCall* call) : call_(call) { call_->HoldReads(); }
  void OnRead(const grpc::ByteBuffer& message) override;
  void OnWritable() override {}
  void OnEnd() override {}

 private:
  RelayCall* const call_;
};

}  // namespace kelpmq::bench

#endif  // KELPMQ_TESTS_BENCH_RELAY_RELAY_STREAMS_H_
