"""Messages on their way out and in."""
from __future__ import annotations

import calendar
from datetime import datetime
from typing import Any, Mapping, Optional

from kombu.transport import base

from kelpmq.v1 import messaging_pb2 as pb

from . import values

_BINARY = "binary"
_TEXT_PROPERTIES = ("correlation_id", "reply_to", "expiration", "message_id", "type", "user_id",
                    "app_id", "cluster_id")
_TEXT_PROPERTY_SET = frozenset(_TEXT_PROPERTIES)


class Message(base.Message):
    """A message that was received, or returned to its publisher."""

    @classmethod
    def delivered(cls, delivery: Any, channel: Any, consumer_tag: Optional[str]) -> Message:
        """From a `Delivery`; without `consumer_tag` it was fetched with basic_get."""
        tag = delivery.delivery_tag
        info = {
            "delivery_tag": tag,
            "redelivered": delivery.redelivered,
            "exchange": delivery.exchange,
            "routing_key": delivery.routing_key,
        }
        if consumer_tag is not None:
            info["consumer_tag"] = consumer_tag
        return cls._from(delivery.message, channel, tag, info)

    @classmethod
    def returned(cls, item: Any, channel: Any) -> Message:
        """From a `PublishItem` that the broker could not route."""
        info = {"exchange": item.exchange, "routing_key": item.routing_key}
        return cls._from(item.message, channel, None, info)

    @classmethod
    def _from(cls, message: Any, channel: Any, tag: Optional[int], info: dict[str, Any]) -> Message:
        properties = _properties(message)
        encoding = properties.get("content_encoding")
        body = message.body
        if encoding and encoding != _BINARY:
            try:
                body = body.decode(encoding)
            except (LookupError, UnicodeDecodeError):
                pass  # As with py-amqp: whoever wants it gets the bytes.
        return cls(
            body=body, channel=channel, delivery_tag=tag, delivery_info=info,
            content_type=properties.get("content_type"), content_encoding=encoding,
            properties=properties, headers=properties["application_headers"])


def _properties(message: Any) -> dict[str, Any]:
    """All that is set. Kombu always sends a priority, so 0, which is the same as none, is shown."""
    properties: dict[str, Any] = {
        "application_headers": values.get_table(message.headers),
        "priority": message.priority,
    }
    for name, value in _scalar_fields(message):
        properties[name] = value
    return properties


def _scalar_fields(message: Any) -> Any:
    for field, value in message.ListFields():
        name = field.name
        if name not in _NOT_A_PROPERTY:
            yield name, value


_NOT_A_PROPERTY = frozenset(["body", "headers", "priority"])


class Outgoing:
    """A message to publish: one item of a `PublishStreamRequest`.

    The request is kept and not the item alone, because serialized requests can be put one behind
    the other: protobuf reads them as one request with all the items.
    """

    __slots__ = ("item", "request")

    def __init__(self, body: Any, properties: Mapping[str, Any],
                 headers: Optional[Mapping[str, Any]] = None):
        self.request = pb.PublishStreamRequest()
        self.item = self.request.items.add()
        message = self.item.message
        encoding = properties.get("content_encoding")
        if type(body) is not bytes:
            body = _encoded(body, encoding)
        message.body = body
        if headers:
            values.put_table(headers, message.headers)
        for name, value in properties.items():
            if value is None:
                continue
            if name in _TEXT_PROPERTY_SET:
                setattr(message, name, value if type(value) is str else str(value))
            elif name == "content_type":
                message.content_type = value
            elif name == "content_encoding":
                message.content_encoding = value
            elif name == "delivery_mode":
                message.delivery_mode = value
            elif name == "priority":
                message.priority = min(max(int(value), 0), 255)
            elif name == "timestamp":
                message.timestamp = _seconds(value)
            elif name == "application_headers":
                values.put_table(value, message.headers)
            # Others are no properties of AMQP; py-amqp leaves them out, too.

    def __repr__(self) -> str:
        return f"<Outgoing {len(self.item.message.body)} bytes>"


def _encoded(body: Any, encoding: Optional[str]) -> bytes:
    if isinstance(body, str):
        return body.encode(encoding if encoding and encoding != _BINARY else "utf-8")
    return bytes(body)


def _seconds(value: Any) -> int:
    if isinstance(value, datetime):
        return calendar.timegm(value.utctimetuple())
    return int(value)
