"""Publish requests as bytes, put together by hand.

Building a request of protobuf objects costs four times as much per message (ADR 21). Properties
are still encoded by protobuf, and can be encoded once for many messages. Field numbers are those of
PublishItem, PublishStreamRequest and Message in proto/kelpmq/v1; protobuf allows fields in any
order.
"""
from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Union

from google.protobuf.timestamp_pb2 import Timestamp as TimestampMessage

from kelpmq._values import seconds_of, to_map
from kelpmq.v1 import messaging_pb2, types_pb2

Body = Union[bytes, bytearray, memoryview, str]

_PROPERTIES = {field.name for field in types_pb2.Message.DESCRIPTOR.fields} - {"body"}

_TWO_BYTES = 1 << 14


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


_SMALL = [_varint(number) for number in range(_TWO_BYTES)]


def varint(number: int) -> bytes:
    """`number` as protobuf writes lengths."""
    return _SMALL[number] if number < _TWO_BYTES else _varint(number)


def body_bytes(body: Body) -> bytes:
    """The bytes of a body; text is UTF-8. TypeError: it is something else."""
    if type(body) is bytes:
        return body
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise TypeError(f"a body is bytes or str, not {type(body).__name__}; serialise it first")


def encode_properties(**properties: Any) -> bytes:
    """A Message's properties and headers as bytes, for encode_item().

    Takes the fields of Message by name; `headers` with Python values, `expiration` also as a number
    of seconds, `timestamp` also as a datetime. TypeError, ValueError: wrong type or range.
    """
    if not properties:
        return b""
    given = {name: value for name, value in properties.items() if value is not None}
    headers = given.pop("headers", None)
    if headers:
        if not isinstance(headers, Mapping):
            raise TypeError(f"headers are a mapping, not {type(headers).__name__}")
        given["headers"] = to_map(headers)
    expiration = given.get("expiration")
    if isinstance(expiration, (int, float)):
        given["expiration"] = str(round(expiration * 1000))
    timestamp = given.get("timestamp")
    if isinstance(timestamp, datetime.datetime):
        given["timestamp"] = seconds_of(timestamp)
    unknown = given.keys() - _PROPERTIES
    if unknown:
        raise TypeError(f"no such property: {', '.join(sorted(unknown))}; there are "
                        + ", ".join(sorted(_PROPERTIES)))
    try:
        return types_pb2.Message(**given).SerializeToString()
    except (TypeError, ValueError):
        for name, value in given.items():
            _check_property(name, value)
        raise


def _check_property(name: str, value: Any) -> None:
    """Says which one is wrong, which protobuf does not."""
    try:
        types_pb2.Message(**{name: value})
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}={value!r}: {error}") from None


def encode_route(exchange: str = "", routing_key: str = "", mandatory: bool = False,
                 deliver_at: Union[datetime.datetime, None] = None) -> bytes:
    """What a PublishItem holds besides its message, for encode_item(). TypeError."""
    if not isinstance(routing_key, str):
        raise TypeError(
            f"a routing key is str, not {type(routing_key).__name__}: publish(body, routing_key)")
    if not exchange and not mandatory and deliver_at is None and routing_key.isascii() \
            and len(routing_key) < 128:
        return b"\x12%c%b" % (len(routing_key), routing_key.encode()) if routing_key else b""
    item = messaging_pb2.PublishItem(
        exchange=exchange, routing_key=routing_key, mandatory=mandatory)
    if deliver_at is not None:
        moment = deliver_at if deliver_at.tzinfo else deliver_at.replace(
            tzinfo=datetime.timezone.utc)
        item.deliver_time.CopyFrom(TimestampMessage(
            seconds=seconds_of(moment), nanos=moment.microsecond * 1000))
    return item.SerializeToString()


def encode_item(body: bytes, properties: bytes, route: bytes) -> bytes:
    """One element of PublishStreamRequest.items, with tag and length."""
    size = len(body)
    head = b"\n" + (_SMALL[size] if size < _TWO_BYTES else _varint(size))
    size += len(head) + len(properties)
    length = _SMALL[size] if size < _TWO_BYTES else _varint(size)
    size += 1 + len(length) + len(route)
    return b'"%b\n%b%b%b%b%b' % (
        _SMALL[size] if size < _TWO_BYTES else _varint(size), length, head, body, properties, route)
