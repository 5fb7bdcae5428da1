"""Every kind of typed value, there and back."""
import datetime
import decimal

import kelpmq
import pytest
from kelpmq._values import from_value, to_value

UTC = datetime.timezone.utc

KINDS = {
    "string_value": ["", "text", "snowman ☃", "\0"],
    "int64_value": [0, -1, 2**63 - 1, -2**63, 2**53 + 1],
    "bool_value": [True, False],
    "double_value": [0.0, 1.5, -2.5e300, float("inf")],
    "table_value": [{}, {"a": 1, "b": {"c": [None]}}],
    "array_value": [[], [1, "a", None, [2.5], {"x": b"y"}]],
    "bytes_value": [b"", b"\xff\0"],
    "timestamp_value": [datetime.datetime(1970, 1, 1, tzinfo=UTC),
                        datetime.datetime(2026, 11, 26, 1, 2, 3, tzinfo=UTC),
                        kelpmq.Timestamp(2**63)],
    "null_value": [None],
    "int32_value": [kelpmq.Int32(-2**31), kelpmq.Int32(2**31 - 1)],
    "int16_value": [kelpmq.Int16(-2**15), kelpmq.Int16(2**15 - 1)],
    "int8_value": [kelpmq.Int8(-128), kelpmq.Int8(127)],
    "uint8_value": [kelpmq.UInt8(0), kelpmq.UInt8(255)],
    "uint16_value": [kelpmq.UInt16(0), kelpmq.UInt16(2**16 - 1)],
    "uint32_value": [kelpmq.UInt32(0), kelpmq.UInt32(2**32 - 1)],
    "float_value": [kelpmq.Float32(1.5)],
    "decimal_value": [decimal.Decimal("0"), decimal.Decimal("1.50"), decimal.Decimal("42.949")],
    "raw_string_value": [kelpmq.RawString(b"\xff")],
}
ALL = [(kind, value) for kind, values in KINDS.items() for value in values]


def test_every_kind_is_here():
    assert set(KINDS) == {field.name for field in to_value(1).DESCRIPTOR.fields}


@pytest.mark.parametrize("kind, value", ALL)
def test_a_value_comes_back_as_it_was(kind, value):
    encoded = to_value(value)
    assert encoded.WhichOneof("kind") == kind
    decoded = from_value(encoded)
    assert decoded == value
    assert type(decoded) is type(value)
    assert str(to_value(decoded)) == str(encoded)


@pytest.mark.parametrize("value, same", [
    (bytearray(b"a"), b"a"), (memoryview(b"a"), b"a"), ((1, 2), [1, 2]),
    (datetime.datetime(2026, 1, 1), datetime.datetime(2026, 1, 1, tzinfo=UTC)),
    (datetime.datetime(1970, 1, 1, 0, 0, 1, 999_999, tzinfo=UTC),
     datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
    (datetime.datetime.max, datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    (decimal.Decimal("1E+2"), decimal.Decimal(100)),
])
def test_what_is_like_a_value_is_sent_as_one(value, same):
    assert from_value(to_value(value)) == same


@pytest.mark.parametrize("value", [
    2**63, -2**63 - 1, decimal.Decimal("-1"), decimal.Decimal("NaN"), decimal.Decimal(2**32)])
def test_what_is_out_of_range_is_refused(value):
    with pytest.raises(ValueError):
        to_value(value)


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, [object()]])
def test_what_amqp_has_no_type_for_is_refused(value):
    with pytest.raises(TypeError):
        to_value(value)


def test_keys_of_a_table_are_text():
    with pytest.raises(TypeError):
        to_value({1: 2})
