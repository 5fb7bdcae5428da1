"""Typed values of headers and arguments, and what Python has for them.

| Python | AMQP | Python | AMQP |
| --- | --- | --- | --- |
| str | S | None | V |
| bytes, bytearray, memoryview | x | decimal.Decimal | D |
| bool | t | datetime.datetime | T |
| int | l (64 bits) | list, tuple | A |
| float | d | Mapping | F |

The types below are for those that have no Python type of their own. They come back as they were
sent, and are ints, floats and bytes otherwise, so code that does not care need not know them.
"""
from __future__ import annotations

import datetime
import decimal
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Callable

from google.protobuf import struct_pb2

from kelpmq.v1 import types_pb2

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_LATEST_DATETIME = 253_402_300_799  # 9999-12-31T23:59:59Z


class Int8(int):
    """A signed integer of 8 bits (AMQP ``b``)."""


class Int16(int):
    """A signed integer of 16 bits (AMQP ``s``)."""


class Int32(int):
    """A signed integer of 32 bits (AMQP ``I``)."""


class UInt8(int):
    """An unsigned integer of 8 bits (AMQP ``B``)."""


class UInt16(int):
    """An unsigned integer of 16 bits (AMQP ``u``)."""


class UInt32(int):
    """An unsigned integer of 32 bits (AMQP ``i``)."""


class Float32(float):
    """A number of single precision (AMQP ``f``)."""


class RawString(bytes):
    """An AMQP string (``S``) that is not valid UTF-8."""


class Timestamp(int):
    """Seconds since 1970 that no datetime can hold (AMQP ``T``)."""


def _decimal(value: decimal.Decimal) -> types_pb2.Decimal:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or (sign and any(digits)):
        raise ValueError(f"{value!r}: an AMQP decimal is finite and not negative")
    unscaled = int("".join(map(str, digits))) * 10 ** max(exponent, 0)
    if unscaled >= 1 << 32 or exponent < -255:
        raise ValueError(f"{value!r}: an AMQP decimal has 32 bits and at most 255 decimal places")
    return types_pb2.Decimal(scale=max(-exponent, 0), unscaled=unscaled)


def seconds_of(moment: datetime.datetime) -> int:
    """Whole seconds since 1970; a datetime without a time zone counts as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return (moment - _EPOCH) // datetime.timedelta(seconds=1)


def _array(values: Sequence[Any]) -> types_pb2.ValueArray:
    return types_pb2.ValueArray(values=[to_value(value) for value in values])


def _table(entries: Mapping[str, Any]) -> types_pb2.Table:
    table = types_pb2.Table()
    fill(table.fields, entries)
    return table


# By the exact type first, which is quick; then by what it is derived from, in this order.
_ENCODERS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    str: ("string_value", str),
    bool: ("bool_value", bool),
    Int8: ("int8_value", int), Int16: ("int16_value", int), Int32: ("int32_value", int),
    UInt8: ("uint8_value", int), UInt16: ("uint16_value", int), UInt32: ("uint32_value", int),
    Timestamp: ("timestamp_value", int),
    int: ("int64_value", int),
    Float32: ("float_value", float),
    float: ("double_value", float),
    RawString: ("raw_string_value", bytes),
    bytes: ("bytes_value", bytes),
    type(None): ("null_value", lambda _: struct_pb2.NULL_VALUE),
    datetime.datetime: ("timestamp_value", seconds_of),
    decimal.Decimal: ("decimal_value", _decimal),
    list: ("array_value", _array),
    dict: ("table_value", _table),
    bytearray: ("bytes_value", bytes), memoryview: ("bytes_value", bytes),
    tuple: ("array_value", _array), Mapping: ("table_value", _table),
}


def to_value(value: Any) -> types_pb2.Value:
    """TypeError: AMQP has no type for it. ValueError: it is out of its type's range."""
    encoder = _ENCODERS.get(type(value)) or next(
        (encoder for kind, encoder in _ENCODERS.items() if isinstance(value, kind)), None)
    if encoder is None:
        raise TypeError(f"no AMQP type for {type(value).__name__}: {value!r}")
    name, convert = encoder
    return types_pb2.Value(**{name: convert(value)})


def moment_of(seconds: int) -> Any:
    """The datetime so many seconds after 1970, in UTC; a Timestamp if no datetime reaches so far,
    as when somebody wrote milliseconds."""
    if seconds > _LATEST_DATETIME:
        return Timestamp(seconds)
    return _EPOCH + datetime.timedelta(seconds=seconds)


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "string_value": str, "int64_value": int, "bool_value": bool, "double_value": float,
    "bytes_value": bytes, "null_value": lambda _: None, "timestamp_value": moment_of,
    "int32_value": Int32, "int16_value": Int16, "int8_value": Int8,
    "uint8_value": UInt8, "uint16_value": UInt16, "uint32_value": UInt32,
    "float_value": Float32, "raw_string_value": RawString,
    "decimal_value": lambda d: decimal.Decimal(
        (0, tuple(map(int, str(d.unscaled))), -d.scale)),
    "table_value": lambda table: from_map(table.fields),
    "array_value": lambda array: [from_value(value) for value in array.values],
}


def from_value(value: types_pb2.Value) -> Any:
    """The Python value. A kind that a newer broker may send, and this version not know, is None."""
    kind = value.WhichOneof("kind")
    return None if kind is None else _DECODERS[kind](getattr(value, kind))


def fill(fields: MutableMapping[str, types_pb2.Value], entries: Mapping[str, Any]) -> None:
    """Puts `entries` into a map field of a message."""
    for key, value in entries.items():
        fields[key].CopyFrom(to_value(value))


def to_map(entries: Mapping[str, Any]) -> dict[str, types_pb2.Value]:
    """`entries` as the value of a map field in a message's constructor."""
    return {key: to_value(value) for key, value in entries.items()}


def from_map(fields: Mapping[str, types_pb2.Value]) -> dict[str, Any]:
    """A map field as a dict of Python values."""
    return {key: from_value(fields[key]) for key in fields}
