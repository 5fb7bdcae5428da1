"""Properties and headers of a message: AMQP's own, as other clients see them, and whatever else a
program puts there, which comes back as it was."""
from __future__ import annotations

import contextlib
import datetime
from collections.abc import Mapping
from typing import Any

from kelpmq._values import to_value
from kelpmq.message import Delivery

from kombu_emulator.serialization import from_json, to_json

#: Holds, as JSON, what AMQP has no place for. Programs do not see it.
HEADER = "kombu-emulator"

_TEXTS = ("correlation_id", "reply_to", "expiration", "message_id", "type", "user_id", "app_id")
_NUMBERS = {"priority": 255, "delivery_mode": 2}
_NAMES = (*_TEXTS, *_NUMBERS, "timestamp")


def outgoing(properties: Mapping[str, Any], headers: Mapping[str, Any],
             also: Mapping[str, Any]) -> dict[str, Any]:
    """What goes to the broker: properties by AMQP's names, and `headers`. also: what is to be
    found again by incoming(), besides."""
    native: dict[str, Any] = {}
    exact: dict[str, Any] = {}
    for name, value in properties.items():
        usable, comes_back = _judge(name, value)
        if usable:
            native[name] = value
        if not comes_back:
            exact[name] = value
    hidden = dict(also)
    if exact:
        hidden["properties"] = exact
    sent, odd = _sorted_headers(headers)
    if odd:
        hidden["headers"] = odd
    if hidden:
        sent[HEADER] = to_json(hidden)
    if sent:
        native["headers"] = sent
    return native


def incoming(delivery: Delivery) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Properties, headers, and what outgoing() was given besides."""
    properties = {name: value for name in _NAMES if (value := getattr(delivery, name))}
    headers = dict(delivery.headers)
    text = headers.pop(HEADER, None)
    hidden: dict[str, Any] = {}
    if isinstance(text, str):
        try:
            hidden = from_json(text)
        except ValueError:
            headers[HEADER] = text  # Somebody else's.
    properties.update(hidden.pop("properties", {}))
    headers.update(hidden.pop("headers", {}))
    return properties, headers, hidden


def _sorted_headers(headers: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those that AMQP has a form for, and those that do not come back from there as they were; some
    are both, such as a tuple."""
    sent: dict[str, Any] = {}
    odd: dict[str, Any] = {}
    for name, value in headers.items():
        if type(name) is str and _same_in_amqp(value):
            sent[name] = value
            continue
        odd[name] = value
        if type(name) is str:
            with contextlib.suppress(TypeError, ValueError):
                to_value(value)
                sent[name] = value
    return sent, odd


def _same_in_amqp(value: Any) -> bool:
    kind = type(value)
    if kind is int:
        return bool(-(1 << 63) <= value < 1 << 63)
    if kind is list:
        return all(map(_same_in_amqp, value))
    if kind is dict:
        return all(type(name) is str and _same_in_amqp(item) for name, item in value.items())
    return value is None or kind in (str, bool, float, bytes)


def _judge(name: str, value: Any) -> tuple[bool, bool]:
    """Whether AMQP has a place for it, and whether it comes back from there as it was."""
    if name in _TEXTS:
        if name == "expiration" and type(value) in (int, float) and value >= 0:
            return True, False  # Seconds, which AMQP has as text.
        return isinstance(value, str), type(value) is str and value != ""
    if name in _NUMBERS:
        fits = type(value) is int and 0 <= value <= _NUMBERS[name]
        return fits, fits and value != 0
    if name == "timestamp":
        if isinstance(value, datetime.datetime):
            return True, value.tzinfo is datetime.timezone.utc and value.microsecond == 0
        return type(value) is int and 0 < value < 1 << 63, False
    return False, False
