"""JSON of the cases <-> messages of the API."""
import base64

import stubs  # noqa: F401  (makes kelpmq.v1 importable)
from google.protobuf import struct_pb2
from kelpmq.v1 import types_pb2 as pb

_STRING_PROPERTIES = (
    "content_type", "content_encoding", "correlation_id", "reply_to", "expiration",
    "message_id", "type", "user_id", "app_id", "cluster_id")
_NUMBER_PROPERTIES = ("delivery_mode", "priority", "timestamp")
_EXACT_INTEGERS = {
    "$int8", "$uint8", "$int16", "$uint16", "$int32", "$uint32", "$int64", "$float", "$double"}


def _exact(kind: str, content) -> pb.Value:
    if kind in _EXACT_INTEGERS:
        return pb.Value(**{f"{kind[1:]}_value": content})
    if kind == "$timestamp":
        return pb.Value(timestamp_value=content)
    if kind == "$decimal":
        return pb.Value(decimal_value=pb.Decimal(scale=content[0], unscaled=content[1]))
    if kind == "$bytes":
        return pb.Value(bytes_value=base64.b64decode(content))
    raise ValueError(f"no such exact type: {kind}")


def to_value(json) -> pb.Value:
    """A plain integer is 32 bits wide if it fits, else 64, as the recorder's client did it."""
    if json is None:
        return pb.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(json, bool):
        return pb.Value(bool_value=json)
    if isinstance(json, int):
        fits = -(2**31) <= json < 2**31
        return pb.Value(int32_value=json) if fits else pb.Value(int64_value=json)
    if isinstance(json, float):
        return pb.Value(double_value=json)
    if isinstance(json, str):
        return pb.Value(string_value=json)
    if isinstance(json, list):
        return pb.Value(array_value=pb.ValueArray(values=map(to_value, json)))
    if len(json) == 1 and (kind := next(iter(json))).startswith("$"):
        return _exact(kind, json[kind])
    return pb.Value(table_value=pb.Table(fields=to_fields(json)))


def to_fields(json: dict | None) -> dict[str, pb.Value]:
    return {name: to_value(content) for name, content in (json or {}).items()}


def from_value(value: pb.Value):
    kind = value.WhichOneof("kind")
    if kind == "table_value":
        return from_fields(value.table_value.fields)
    if kind == "array_value":
        return [from_value(item) for item in value.array_value.values]
    if kind in ("bytes_value", "raw_string_value"):
        return {"$bytes": base64.b64encode(getattr(value, kind)).decode()}
    if kind == "timestamp_value":
        return {"$timestamp": value.timestamp_value}
    if kind == "decimal_value":
        return {"$decimal": [value.decimal_value.scale, value.decimal_value.unscaled]}
    return None if kind in (None, "null_value") else getattr(value, kind)


def from_fields(fields) -> dict:
    return {name: from_value(value) for name, value in fields.items()}


def to_message(op: dict) -> pb.Message:
    """The message that a basic.publish op describes."""
    body = op.get("body")
    properties = op.get("properties", {})
    message = pb.Message(
        body=b"x" * op["body_size"] if body is None else body.encode(),
        headers=to_fields(properties.get("headers")))
    for name, content in properties.items():
        if name == "timestamp" and isinstance(content, dict):
            content = content["$timestamp"]
        if name != "headers":
            setattr(message, name, content)
    return message


def from_message(message: pb.Message, exchange: str, routing_key: str) -> dict:
    """What an observation says of a message. Absent, 0 and "" are one and the same."""
    properties = {name: getattr(message, name)
                  for name in _STRING_PROPERTIES + _NUMBER_PROPERTIES if getattr(message, name)}
    if message.headers:
        properties["headers"] = from_fields(message.headers)
    observation = {"body": message.body.decode(), "exchange": exchange, "routing_key": routing_key}
    if properties:
        observation["properties"] = properties
    return observation


def from_delivery(delivery) -> dict:
    observation = from_message(delivery.message, delivery.exchange, delivery.routing_key)
    observation["redelivered"] = delivery.redelivered
    observation["delivery_count"] = delivery.delivery_count
    return observation
