#ifndef KELPMQ_SERVICE_BASE_VALUE_FIELDS_H_
#define KELPMQ_SERVICE_BASE_VALUE_FIELDS_H_

#include <cstdint>

namespace kelpmq::service {

// Field numbers of kelpmq.v1.Value and of what it is made of.

namespace value_field {
enum : uint32_t {
  kString = 1,
  kInt64 = 2,
  kBool = 3,
  kDouble = 4,
  kTable = 5,
  kArray = 6,
  kBytes = 7,
  kTimestamp = 8,
  kNull = 9,
  kInt32 = 10,
  kInt16 = 11,
  kInt8 = 12,
  kUint8 = 13,
  kUint16 = 14,
  kUint32 = 15,
  kFloat = 16,
  kDecimal = 17,
  kRawString = 18,
};
}  // namespace value_field

inline constexpr uint32_t kTableFields = 1;
inline constexpr uint32_t kArrayValues = 1;
inline constexpr uint32_t kEntryKey = 1;  // of a map<string, Value>
inline constexpr uint32_t kEntryValue = 2;
inline constexpr uint32_t kDecimalScale = 1;
inline constexpr uint32_t kDecimalUnscaled = 2;

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_VALUE_FIELDS_H_
