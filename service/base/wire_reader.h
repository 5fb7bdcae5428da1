#ifndef KELPMQ_SERVICE_BASE_WIRE_READER_H_
#define KELPMQ_SERVICE_BASE_WIRE_READER_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "service/base/varint.h"

namespace kelpmq::service {

// Walks the fields of one encoded protobuf message:
//   WireReader reader(bytes);
//   while (reader.Next()) switch (reader.field()) { ... }
//   if (!reader.ok()) ...
// Groups are refused, and varints longer than any parser of protobuf must
// accept. Thread-safety: thread-compatible.
class WireReader {
 public:
  enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  explicit WireReader(absl::string_view bytes)
      : p_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  // Moves to the next field; false at the end or at an error.
  bool Next() {
    if (p_ == end_ || !ok_) return false;
    uint64_t key;
    if (!ReadShortVarint(&key) || key >> 3 == 0) return Fail();
    field_ = static_cast<uint32_t>(key >> 3);
    wire_type_ = static_cast<WireType>(key & 7);
    switch (wire_type_) {
      case kVarint: {
        const char* const start = p_;
        p_ = ReadVarint(p_, end_, &number_);
        if (p_ == nullptr) return Fail();
        // The tenth byte has room for one bit.
        return p_ - start < 10 || p_[-1] <= 1 || Fail();
      }
      case kFixed64:
        return Take(8);
      case kFixed32:
        return Take(4);
      case kBytes: {
        uint64_t size;
        return ReadShortVarint(&size) ? Take(size) : Fail();
      }
    }
    return Fail();
  }

  bool ok() const { return ok_; }
  uint32_t field() const { return field_; }
  WireType wire_type() const { return wire_type_; }
  // A parser treats a known field of another wire type as an unknown one.
  bool Is(uint32_t field, WireType type) const {
    return field_ == field && wire_type_ == type;
  }
  uint64_t varint() const { return number_; }
  // The bytes of a length-delimited or fixed field.
  absl::string_view bytes() const { return bytes_; }
  // Where the next field begins.
  const char* position() const { return p_; }

 private:
  // Keys and sizes have 32 bits: five bytes at the most.
  bool ReadShortVarint(uint64_t* value) {
    const char* const start = p_;
    p_ = ReadVarint(p_, end_, value);
    return p_ != nullptr && p_ - start <= 5 && *value >> 32 == 0;
  }
  bool Take(uint64_t size) {
    if (size > static_cast<uint64_t>(end_ - p_)) return Fail();
    bytes_ = absl::string_view(p_, size);
    p_ += size;
    return true;
  }
  bool Fail() {
    ok_ = false;
    return false;
  }

  const char* p_;
  const char* const end_;
  bool ok_ = true;
  uint32_t field_ = 0;
  WireType wire_type_ = kVarint;
  uint64_t number_ = 0;
  absl::string_view bytes_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_WIRE_READER_H_
