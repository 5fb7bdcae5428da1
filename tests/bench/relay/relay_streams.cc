#include "tests/bench/relay/relay_streams.h"

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "service/base/varint.h"
#include "service/base/wire_reader.h"

namespace kelpmq::bench {
namespace {

using service::kMaxVarintSize;
using service::VarintSize;
using service::WireReader;
using service::WriteVarint;

// As the broker's.
constexpr size_t kMaxBatchMessages = 256;
constexpr size_t kMaxBatchBytes = 256 * 1024;

constexpr char LengthDelimited(int number) {
  return static_cast<char>(number << 3 | 2);
}
constexpr char Varint(int number) { return static_cast<char>(number << 3); }

grpc::Slice OneSlice(const grpc::ByteBuffer& message) {
  grpc::Slice slice;
  if (!message.TrySingleSlice(&slice).ok()) {
    (void)message.DumpToSingleSlice(&slice);
  }
  return slice;
}

absl::string_view ViewOf(const grpc::Slice& slice) {
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

void AppendField(char key, absl::string_view bytes, std::string* out) {
  if (bytes.empty()) return;
  char size[kMaxVarintSize];
  out->push_back(key);
  out->append(size, WriteVarint(size, bytes.size()));
  out->append(bytes.data(), bytes.size());
}

}  // namespace

void PublishRelay::OnRead(const grpc::ByteBuffer& message) {
  auto* const batch = new RelayBatch;
  batch->bytes = OneSlice(message);
  batch->refs = 1;
  absl::string_view exchange;
  absl::string_view routing_key;
  const absl::string_view bytes = ViewOf(batch->bytes);
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(4, WireReader::kBytes)) {  // PublishItem
      WireReader item(reader.bytes());
      while (item.Next()) {
        if (!item.Is(1, WireReader::kBytes)) continue;
        ++batch->refs;
        queue_->ready().push_back(
            {batch, static_cast<uint32_t>(item.bytes().data() - bytes.data()),
             static_cast<uint32_t>(item.bytes().size())});
      }
    } else if (reader.Is(2, WireReader::kBytes)) {
      exchange = reader.bytes();
    } else if (reader.Is(3, WireReader::kBytes)) {
      routing_key = reader.bytes();
    }
  }
  AppendField(LengthDelimited(3), routing_key, &batch->envelope);
  AppendField(LengthDelimited(4), exchange, &batch->envelope);
  Unref(batch);
  ++received_;
  Confirm();
  queue_->Offer();
  if (queue_->full()) {
    call_->HoldReads();
    queue_->AddPublisher(this);
  }
}

void PublishRelay::Confirm() {
  if (confirmed_ == received_ || !call_->writable()) return;
  char range[2 * (1 + kMaxVarintSize)];
  char* end = range;
  *end++ = Varint(1);
  end = WriteVarint(end, confirmed_ + 1);
  *end++ = Varint(2);
  end = WriteVarint(end, received_);
  std::string response;
  AppendField(LengthDelimited(1), {range, static_cast<size_t>(end - range)},
              &response);
  const grpc::Slice slice(response);
  confirmed_ = received_;
  call_->Write(grpc::ByteBuffer(&slice, 1));
}

ConsumeRelay::~ConsumeRelay() {
  queue_->RemoveConsumer(this);
  for (const RelayEntry& entry : unacked_) Unref(entry.batch);
}

void ConsumeRelay::OnRead(const grpc::ByteBuffer& message) {
  const grpc::Slice slice = OneSlice(message);
  WireReader reader(ViewOf(slice));
  while (reader.Next()) {
    if (reader.Is(1, WireReader::kBytes)) {  // Settle
      WireReader settle(reader.bytes());
      while (settle.Next()) {
        if (settle.Is(4, WireReader::kVarint)) Ack(settle.varint());
      }
    } else if (reader.Is(2, WireReader::kBytes)) {  // ConsumerSpec
      WireReader start(reader.bytes());
      while (start.Next()) {
        if (start.Is(6, WireReader::kVarint)) prefetch_ = start.varint();
      }
      queue_->AddConsumer(this);
      const char started[] = {LengthDelimited(3), 0};
      const grpc::Slice reply(started, sizeof(started));
      call_->Write(grpc::ByteBuffer(&reply, 1));
    }
  }
  OnReady();
}

void ConsumeRelay::Ack(uint64_t up_to) {
  while (!unacked_.empty() && last_tag_ - unacked_.size() + 1 <= up_to) {
    Unref(unacked_.front().batch);
    unacked_.pop_front();
  }
}

void ConsumeRelay::OnReady() {
  if (!call_->writable() || queue_->ready().empty()) return;
  std::deque<RelayEntry>& ready = queue_->ready();
  // How many go out, and how large each is as a Delivery.
  size_t count = 0;
  size_t size = 0;
  uint32_t sizes[kMaxBatchMessages];
  uint64_t tag = last_tag_;
  while (count < ready.size() && count < kMaxBatchMessages &&
         unacked_.size() + count < prefetch_ && size < kMaxBatchBytes) {
    const RelayEntry& entry = ready[count];
    sizes[count] = static_cast<uint32_t>(1 + VarintSize(++tag) + 1 +
                                         VarintSize(entry.size) + entry.size +
                                         entry.batch->envelope.size());
    size += 1 + VarintSize(sizes[count]) + sizes[count];
    ++count;
  }
  if (count == 0) return;
  grpc_slice slice = grpc_slice_malloc(1 + VarintSize(size) + size);
  char* out = reinterpret_cast<char*>(GRPC_SLICE_START_PTR(slice));
  *out++ = LengthDelimited(1);
  out = WriteVarint(out, size);
  for (size_t i = 0; i < count; ++i) {
    const RelayEntry& entry = ready[i];
    *out++ = LengthDelimited(1);
    out = WriteVarint(out, sizes[i]);
    *out++ = Varint(1);
    out = WriteVarint(out, ++last_tag_);
    *out++ = LengthDelimited(2);
    out = WriteVarint(out, entry.size);
    std::memcpy(out, entry.bytes(), entry.size);
    out += entry.size;
    const std::string& envelope = entry.batch->envelope;
    std::memcpy(out, envelope.data(), envelope.size());
    out += envelope.size();
    unacked_.push_back(entry);
  }
  ready.erase(ready.begin(), ready.begin() + static_cast<ptrdiff_t>(count));
  const grpc::Slice owned(slice, grpc::Slice::STEAL_REF);
  call_->Write(grpc::ByteBuffer(&owned, 1));
  queue_->TellRoom();
}

void EchoCall::OnRead(const grpc::ByteBuffer& /*message*/) {
  if (!call_->writable()) return;  // only one request is answered
  const grpc::Slice nothing;
  call_->WriteAndFinish(grpc::ByteBuffer(&nothing, 1));
}

}  // namespace kelpmq::bench
