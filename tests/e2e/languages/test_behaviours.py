"""What a program in any language can do with generated stubs alone.

The same for all: the program gets a behaviour, the broker's address and the name of a queue, does it
and prints what came of it. The broker's side is looked at from here.
"""
import wire
from kelpmq.v1 import types_pb2
from kelpmq.v1.types_pb2 import Table, Value, ValueArray

# No header and no tag fits in a double: a language that makes one of them is found out.
ODD_64_BIT = 2**53 + 1
HEADERS = {
    "string": Value(string_value="héllo ✓"),
    "int64": Value(int64_value=-2**63),
    "bool": Value(bool_value=True),
    "double": Value(double_value=0.1),
    "table": Value(table_value=Table(fields={"inner": Value(string_value="deep")})),
    "array": Value(array_value=ValueArray(
        values=[Value(string_value="one"), Value(int64_value=ODD_64_BIT)])),
    "bytes": Value(bytes_value=b"\x00\xff\x10"),
    "timestamp": Value(timestamp_value=ODD_64_BIT),
    "null": Value(null_value=0),
    "int32": Value(int32_value=-2**31),
    "int16": Value(int16_value=-2**15),
    "int8": Value(int8_value=-2**7),
    "uint8": Value(uint8_value=2**8 - 1),
    "uint16": Value(uint16_value=2**16 - 1),
    "uint32": Value(uint32_value=2**32 - 1),
    "float": Value(float_value=0.1),
    "decimal": Value(decimal_value=types_pb2.Decimal(scale=2, unscaled=12345)),
    "raw_string": Value(raw_string_value=b"\xff\xfe"),
}


def test_publish_subscribe_ack(run, broker, client):
    """It declares the queue, publishes three messages, subscribes and acknowledges them."""
    queue = wire.new_name("work")
    lines = run("publish_subscribe_ack", broker.address, queue).rest()
    assert lines == ["one", "two", "three", "acknowledged 3"]
    # A message without its ack would be back by now, or soon, as the stream is over.
    wire.until(lambda: client.queue(queue).consumer_count == 0, "the consumer is gone")
    assert (client.ready(queue), client.queue(queue).messages_unacked) == (0, 0)


def test_typed_error(run, broker):
    """It publishes to an exchange that is not there: status code, reason and AMQP's code."""
    lines = run("typed_error", broker.address, wire.new_name("nowhere")).rest()
    assert lines == ["NOT_FOUND EXCHANGE_NOT_FOUND 404"]


def test_values(run, broker, client):
    """It publishes a header of every kind, gets the message, and publishes what it got."""
    queue = wire.new_name("values")
    assert run("values", broker.address, queue).rest() == [f"{len(HEADERS)} headers"]
    [delivery] = client.get(queue, auto_ack=True, max_messages=2).deliveries
    assert dict(delivery.message.headers) == HEADERS


def test_values_knows_every_kind():
    kinds = {field.name for field in Value.DESCRIPTOR.oneofs_by_name["kind"].fields}
    assert {value.WhichOneof("kind") for value in HEADERS.values()} == kinds


def test_tag64(run, broker, client):
    """On a Consume stream it acknowledges two tags that it never got, and is told which."""
    assert run("tag64", broker.address, client.declare()).rest() == [
        "request 18446744073709551615",
        "9007199254740993 SETTLE_FAILURE_REASON_UNKNOWN_TAG",
        "18446744073709551613 SETTLE_FAILURE_REASON_UNKNOWN_TAG"]


def test_restart(run, mortal_broker):
    """Its broker is killed and comes back with nothing: it declares, publishes, consumes again."""
    program = run("restart", mortal_broker.address, "jobs")
    assert program.line() == "life 1"
    mortal_broker.kill_and_restart()
    assert program.rest() == ["life 2"]
