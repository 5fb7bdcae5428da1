"""Header tables between Python and `kelpmq.v1.Value`, with the types that py-amqp sends."""
from __future__ import annotations

import calendar
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Callable, Mapping

from amqp.exceptions import FrameSyntaxError

_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1
_SIGN = 1 << 31
_UINT32 = (1 << 32) - 1


def put(value: Any, target: Any) -> None:
    """Writes `value` into the `Value` message `target`.

    Raises amqp.exceptions.FrameSyntaxError for a type or a number that AMQP tables cannot hold.
    """
    kind = type(value)
    if kind is str:
        try:
            target.string_value = value
        except ValueError:  # A lone surrogate: no UTF-8.
            target.raw_string_value = value.encode("utf-8", "surrogatepass")
    elif kind is bool:
        target.bool_value = value
    elif kind is int:
        if not _INT64_MIN <= value <= _INT64_MAX:
            raise FrameSyntaxError(f"{value} does not fit into 64 bits")
        target.int64_value = value
    elif value is None:
        target.null_value = 0
    elif kind is float:
        target.double_value = value
    elif kind is dict:
        target.table_value.SetInParent()
        put_table(value, target.table_value.fields)
    elif kind is list or kind is tuple:
        target.array_value.SetInParent()
        add = target.array_value.values.add
        for element in value:
            put(element, add())
    else:
        _put_rarely(value, target)


def _put_rarely(value: Any, target: Any) -> None:
    """Types that are rare in headers, and subclasses of those that are not."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        target.bytes_value = bytes(value)
    elif isinstance(value, datetime):
        target.timestamp_value = calendar.timegm(value.utctimetuple())
    elif isinstance(value, Decimal):
        _put_decimal(value, target.decimal_value)
    else:
        plain: Any
        for plain in (str, int, float, dict, list, tuple):
            if isinstance(value, plain):
                return put(plain(value), target)
        raise FrameSyntaxError(f"a table cannot hold {type(value).__name__} {value!r}")


def _put_decimal(value: Decimal, target: Any) -> None:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or exponent > 0 or exponent < -255:
        raise FrameSyntaxError(f"a table cannot hold the decimal {value}")
    unscaled = int("".join(map(str, digits)))
    if unscaled >= _SIGN:
        raise FrameSyntaxError(f"the decimal {value} has too many digits")
    target.SetInParent()
    target.scale = -exponent
    target.unscaled = (-unscaled if sign else unscaled) & _UINT32  # Signed, as py-amqp writes it.


def put_table(table: Mapping[str, Any], fields: Any) -> None:
    """Writes `table` into the map `fields`, a `map<string, Value>`."""
    for key, value in table.items():
        put(value, fields[key if type(key) is str else str(key)])


def get(value: Any) -> Any:
    """What the `Value` message holds. Timestamps are naive and in UTC."""
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    found = getattr(value, kind)
    convert = _CONVERT.get(kind)
    return found if convert is None else convert(found)


def get_table(fields: Any) -> dict[str, Any]:
    """The map `fields`, a `map<string, Value>`, as a dictionary."""
    return {key: get(value) for key, value in fields.items()}


def _get_decimal(value: Any) -> Decimal:
    unscaled = value.unscaled - (1 << 32) if value.unscaled >= _SIGN else value.unscaled
    return Decimal(unscaled).scaleb(-value.scale)


def _get_raw_string(value: bytes) -> Any:
    try:
        return value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return value


def _get_timestamp(seconds: int) -> Any:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)
    except (OSError, OverflowError, ValueError):
        return seconds  # No datetime reaches so far; somebody may have sent milliseconds.


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "table_value": lambda table: get_table(table.fields),
    "array_value": lambda array: [get(element) for element in array.values],
    "timestamp_value": _get_timestamp,
    "decimal_value": _get_decimal,
    "raw_string_value": _get_raw_string,
}
