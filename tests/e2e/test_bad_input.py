"""Malformed and extreme requests, byte by byte, on every RPC.

Whatever comes, the broker answers OK or an error with a reason, goes on, and leaves other streams
alone: canary streams, on the same connection and on another one, must get every message meanwhile.
"""
import itertools
import random

import grpc
import pytest
import wire
from google.protobuf import descriptor_pool, message_factory
from kelpmq.v1 import admin_pb2, messaging_pb2 as pb, topology_pb2, types_pb2

SEED = 20250731
MUTATIONS = 60  # Of each RPC.
CALL_SECONDS = 10
CANARY_VHOST = "canary-of-bad-input"
INVALID = grpc.StatusCode.INVALID_ARGUMENT
MALFORMED = (INVALID, "MALFORMED_REQUEST")
NOT_BUILT = (grpc.StatusCode.UNIMPLEMENTED, "FEATURE_UNSUPPORTED")  # Answered without parsing.

METHODS = [
    method for service in ("Messaging", "Topology", "Session", "Admin")
    for method in descriptor_pool.Default().FindServiceByName(f"kelpmq.v1.{service}Service").methods]
UNARY = [m for m in METHODS if not m.client_streaming]
STREAMING = [m for m in METHODS if m.client_streaming]


def method_id(method):
    return method.full_name.removeprefix("kelpmq.v1.")


# Sending bytes.


def path(method) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def outcome(error: grpc.RpcError) -> tuple[grpc.StatusCode, str]:
    return error.code(), wire.reason_of(error)


def call(client, method, request: bytes) -> tuple[grpc.StatusCode, str]:
    """Code and reason of an RPC with one request; a stream of responses is left after the first."""
    try:
        if method.server_streaming:
            responses = client.channel.unary_stream(path(method))(request, timeout=CALL_SECONDS)
            next(responses, None)
            responses.cancel()
        else:
            client.channel.unary_unary(path(method))(request, timeout=CALL_SECONDS)
    except grpc.RpcError as error:
        return outcome(error)
    return grpc.StatusCode.OK, ""


def call_stream(client, method, *requests: bytes) -> tuple[grpc.StatusCode, str]:
    """Code and reason of a stream that sends `requests` and half-closes."""
    responses = client.channel.stream_stream(path(method))(iter(requests), timeout=CALL_SECONDS)
    try:
        for _ in responses:
            pass
    except grpc.RpcError as error:
        return outcome(error)
    return responses.code(), ""


def acceptable(result) -> bool:
    """OK, or an error that the broker explains; gRPC itself refuses only what is too large."""
    code, reason = result
    return code in (grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED) or bool(reason) and (
        code not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL))


# Making bytes.


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def tagged(number: int, wire_type: int, content: bytes = b"") -> bytes:
    return varint(number << 3 | wire_type) + content


def blob(number: int, content: bytes) -> bytes:
    return tagged(number, 2, varint(len(content)) + content)


def plausible(descriptor, rng: random.Random, depth: int = 0):
    """A request with most fields set. Names are such that requests touch each other's things."""
    message = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if rng.random() < 0.25 or depth > 4:
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            target = getattr(message, field.name)
            key = rng.choice(["a", "x-match", "x-expires", "x-max-length", "CC"])
            if field.message_type.fields_by_name["value"].message_type:
                target[key].CopyFrom(plausible(
                    field.message_type.fields_by_name["value"].message_type, rng, depth + 1))
            else:
                target[key] = "v"
        elif field.message_type:
            sub = plausible(field.message_type, rng, depth + 1)
            if field.is_repeated:
                getattr(message, field.name).append(sub)
            else:
                getattr(message, field.name).CopyFrom(sub)
        else:
            value = scalar(field, rng)
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)
    return message


def scalar(field, rng: random.Random):
    if field.enum_type:
        return rng.choice([0, 1, 2, 3])
    if field.type == field.TYPE_STRING:
        return "" if field.name == "vhost" else rng.choice(["", "a", "b", "direct", "topic"])
    if field.type == field.TYPE_BYTES:
        return rng.randbytes(rng.randrange(8))
    if field.type == field.TYPE_BOOL:
        return rng.random() < 0.5
    if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return rng.random()
    if field.containing_type.full_name == "google.protobuf.Duration":
        return rng.choice([-1, 0, 0, 0, 999_999_999, 2**31 - 1]) if field.name == "nanos" else (
            rng.choice([-1, 0, 0, 0, 2**31, 2**40]))
    return rng.choice([0, 1, 2, 3, 127, 255])


def mutated(request: bytes, rng: random.Random) -> bytes:
    data = bytearray(request)
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            data[place:place] = rng.randbytes(rng.randrange(1, 5))
        elif kind == 1:
            del data[place:place + rng.randrange(1, 5)]
        elif kind == 2:
            del data[place:]
        elif kind == 3 and data:
            data[place % len(data)] ^= 1 << rng.randrange(8)
        else:
            data[place:place] = data[place:place + rng.randrange(40)]
    return bytes(data)


def unparsable(method):
    """(what, bytes) that no protobuf parser takes, whatever the message."""
    yield "a tag cut off", b"\xff"
    yield "a length cut off", tagged(1, 2)
    yield "content cut off", tagged(1, 2, varint(100) + b"short")
    yield "a length over the end", tagged(1, 2, varint(2**31 - 1))
    yield "a varint of 11 bytes", tagged(100, 0, b"\xff" * 10 + b"\x01")
    yield "an endless varint", tagged(100, 0, b"\xff" * 64)
    yield "field number 0", tagged(0, 0, b"\x01")
    yield "a group without end", tagged(100, 3)
    yield "an end without group", tagged(100, 4)
    yield "wire type 6", tagged(100, 6)
    yield "wire type 7", tagged(100, 7)
    yield "a fixed64 cut off", tagged(100, 1, b"\x00" * 7)
    yield "a fixed32 cut off", tagged(100, 5, b"\x00" * 3)
    for field in method.input_type.fields:
        if field.type == field.TYPE_STRING:
            yield f"invalid UTF-8 in {field.name}", blob(field.number, b"ok\xff\xfe")
        elif field.message_type:
            yield f"an unparsable {field.name}", blob(field.number, b"\xff")


# Canaries.


class Canary:
    """A consumer that must get what is published for it, in order, on a stream that never ends."""

    def __init__(self, client):
        self._client = client
        self._numbers = itertools.count()
        self._queue = wire.new_name("canary")
        client.declare(self._queue, vhost=CANARY_VHOST)
        self._stream = wire.ConsumeStream.open(client, vhost=CANARY_VHOST)
        self._stream.start(self._queue)

    def sing(self):
        sent = str(next(self._numbers))
        self._client.messaging.Publish(pb.PublishRequest(
            vhost=CANARY_VHOST, routing_key=self._queue, message=wire.message(sent),
            mandatory=True), timeout=wire.PATIENCE)
        [delivery] = self._stream.deliveries(1)
        assert (delivery.message.body.decode(), delivery.redelivered) == (sent, False)
        self._stream.settle(delivery_tags=[delivery.delivery_tag])


@pytest.fixture(scope="module")
def attacker(broker):
    client = wire.Client(broker.address)
    yield client
    client.close()


@pytest.fixture(scope="module")
def canaries(broker, attacker):
    attacker.admin.PutVhost(admin_pb2.PutVhostRequest(vhost=admin_pb2.Vhost(name=CANARY_VHOST)))
    bystander = wire.Client(broker.address)
    yield [Canary(attacker), Canary(bystander)]
    bystander.close()


@pytest.fixture(autouse=True)
def others_are_unharmed(broker, canaries):
    for canary in canaries:
        canary.sing()
    yield
    assert broker.alive()
    for canary in canaries:
        canary.sing()


# The tests.


@pytest.mark.parametrize("method", UNARY, ids=method_id)
def test_unparsable_requests_are_malformed(attacker, method):
    for what, request in unparsable(method):
        assert call(attacker, method, request) in (MALFORMED, NOT_BUILT), what


@pytest.mark.parametrize("method", STREAMING, ids=method_id)
def test_unparsable_messages_end_a_stream_as_malformed(attacker, method):
    for what, request in unparsable(method):
        assert call_stream(attacker, method, request) == MALFORMED, what
        assert call_stream(attacker, method, b"", request) == MALFORMED, f"second: {what}"


@pytest.mark.parametrize("method", UNARY, ids=method_id)
def test_an_empty_request_gets_an_answer(attacker, method):
    assert acceptable(call(attacker, method, b""))


@pytest.mark.parametrize("method", STREAMING, ids=method_id)
def test_empty_messages_and_an_empty_stream_get_an_answer(attacker, method):
    assert acceptable(call_stream(attacker, method))
    assert acceptable(call_stream(attacker, method, b"", b""))


@pytest.mark.parametrize("method", METHODS, ids=method_id)
def test_wrong_wire_types_and_unknown_fields_get_an_answer(attacker, method):
    send = call_stream if method.client_streaming else call
    for field in method.input_type.fields:
        for wire_type, content in ((0, b"\x01"), (1, b"\x01" * 8), (2, b"\x02hi"), (5, b"\x01" * 4)):
            result = send(attacker, method, tagged(field.number, wire_type, content))
            assert acceptable(result), (field.name, wire_type, result)
    assert acceptable(send(attacker, method, blob(536_870_911, b"unknown")))


@pytest.mark.parametrize("method", METHODS, ids=method_id)
def test_mutated_requests_get_an_answer(attacker, method):
    rng = random.Random(f"{SEED} {method.full_name}")
    send = call_stream if method.client_streaming else call
    for _ in range(MUTATIONS):
        valid = plausible(method.input_type, rng).SerializeToString()
        for request in (valid, mutated(valid, rng)):
            result = send(attacker, method, request)
            assert acceptable(result), (result, request)


@pytest.mark.parametrize("method", UNARY, ids=method_id)
def test_every_prefix_of_a_request_gets_an_answer(attacker, method):
    rng = random.Random(f"{SEED} {method.full_name}")
    request = plausible(method.input_type, rng).SerializeToString()
    for length in range(0, len(request), max(1, len(request) // 40)):
        assert acceptable(call(attacker, method, request[:length])), request[:length]


@pytest.mark.parametrize("method", METHODS, ids=method_id)
def test_long_strings_get_an_answer(attacker, method):
    send = call_stream if method.client_streaming else call
    for field in method.input_type.fields:
        if field.type == field.TYPE_STRING:
            for length in (255, 256, 100_000):
                result = send(attacker, method, blob(field.number, b"n" * length))
                assert acceptable(result), (field.name, length, result)


NAMED = [
    ("Messaging.Publish", pb.PublishRequest, "exchange"),
    ("Messaging.Publish", pb.PublishRequest, "routing_key"),
    ("Messaging.Publish", pb.PublishRequest, "vhost"),
    ("Messaging.PublishBatch", pb.PublishBatchRequest, "vhost"),
    ("Messaging.Get", pb.GetRequest, "queue"),
    ("Messaging.Get", pb.GetRequest, "vhost"),
    ("Topology.DeclareExchange", topology_pb2.DeclareExchangeRequest, "name"),
    ("Topology.DeclareQueue", topology_pb2.DeclareQueueRequest, "name"),
    ("Topology.BindQueue", topology_pb2.BindQueueRequest, "queue"),
    ("Topology.BindQueue", topology_pb2.BindQueueRequest, "exchange"),
    ("Topology.BindQueue", topology_pb2.BindQueueRequest, "routing_key"),
    ("Topology.BindExchange", topology_pb2.BindExchangeRequest, "source"),
]


@pytest.mark.parametrize("name, request_type, field", NAMED, ids=lambda x: str(x))
def test_LIMIT_01_names_have_at_most_255_bytes(attacker, name, request_type, field):
    service, rpc = name.split(".")
    method = descriptor_pool.Default().FindMethodByName(f"kelpmq.v1.{service}Service.{rpc}")
    for text, too_long in (("n" * 255, False), ("n" * 256, True), ("ä" * 127 + "n", False),
                           ("ä" * 128, True)):
        code, reason = call(attacker, method, request_type(**{field: text}).SerializeToString())
        assert (reason in ("INVALID_NAME", "INVALID_VALUE")) == too_long, (text, code, reason)


def nested(depth: int) -> types_pb2.Value:
    value = types_pb2.Value(int32_value=1)
    for _ in range(depth):
        value = types_pb2.Value(table_value=types_pb2.Table(fields={"k": value}))
    return value


def deep_bytes(depth: int) -> bytes:
    """A Value of nested arrays, deeper than a protobuf library would make one."""
    value = b"\x08\x00"
    for _ in range(depth):
        value = blob(6, blob(1, value))
    return value


def test_tables_may_be_16_deep_but_not_17(attacker):
    for depth, reason in ((15, ""), (16, ""), (17, "HEADERS_TOO_LARGE")):
        response = attacker.messaging.PublishBatch(pb.PublishBatchRequest(items=[
            pb.PublishItem(message=wire.message(headers={"h": nested(depth)}))]))
        assert [f.reason for f in response.failures] == ([reason] if reason else []), depth


def test_arguments_that_are_too_deep_are_refused(attacker):
    for request in (lambda: attacker.declare(arguments={"a": nested(17)}),
                    lambda: attacker.declare_exchange("headers", arguments={"a": nested(17)}),
                    lambda: attacker.bind("q", "amq.headers", arguments={"a": nested(17)})):
        with pytest.raises(grpc.RpcError) as info:
            request()
        assert info.value.code() == INVALID and wire.reason_of(info.value)


@pytest.mark.parametrize("depth", [50, 101, 1000, 20_000])
def test_absurdly_deep_values_do_not_exhaust_the_stack(attacker, depth):
    header = blob(1, b"h") + blob(2, deep_bytes(depth))
    request = blob(4, blob(2, header))  # PublishRequest.message.headers
    publish = descriptor_pool.Default().FindMethodByName("kelpmq.v1.MessagingService.Publish")
    code, reason = call(attacker, publish, request)
    assert (code, bool(reason)) == (INVALID, True), reason
    declare = descriptor_pool.Default().FindMethodByName("kelpmq.v1.TopologyService.DeclareQueue")
    field = declare.input_type.fields_by_name["arguments"].number
    code, reason = call(attacker, declare, blob(field, header))
    assert (code, bool(reason)) == (INVALID, True), reason


def test_LIMIT_02_a_body_of_five_mebibytes_is_refused_by_grpc(attacker):
    with pytest.raises(grpc.RpcError) as info:
        attacker.publish("q", b"x" * (5 << 20))
    assert info.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    stream = wire.Stream.two_way(attacker.messaging.PublishStream, pb.PublishStreamRequest(
        items=[pb.PublishItem(message=wire.message(b"x" * (5 << 20)))]))
    assert stream.end()[0] == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_10_001_items_are_too_many(attacker):
    items = [pb.PublishItem()] * 10_001
    with pytest.raises(grpc.RpcError) as info:
        attacker.messaging.PublishBatch(pb.PublishBatchRequest(items=items))
    assert info.value.code() == INVALID and wire.reason_of(info.value)
    stream = wire.Stream.two_way(
        attacker.messaging.PublishStream, pb.PublishStreamRequest(items=items))
    code, reason = stream.end()
    assert code == INVALID and reason


@pytest.mark.parametrize("value", [
    types_pb2.Value(), types_pb2.Value(int8_value=128), types_pb2.Value(int16_value=-32_769),
    types_pb2.Value(uint8_value=256), types_pb2.Value(uint16_value=65_536),
    types_pb2.Value(decimal_value=types_pb2.Decimal(scale=256)),
    types_pb2.Value(array_value=types_pb2.ValueArray(values=[types_pb2.Value()]))], ids=repr)
def test_values_outside_their_width_are_invalid(attacker, value):
    with wire.fails(INVALID, "INVALID_VALUE"):
        attacker.messaging.Publish(pb.PublishRequest(message=wire.message(headers={"h": value})))
    with wire.fails(INVALID, "INVALID_VALUE"):
        attacker.declare(arguments={"a": value})


def test_headers_over_64_kibibytes_are_too_large(attacker):
    with wire.fails(INVALID, "HEADERS_TOO_LARGE"):
        attacker.messaging.Publish(pb.PublishRequest(message=wire.message(
            headers={"h": types_pb2.Value(string_value="x" * 65_536)})))


def test_a_million_settled_ranges_do_no_harm(attacker):
    """Ranges are cheap to send, so they must be cheap to handle."""
    name = attacker.declare()
    attacker.publish(name, "a")
    stream = wire.ConsumeStream.open(attacker)
    stream.start(name)
    stream.deliveries(1)
    huge = types_pb2.TagRange(first=1, last=2**63)
    answer = stream.settle(ranges=[huge] * 1000)
    assert answer.failures
    stream.ping()
    stream.break_off()


def test_half_open_streams_do_no_harm(broker, canaries):
    """Streams that were opened and say nothing, or that say half of it and vanish."""
    lost = wire.Client(broker.address)
    silent = [lost.channel.stream_stream(path(method))(iter(wire.queue.SimpleQueue().get, None))
              for method in STREAMING for _ in range(50)]
    names = [lost.declare() for _ in range(20)]
    talking = []
    for name in names:
        stream = wire.ConsumeStream.open(lost)
        stream.ask(start=pb.ConsumerSpec(queue=name))
        stream.ask(get=pb.StreamGet(request_id=1, queue=name))
        talking.append(stream)
    for canary in canaries:
        canary.sing()
    for stream in talking[::2]:
        stream.call.cancel()
    for stream in silent[::2]:
        stream.cancel()
    lost.close()
    other = wire.Client(broker.address)
    wire.until(lambda: all(other.queue(n).consumer_count == 0 for n in names), "consumers are gone")
    other.close()
