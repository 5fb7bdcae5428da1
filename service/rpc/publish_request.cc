#include "service/rpc/publish_request.h"

#include <grpcpp/support/slice.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/base/error.h"
#include "service/base/utf8.h"
#include "service/base/wire_reader.h"

namespace kelpmq::service {
namespace {

// A request's bytes in one piece; no copy when gRPC has them so.
class Contiguous {
 public:
  explicit Contiguous(const grpc::ByteBuffer& bytes) {
    valid_ = bytes.Length() == 0 || bytes.TrySingleSlice(&slice_).ok() ||
             bytes.DumpToSingleSlice(&slice_).ok();
  }
  bool valid() const { return valid_; }
  absl::string_view view() const {
    return {reinterpret_cast<const char*>(slice_.begin()), slice_.size()};
  }

 private:
  grpc::Slice slice_;
  bool valid_;
};

absl::Status Malformed(absl::string_view what) {
  return MakeError(Reason::kMalformedRequest,
                   absl::StrCat("the request does not parse: ", what));
}

bool IsWellFormed(absl::string_view message) {
  WireReader reader(message);
  while (reader.Next()) {
  }
  return reader.ok();
}

// A sub-message that may come in several parts, which merge.
class MergedBytes {
 public:
  void Add(absl::string_view part) {
    if (parts_++ == 0) {
      first_ = part;
      return;
    }
    if (parts_ == 2) {
      joined_ = std::make_unique<std::string>(first_);
      ok_ = IsWellFormed(first_);
    }
    ok_ = ok_ && IsWellFormed(part);
    joined_->append(part.data(), part.size());
  }
  // False: a part ends within a field, though the whole might not.
  bool ok() const { return ok_; }
  absl::string_view view() const { return parts_ < 2 ? first_ : *joined_; }

 private:
  bool ok_ = true;
  int parts_ = 0;
  absl::string_view first_;
  std::unique_ptr<std::string> joined_;  // of more than one
};

// google.protobuf.Timestamp.
bool DecodeTimestamp(absl::string_view bytes, absl::Time* time) {
  int64_t seconds = 0;
  int64_t nanos = 0;
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(1, WireReader::kVarint)) {
      seconds = static_cast<int64_t>(reader.varint());
    } else if (reader.Is(2, WireReader::kVarint)) {
      nanos = static_cast<int64_t>(reader.varint());
    }
  }
  *time = absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanos);
  return reader.ok();
}

// What an item says, its strings still in the request's bytes.
struct ItemView {
  MergedBytes message;
  absl::string_view exchange;
  absl::string_view routing_key;
  bool mandatory = false;
  MergedBytes deliver_time;
  bool is_utf8 = true;  // all strings, also those that a later value replaced
};

// A string field that was just read.
absl::string_view Text(const WireReader& reader, bool* is_utf8) {
  *is_utf8 = *is_utf8 && IsValidUtf8(reader.bytes());
  return reader.bytes();
}

absl::Status CheckName(absl::string_view field, absl::string_view name) {
  if (name.size() <= kMaxNameBytes) return absl::OkStatus();
  return MakeError(Reason::kInvalidName,
                   absl::StrCat(field, " is ", name.size(),
                                " bytes long; the limit is ", kMaxNameBytes),
                   {{"limit", absl::StrCat(kMaxNameBytes)}});
}

// OK also if the item alone is refused: then *failure says why.
//   more: items that follow.
absl::Status DecodeItem(const ItemView& view, const PublishLimits& limits,
                        size_t more, MessagePacker* packer, PublishItem* item,
                        bool* has_user_id, absl::Status* failure) {
  if (!view.message.ok()) return Malformed("message");
  if (!view.deliver_time.ok()) return Malformed("deliver_time");
  *failure = CheckName("exchange", view.exchange);
  if (failure->ok()) *failure = CheckName("routing_key", view.routing_key);
  const absl::string_view encoded = view.message.view();
  absl::StatusOr<MessageFacts> facts = ScanMessage(encoded, limits.message);
  if (!facts.ok()) {
    if (HasReason(facts.status(), Reason::kMalformedRequest)) {
      return facts.status();
    }
    if (failure->ok()) *failure = std::move(facts).status();
  }
  if (const absl::string_view time = view.deliver_time.view(); !time.empty()) {
    if (!DecodeTimestamp(time, &item->deliver_time)) {
      return Malformed("deliver_time");
    }
  }
  if (!failure->ok()) return absl::OkStatus();
  item->mandatory = view.mandatory;
  *has_user_id |= facts->has_user_id;
  item->message =
      packer->Add(view.exchange, view.routing_key, encoded, *facts, more);
  return absl::OkStatus();
}

absl::Status AddItem(const ItemView& view, const PublishLimits& limits,
                     size_t more, MessagePacker* packer,
                     PublishRequestData* request) {
  PublishItem item;
  absl::Status failure;
  if (absl::Status status = DecodeItem(view, limits, more, packer, &item,
                                       &request->has_user_ids, &failure);
      !status.ok()) {
    return status;
  }
  const uint32_t index = request->item_count++;
  if (failure.ok()) {
    request->items.push_back(std::move(item));
    request->item_index.push_back(index);
  } else {
    request->failures.push_back({index, std::move(failure)});
  }
  return absl::OkStatus();
}

// Fields that all three requests share by number. False: not one of them.
bool DecodeSharedField(const WireReader& reader, PublishRequestData* request,
                       ItemView* defaults) {
  if (reader.Is(1, WireReader::kBytes)) {
    request->vhost = std::string(Text(reader, &defaults->is_utf8));
  } else if (reader.Is(2, WireReader::kBytes)) {
    defaults->exchange = Text(reader, &defaults->is_utf8);
  } else if (reader.Is(3, WireReader::kBytes)) {
    defaults->routing_key = Text(reader, &defaults->is_utf8);
  } else if (reader.Is(5, WireReader::kVarint)) {
    defaults->mandatory = reader.varint() != 0;
  } else if (reader.Is(6, WireReader::kBytes)) {
    request->producer_id = std::string(Text(reader, &defaults->is_utf8));
  } else if (reader.Is(7, WireReader::kVarint)) {
    request->sequence = reader.varint();
  } else {
    return false;
  }
  return true;
}

// How many items a request has whose first one was just read, if the others
// are as large. Items take two bytes at least, but few are that small.
size_t LikelyCount(absl::string_view request, const WireReader& reader) {
  constexpr size_t kSmallItem = 16;
  return 1 + static_cast<size_t>(request.end() - reader.position()) /
                 std::max(reader.bytes().size(), kSmallItem);
}

absl::Status CheckShared(const PublishRequestData& request,
                         const ItemView& defaults) {
  if (!defaults.is_utf8) return Malformed("a string is not UTF-8");
  return CheckName("vhost", request.vhost);
}

// PublishItem { message = 1, routing_key = 2, exchange = 3, mandatory = 4,
// deliver_time = 5 }; what it leaves empty comes from the request.
absl::Status DecodeItemView(absl::string_view bytes, const ItemView& defaults,
                            ItemView* view) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(1, WireReader::kBytes)) {
      view->message.Add(reader.bytes());
    } else if (reader.Is(2, WireReader::kBytes)) {
      view->routing_key = Text(reader, &view->is_utf8);
    } else if (reader.Is(3, WireReader::kBytes)) {
      view->exchange = Text(reader, &view->is_utf8);
    } else if (reader.Is(4, WireReader::kVarint)) {
      view->mandatory = reader.varint() != 0;
    } else if (reader.Is(5, WireReader::kBytes)) {
      view->deliver_time.Add(reader.bytes());
    }
  }
  if (!reader.ok()) return Malformed("an item's wire format is broken");
  if (!view->is_utf8) {
    return Malformed("exchange or routing_key is not UTF-8");
  }
  if (view->exchange.empty()) view->exchange = defaults.exchange;
  if (view->routing_key.empty()) view->routing_key = defaults.routing_key;
  view->mandatory |= defaults.mandatory;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PublishRequestData> DecodePublishRequest(
    const grpc::ByteBuffer& bytes, const PublishLimits& limits) {
  const Contiguous contiguous(bytes);
  if (!contiguous.valid()) return Malformed("its compression is broken");
  PublishRequestData request;
  ItemView view;
  WireReader reader(contiguous.view());
  while (reader.Next()) {
    if (reader.Is(4, WireReader::kBytes)) {
      view.message.Add(reader.bytes());
    } else if (reader.Is(8, WireReader::kBytes)) {
      view.deliver_time.Add(reader.bytes());
    } else {
      DecodeSharedField(reader, &request, &view);
    }
  }
  if (!reader.ok()) return Malformed("its wire format is broken");
  if (absl::Status status = CheckShared(request, view); !status.ok()) {
    return status;
  }
  MessagePacker packer;
  if (absl::Status status = AddItem(view, limits, 0, &packer, &request);
      !status.ok()) {
    return status;
  }
  return request;
}

absl::StatusOr<PublishRequestData> DecodePublishBatch(
    const grpc::ByteBuffer& bytes, const PublishLimits& limits) {
  const Contiguous contiguous(bytes);
  if (!contiguous.valid()) return Malformed("its compression is broken");
  PublishRequestData request;
  ItemView defaults;
  // Items refer to fields that may follow them, so they are read afterwards.
  std::vector<absl::string_view> items;
  size_t item_count = 0;
  WireReader reader(contiguous.view());
  while (reader.Next()) {
    if (reader.Is(4, WireReader::kBytes)) {
      // Past the limit they are counted, no more: an empty one has two bytes.
      if (item_count++ < limits.max_batch_items) {
        if (items.empty())
          items.reserve(LikelyCount(contiguous.view(), reader));
        items.push_back(reader.bytes());
      }
    } else if (reader.Is(8, WireReader::kVarint)) {
      request.confirms = static_cast<int>(reader.varint());
    } else {
      DecodeSharedField(reader, &request, &defaults);
    }
  }
  if (!reader.ok()) return Malformed("its wire format is broken");
  if (absl::Status status = CheckShared(request, defaults); !status.ok()) {
    return status;
  }
  if (item_count > limits.max_batch_items) {
    return MakeError(
        Reason::kInvalidValue,
        absl::StrCat("a batch has at most ", limits.max_batch_items,
                     " items; this one has ", item_count),
        {{"limit", absl::StrCat(limits.max_batch_items)}});
  }
  if (items.empty()) request.exchange = std::string(defaults.exchange);
  request.items.reserve(items.size());
  request.item_index.reserve(items.size());
  MessagePacker packer;
  size_t more = items.size();
  for (absl::string_view item : items) {
    ItemView view;
    absl::Status status = DecodeItemView(item, defaults, &view);
    if (status.ok()) status = AddItem(view, limits, --more, &packer, &request);
    if (!status.ok()) return status;
  }
  return request;
}

std::vector<PublishFailure> MergeFailures(
    std::vector<PublishFailure> own, const std::vector<uint32_t>& item_index,
    std::vector<PublishFailure> from_engine) {
  for (PublishFailure& failure : from_engine) {
    failure.index = item_index[failure.index];
    own.push_back(std::move(failure));
  }
  std::sort(own.begin(), own.end(),
            [](const PublishFailure& a, const PublishFailure& b) {
              return a.index < b.index;
            });
  return own;
}

}  // namespace kelpmq::service
