"""Bodies as bytes, and back as they were.

| body | content type | encoding |
| --- | --- | --- |
| bytes, bytearray, memoryview | application/octet-stream | binary |
| str | text/plain | utf-8 |
| anything else, with ``json`` | application/json | utf-8 |
| anything else, with ``pickle`` | application/x-python-serialize | binary |

JSON has no tuples, sets, bytes, dates or keys that are no text; those travel as an object with
``__type__`` and ``__value__``, so that they come back as they were. Where Kombu's JSON has a form
for a type, it is the same. What is derived from a type (an OrderedDict, a named tuple, an IntEnum)
comes back as that type, and equal to what it was.
"""
from __future__ import annotations

import base64
import datetime
import decimal
import json
import logging
import pickle
import uuid
from typing import Any, Callable, NamedTuple, Optional

_LOG = logging.getLogger("kombu_emulator")

JSON, PICKLE, TEXT, BINARY = (
    "application/json", "application/x-python-serialize", "text/plain", "application/octet-stream")

#: Content types that a serializer makes.
SERIALIZED = frozenset({JSON, PICKLE})

_SERIALIZERS = {"json": JSON, JSON: JSON, "pickle": PICKLE, PICKLE: PICKLE}

_pickle_from_anyone = False


class Encoded(NamedTuple):
    """A body on its way."""

    data: bytes
    content_type: str
    content_encoding: str


def enable_insecure_serializers() -> None:
    """Lets this process read pickled bodies from any broker, and so whoever may publish there run
    any code in it. From the process's own private broker they are read anyway."""
    global _pickle_from_anyone
    _pickle_from_anyone = True


def encode(body: Any, serializer: Optional[str] = None) -> Encoded:
    """`body` as bytes; `serializer`: ``json`` (default) or ``pickle``, for what is neither bytes
    nor text.

    TypeError: the serializer cannot take such a body. ValueError: there is no such serializer.
    """
    content_type = _SERIALIZERS.get(serializer or "json")
    if content_type is None:
        raise ValueError(f"no serializer {serializer!r}; there are 'json' and 'pickle'")
    if isinstance(body, (bytes, bytearray, memoryview)):
        return Encoded(bytes(body), BINARY, "binary")
    if isinstance(body, str):
        return Encoded(body.encode(), TEXT, "utf-8")
    if content_type == PICKLE:
        return Encoded(pickle.dumps(body), PICKLE, "binary")
    return Encoded(to_json(body).encode(), JSON, "utf-8")


def decode(encoded: Encoded, trusted: bool) -> Any:
    """The body. What is of no known type, or not what it says it is, stays bytes.

    trusted: nobody but this process can have published it.
    """
    try:
        if encoded.content_type == JSON:
            return from_json(encoded.data.decode(encoded.content_encoding or "utf-8"))
        if encoded.content_type == TEXT:
            return encoded.data.decode(encoded.content_encoding or "utf-8")
        if encoded.content_type == PICKLE:
            if trusted or _pickle_from_anyone:
                return pickle.loads(encoded.data)
            _LOG.warning("a pickled body is left as bytes: call enable_insecure_serializers() if "
                         "you trust whoever publishes to this broker")
    except Exception as error:
        _LOG.warning("a body that says it is %s is left as bytes: %s", encoded.content_type, error)
    return encoded.data


# JSON.

_KINDS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    tuple: ("tuple", lambda value: [_plain(item) for item in value]),
    set: ("set", lambda value: [_plain(item) for item in value]),
    frozenset: ("frozenset", lambda value: [_plain(item) for item in value]),
    bytes: ("base64", lambda value: base64.b64encode(value).decode()),
    bytearray: ("bytearray", lambda value: base64.b64encode(value).decode()),
    complex: ("complex", lambda value: [value.real, value.imag]),
    datetime.datetime: ("datetime", datetime.datetime.isoformat),
    datetime.date: ("date", datetime.date.isoformat),
    datetime.time: ("time", datetime.time.isoformat),
    datetime.timedelta: ("timedelta", lambda value: [value.days, value.seconds,
                                                     value.microseconds]),
    decimal.Decimal: ("decimal", str),
    uuid.UUID: ("uuid", lambda value: {"hex": value.hex}),
}

# For what is derived from them. str(value) may be something else, as it is of enumerations.
_BASES: dict[type, Callable[[Any], Any]] = {
    str: str.__str__, int: int, float: float, dict: dict, list: list, tuple: tuple, set: set,
    frozenset: frozenset, bytes: bytes,
}

_MAKERS: dict[str, Callable[[Any], Any]] = {
    "dict": dict,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "base64": base64.b64decode,
    "bytearray": lambda value: bytearray(base64.b64decode(value)),
    "complex": lambda value: complex(*value),
    "datetime": datetime.datetime.fromisoformat,
    "date": lambda value: datetime.datetime.fromisoformat(value).date(),
    "time": datetime.time.fromisoformat,
    "timedelta": lambda value: datetime.timedelta(*value),
    "decimal": decimal.Decimal,
    "uuid": lambda value: uuid.UUID(**value),
}


def to_json(value: Any) -> str:
    """TypeError: there is something in it that has no form in JSON."""
    return json.dumps(_plain(value), ensure_ascii=False)


def from_json(text: str) -> Any:
    """ValueError: it is no JSON."""
    return json.loads(text, object_hook=_made)


def _plain(value: Any) -> Any:
    kind = type(value)
    if value is None or kind in (str, int, float, bool):
        return value
    if kind is dict:
        if all(type(key) is str for key in value) and "__type__" not in value:
            return {key: _plain(item) for key, item in value.items()}
        return _tagged("dict", [[_plain(key), _plain(item)] for key, item in value.items()])
    if kind is list:
        return [_plain(item) for item in value]
    found = _KINDS.get(kind)
    if found is not None:
        return _tagged(found[0], found[1](value))
    for base, plain in _BASES.items():
        if isinstance(value, base):
            return _plain(plain(value))
    raise TypeError(
        f"JSON cannot bring back {kind.__module__}.{kind.__qualname__} as it was: {value!r}; "
        "publish plain data, or with serializer='pickle'")


def _tagged(name: str, value: Any) -> dict[str, Any]:
    return {"__type__": name, "__value__": value}


def _made(entries: dict[str, Any]) -> Any:
    if entries.keys() == {"__type__", "__value__"}:
        maker = _MAKERS.get(entries["__type__"])
        if maker is not None:
            return maker(entries["__value__"])
    return entries
