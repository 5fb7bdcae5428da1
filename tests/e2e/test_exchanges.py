"""Alternate exchanges, sender-selected keys, and the exchange types that are plug-ins elsewhere."""
import collections

import grpc
import pytest
import wire
from google.protobuf import timestamp_pb2
from kelpmq.v1 import messaging_pb2 as pb
from kelpmq.v1 import types_pb2

FAILED = grpc.StatusCode.FAILED_PRECONDITION


def value(content) -> types_pb2.Value:
    if isinstance(content, list):
        return types_pb2.Value(array_value=types_pb2.ValueArray(values=map(value, content)))
    if isinstance(content, bool):
        return types_pb2.Value(bool_value=content)
    if isinstance(content, int):
        return types_pb2.Value(int64_value=content)
    return types_pb2.Value(string_value=content)


def publish(client, exchange, key="", body="m", mandatory=False, headers=None, **fields):
    message = wire.message(body, headers={name: value(v) for name, v in (headers or {}).items()})
    return client.messaging.Publish(pb.PublishRequest(
        exchange=exchange, routing_key=key, message=message, mandatory=mandatory, **fields),
        timeout=wire.PATIENCE)


def drain(client, queue):
    return client.get(queue, max_messages=1000, auto_ack=True).deliveries


def bound_queue(client, exchange, key="", **fields):
    name = client.declare()
    client.bind(name, exchange, key, **fields)
    return name


def after(now: int, seconds: int) -> timestamp_pb2.Timestamp:
    time = timestamp_pb2.Timestamp()
    time.FromNanoseconds(now + seconds * 10**9)
    return time


# Alternate exchanges, mandatory.


def test_AE_01_what_finds_no_queue_goes_to_the_alternate_exchange(client):
    lost_exchange = client.declare_exchange("fanout")
    lost = bound_queue(client, lost_exchange)
    exchange = client.declare_exchange("direct", alternate_exchange=lost_exchange)
    bound_queue(client, exchange, "known")
    assert publish(client, exchange, "known").queue_count == 1
    assert publish(client, exchange, "unknown").queue_count == 1
    [delivery] = drain(client, lost)
    assert (delivery.exchange, delivery.routing_key) == (exchange, "unknown")


def test_AE_02_mandatory_is_content_with_the_alternate_exchange(client):
    lost_exchange = client.declare_exchange("direct")
    bound_queue(client, lost_exchange, "a")
    exchange = client.declare_exchange("direct", alternate_exchange=lost_exchange)
    assert publish(client, exchange, "a", mandatory=True).queue_count == 1
    with wire.fails(FAILED, "NO_ROUTE"):
        publish(client, exchange, "b", mandatory=True)


def test_AE_06_a_match_of_CC_leaves_the_alternate_exchange_alone(client):
    lost_exchange = client.declare_exchange("fanout")
    lost = bound_queue(client, lost_exchange)
    exchange = client.declare_exchange("direct", alternate_exchange=lost_exchange)
    queue = bound_queue(client, exchange, "a")
    publish(client, exchange, "none", headers={"BCC": ["a"]})
    assert (client.ready(queue), client.ready(lost)) == (1, 0)


def test_MAND_02_one_queue_by_BCC_is_enough(client):
    queue = client.declare()
    assert publish(client, "", "none", mandatory=True, headers={"BCC": [queue]}).queue_count == 1


# CC and BCC.


def test_CC_01_further_keys_route_and_CC_02_BCC_is_not_delivered(client):
    exchange = client.declare_exchange("topic")
    queues = [bound_queue(client, exchange, key) for key in ("a.*", "*.b", "#.c")]
    publish(client, exchange, "a.x", headers={"CC": ["x.b"], "BCC": ["x.c"], "other": "stays"})
    for queue in queues:
        [delivery] = drain(client, queue)
        assert delivery.routing_key == "a.x"
        assert dict(delivery.message.headers) == {"CC": value(["x.b"]), "other": value("stays")}


def test_CC_03_one_copy_per_queue(client):
    queue = client.declare()
    publish(client, "", queue, headers={"CC": [queue, queue], "BCC": [queue]})
    assert len(drain(client, queue)) == 1


def test_CC_04_a_CC_that_is_no_array_is_invalid(client):
    with wire.fails(FAILED, "INVALID_HEADER"):
        publish(client, "", "q", headers={"CC": "q"})


def test_CC_05_routed_by_CC_alone_counts_as_routed(client):
    queue = client.declare()
    assert publish(client, "", "none", mandatory=True, headers={"CC": [queue]}).queue_count == 1


# Plug-in types.


def test_PLUG_01_consistent_hash_spreads_by_key(client):
    exchange = client.declare_exchange("x-consistent-hash")
    queues = [bound_queue(client, exchange, "1") for _ in range(3)]
    for number in [*range(300)] * 2:
        assert publish(client, exchange, f"key-{number}").queue_count == 1
    for queue in queues:
        keys = collections.Counter(d.routing_key for d in drain(client, queue))
        assert len(keys) > 50 and set(keys.values()) == {2}


def test_PLUG_02_a_weight_is_a_number(client):
    exchange = client.declare_exchange("x-consistent-hash")
    with wire.fails(FAILED, "INVALID_ARGUMENT_VALUE"):
        bound_queue(client, exchange, "heavy")


@pytest.mark.parametrize("type", ["x-modulus-hash", "x-random", "x-local-random"])
def test_PLUG_03_and_PLUG_04_one_queue_for_each_message(client, type):
    exchange = client.declare_exchange(type)
    queues = [bound_queue(client, exchange) for _ in range(2)]
    for number in range(60):
        assert publish(client, exchange, f"key-{number}").queue_count == 1
    counts = [len(drain(client, queue)) for queue in queues]
    assert sum(counts) == 60 and all(counts)


def test_PLUG_05_a_new_queue_gets_the_recent_history(client):
    exchange = client.declare_exchange("x-recent-history", arguments={
        "x-recent-history-length": value(2)})
    for body in "abc":
        publish(client, exchange, body=body)
    publish(client, exchange, body="-", headers={"x-recent-history-no-store": True})
    queue = bound_queue(client, exchange)
    publish(client, exchange, body="d")
    assert wire.bodies(drain(client, queue)) == ["b", "c", "d"]


def test_an_unknown_type_is_refused(client):
    with wire.fails(FAILED, "EXCHANGE_TYPE_UNKNOWN"):
        client.declare_exchange("x-bogus")


# Later delivery.


@pytest.fixture
def delayed(timed):
    return timed.declare_exchange("x-delayed-message", arguments={"x-delayed-type": value("direct")})


def test_PLUG_06_a_delayed_message_comes_after_its_delay(timed, delayed):
    queue = bound_queue(timed, delayed, "k")
    for body, delay in ("late", 2000), ("soon", 1000), ("soon too", 1000), ("now", 0):
        publish(timed, delayed, "k", body=body, headers={"x-delay": delay}, mandatory=True)
    assert wire.bodies(drain(timed, queue)) == ["now"]
    timed.advance(0.999)
    assert not drain(timed, queue)
    timed.advance(0.001)
    deliveries = drain(timed, queue)
    assert wire.bodies(deliveries) == ["soon", "soon too"]
    assert dict(deliveries[0].message.headers) == {"x-delay": value(-1000)}
    timed.advance(100)
    assert wire.bodies(drain(timed, queue)) == ["late"]


def test_PLUG_06_a_delay_may_last_for_years(timed, delayed):
    queue = bound_queue(timed, delayed, "k")
    year = 365 * 24 * 3600
    publish(timed, delayed, "k", headers={"x-delay": 20 * year * 1000})
    timed.advance(20 * year - 1)
    assert not drain(timed, queue)
    timed.advance(1)
    assert len(drain(timed, queue)) == 1


def test_PLUG_06_a_delay_needs_a_type(client):
    with wire.fails(FAILED, "INVALID_ARGUMENT_VALUE"):
        client.declare_exchange("x-delayed-message")


def test_deliver_time_works_with_every_exchange(timed):
    queue = timed.declare()
    now = timed.advance(0)
    assert publish(timed, "", queue, deliver_time=after(now, 5)).queue_count == 0
    assert publish(timed, "", queue, deliver_time=after(now, -5)).queue_count == 1
    batch = timed.messaging.PublishBatch(pb.PublishBatchRequest(items=[
        pb.PublishItem(routing_key=queue, message=wire.message(str(delay)),
                       deliver_time=after(now, delay)) for delay in (3, 1, 2)]))
    assert (batch.accepted_count, batch.unrouted_count) == (3, 0)
    assert len(drain(timed, queue)) == 1
    timed.advance(4)
    assert wire.bodies(drain(timed, queue)) == ["1", "2", "3"]
    timed.advance(1)
    assert len(drain(timed, queue)) == 1


def test_deliver_time_to_an_absent_exchange_fails_at_once(timed):
    with wire.fails(grpc.StatusCode.NOT_FOUND, "EXCHANGE_NOT_FOUND"):
        publish(timed, "absent", "k", deliver_time=after(timed.advance(0), 5))
