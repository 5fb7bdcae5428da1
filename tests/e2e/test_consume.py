"""Consume streams: starting, ending, gets, cancelling, temporary queues, limits."""
import time

import grpc
import pytest
import wire
from google.protobuf import duration_pb2
from kelpmq.v1 import messaging_pb2 as pb
from kelpmq.v1 import topology_pb2, types_pb2

NOT_FOUND, FAILED = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION
INVALID = grpc.StatusCode.INVALID_ARGUMENT
OK = (grpc.StatusCode.OK, "")


def delete(client, name):
    client.topology.DeleteQueue(topology_pb2.DeleteQueueRequest(name=name))


# Starting and ending.


def test_started_tells_the_settings_in_force(client, stream):
    name = client.declare()
    started = stream.start(name, consumer_id=3, consumer_tag="me", prefetch_count=7)
    assert (started.consumer_id, started.consumer_tag, started.queue) == (3, "me", name)
    assert (started.prefetch_count, started.max_response_bytes) == (7, 4_194_304)
    assert started.heartbeat_interval == duration_pb2.Duration(seconds=30)
    assert 0 < len(started.lease_id) <= 64


def test_defaults_are_prefetch_100_and_a_tag_by_the_server(client, stream):
    started = stream.start(client.declare())
    assert started.prefetch_count == 100
    assert started.consumer_tag.startswith("amq.ctag-")


def test_the_first_message_may_be_any_request(client):
    name = client.filled()
    stream = wire.ConsumeStream.two_way(
        client.messaging.Consume, pb.ConsumeRequest(start=pb.ConsumerSpec(queue=name)))
    assert wire.bodies(stream.deliveries(5)) == list("abcde")
    stream.half_close()
    assert stream.end() == OK


def test_a_failing_start_in_the_first_message_ends_the_stream(client):
    stream = wire.ConsumeStream.two_way(
        client.messaging.Consume, pb.ConsumeRequest(start=pb.ConsumerSpec(queue="no-such-queue")))
    assert stream.end() == (NOT_FOUND, "QUEUE_NOT_FOUND")


def test_CONS_02_a_failing_later_start_is_an_event(client, stream):
    cancelled = stream.refused_start(queue="no-such-queue", consumer_id=4)
    assert (cancelled.consumer_id, cancelled.error.reason) == (4, "QUEUE_NOT_FOUND")
    assert cancelled.error.amqp_code == 404
    stream.ping()


def test_options_after_the_first_message_end_the_stream(stream):
    stream.send(pb.ConsumeRequest(options=pb.StreamOptions()))
    assert stream.end() == (INVALID, "FIRST_MESSAGE")


def test_an_unknown_vhost_ends_the_stream(client):
    stream = wire.ConsumeStream.open(client, vhost="no-such-vhost")
    assert stream.end() == (NOT_FOUND, "VHOST_NOT_FOUND")


def test_an_unknown_session_ends_the_stream(client):
    stream = wire.ConsumeStream.open(client, session_id="no-such-session")
    assert stream.end() == (NOT_FOUND, "SESSION_NOT_FOUND")


def test_CONS_03_a_tag_in_use_is_refused_and_free_on_another_stream(client, stream, another):
    name = client.declare()
    stream.start(name, consumer_id=1, consumer_tag="t")
    error = stream.refused_start(queue=name, consumer_id=2, consumer_tag="t").error
    assert (error.reason, error.amqp_code) == ("CONSUMER_TAG_IN_USE", 530)
    another.start(name, consumer_id=1, consumer_tag="t")


def test_an_id_in_use_is_refused(client, stream):
    name = client.declare()
    stream.start(name, consumer_id=1)
    error = stream.refused_start(queue=name, consumer_id=1).error
    assert (error.code, error.reason) == (INVALID.value[0], "CONSUMER_ID_IN_USE")


def test_CONS_04_exclusive_consumers_are_alone(client, stream, another):
    name = client.declare()
    stream.start(name, exclusive=True)
    error = another.refused_start(queue=name).error
    assert (error.reason, error.amqp_code) == ("CONSUMER_EXCLUSIVE", 403)
    assert not client.get(name).deliveries, "getting stays possible"
    stream.break_off()
    wire.until(lambda: client.queue(name).consumer_count == 0, "the consumer is gone")
    another.start(name, consumer_id=1)
    error = another.refused_start(queue=name, consumer_id=2, exclusive=True).error
    assert error.reason == "CONSUMER_EXCLUSIVE"


def test_half_close_applies_settles_and_requeues_the_rest(client, stream):
    name = client.filled()
    stream.start(name)
    stream.deliveries(5)
    stream.ask(settle=pb.Settle(action=pb.SETTLE_ACTION_ACK, delivery_tags=[2, 4]))
    stream.half_close()
    assert stream.end() == OK
    queue = client.queue(name)
    assert (queue.messages_ready, queue.messages_unacked, queue.consumer_count) == (3, 0, 0)
    again = client.get(name, max_messages=9).deliveries
    assert wire.bodies(again) == ["a", "c", "e"] and all(d.redelivered for d in again)


def test_CONS_08_a_broken_stream_requeues_in_place(client, stream):
    name = client.filled()
    stream.start(name, prefetch_count=3)
    stream.deliveries(3)
    stream.break_off()
    again = []
    while len(again) < 5:
        again += client.get(name, wait=wire.PATIENCE, max_messages=9, auto_ack=True).deliveries
    # Whoever gets while the stream dies may see d and e first; nothing is lost or doubled.
    assert sorted(wire.bodies(again)) == list("abcde")
    assert {d.message.body.decode(): d.redelivered for d in again} == {
        "a": True, "b": True, "c": True, "d": False, "e": False}


def test_CONS_08_a_lost_connection_requeues(client, broker):
    name = client.filled()
    lost = wire.Client(broker.address)
    stream = wire.ConsumeStream.open(lost)
    stream.start(name)
    stream.deliveries(5)
    lost.close()
    wire.until(lambda: client.ready(name) == 5, "the messages are back")


# Order of requests, gets.


def test_CHAN_01_errors_leave_the_stream_and_earlier_effects_alone(client, stream):
    name = client.filled()
    stream.start(name, consumer_id=1, prefetch_count=2)
    stream.deliveries(2)
    assert stream.settle(delivery_tags=[99]).failures
    assert stream.get("no-such-queue").error.reason == "QUEUE_NOT_FOUND"
    assert stream.settle(delivery_tags=[1, 2]).settled_count == 2
    assert wire.bodies(stream.deliveries(2)) == ["c", "d"]


def test_ping_is_a_barrier(client, stream):
    name = client.filled()
    stream.start(name, prefetch_count=0)
    for tag in (1, 2, 3, 4, 5):
        stream.ask(settle=pb.Settle(action=pb.SETTLE_ACTION_ACK, delivery_tags=[tag]))
    stream.ping()
    queue = client.queue(name)
    assert (queue.messages_ready, queue.messages_unacked) == (0, 0)


def test_GET_04_tags_run_on_over_consumers_and_gets(client, stream):
    name, other = client.filled("abc"), client.filled("xy")
    stream.start(name, consumer_id=1, prefetch_count=1)
    [first] = stream.deliveries(1)
    got = stream.get(other, auto_ack=True)
    again = stream.get(other)
    assert [first.delivery_tag, got.deliveries[0].delivery_tag,
            again.deliveries[0].delivery_tag] == [1, 2, 3]
    assert (got.message_count, again.message_count) == (1, 0)
    assert stream.settle(delivery_tags=[2]).already_settled_count == 1


def test_GET_05_get_ignores_prefetch(client, stream):
    name = client.filled()
    stream.ask(flow=pb.SetFlow(whole_stream=True, prefetch_count=1))
    stream.start(name, prefetch_count=1)
    stream.deliveries(1)
    assert wire.bodies(stream.get(name, max_messages=3).deliveries) == ["b", "c", "d"]


def test_a_get_on_an_empty_queue_answers(client, stream):
    got = stream.get(client.declare())
    assert not got.deliveries and not got.HasField("error")


# Several consumers, cancelling.


def test_CONS_06_consumers_are_served_in_turn(client, stream, another):
    name = client.declare()
    stream.start(name, consumer_id=1)
    stream.start(name, consumer_id=2)
    another.start(name, consumer_id=3)
    client.publish(name, *"abcdef")
    mine, other = stream.deliveries(4), another.deliveries(2)
    assert [(d.message.body.decode(), d.consumer_id) for d in mine] == [
        ("a", 1), ("b", 2), ("d", 1), ("e", 2)]
    assert wire.bodies(other) == ["c", "f"]


def test_CONS_07_a_cancelled_consumer_keeps_its_deliveries(client, stream):
    name = client.filled()
    stream.start(name, consumer_id=1, consumer_tag="t", prefetch_count=2)
    stream.deliveries(2)
    stream.ask(cancel=pb.CancelConsumer(consumer_id=1))
    cancelled = stream.event("cancelled")
    assert (cancelled.consumer_tag, cancelled.reason) == (
        "t", types_pb2.CANCEL_REASON_CLIENT_REQUEST)
    assert client.queue(name).messages_unacked == 2
    assert stream.settle(delivery_tags=[1, 2]).settled_count == 2
    assert not stream.waiting()


def test_CANCEL_01_a_deleted_queue_cancels_its_consumers(client, stream):
    name, other = client.filled(), client.filled("z")
    stream.start(name, consumer_id=1, prefetch_count=3)
    stream.deliveries(3)
    delete(client, name)
    lost = stream.event("lost")
    assert lost.reason == pb.LOST_REASON_QUEUE_DELETED
    assert sorted(n for t in lost.tags for n in range(t.first, t.last + 1)) == [1, 2, 3]
    cancelled = stream.event("cancelled")
    assert (cancelled.consumer_id, cancelled.reason) == (
        1, types_pb2.CANCEL_REASON_QUEUE_DELETED)
    stream.start(other, consumer_id=1)
    assert wire.bodies(stream.deliveries(1)) == ["z"], "the stream goes on"


def test_ACK_03_settling_a_delivery_of_a_deleted_queue_is_lost(client, stream):
    name = client.filled()
    stream.get(name)
    delete(client, name)
    answer = stream.settle(delivery_tags=[1])
    assert [f.reason for f in answer.failures] == [pb.SETTLE_FAILURE_REASON_LOST]


def test_QEXP_01_an_expired_queue_is_gone(timed):
    name = timed.declare(options=topology_pb2.QueueOptions(expires_ms=50))
    timed.advance(0.049)
    assert timed.exists(name)
    timed.advance(0.001)
    assert not timed.exists(name)


def test_QEXP_02_the_lease_starts_when_the_last_consumer_leaves(timed):
    name = timed.declare(options=topology_pb2.QueueOptions(expires_ms=50))
    stream = wire.ConsumeStream.open(timed)
    stream.start(name)
    timed.advance(10)
    assert timed.exists(name)
    stream.half_close()
    assert stream.end() == OK
    timed.advance(0.05)
    assert not timed.exists(name)


def test_QLIFE_03_an_auto_delete_queue_goes_with_its_last_consumer(client, stream, another):
    name = client.declare(auto_delete=True)
    client.get(name)
    stream.start(name)
    another.start(name)
    stream.half_close()
    assert stream.end() == OK and client.exists(name)
    another.half_close()
    assert another.end() == OK and not client.exists(name)


# Temporary queues, auto_ack, limits, heartbeats.


def test_a_temporary_queue_is_declared_bound_and_gone(client, stream):
    exchange = client.declare_exchange("topic")
    stream.ask(start=pb.ConsumerSpec(temporary_queue=pb.TemporaryQueue(bindings=[
        pb.TemporaryBinding(exchange=exchange, routing_key=key) for key in ("a.*", "#.z")])))
    name = stream.event("started").queue
    assert name.startswith("amq.gen-")
    for key in ("a.b", "x", "x.z"):
        client.messaging.Publish(pb.PublishRequest(
            exchange=exchange, routing_key=key, message=wire.message(key)))
    assert wire.bodies(stream.deliveries(2)) == ["a.b", "x.z"]
    with wire.fails(FAILED, "RESOURCE_LOCKED"):
        client.get(name)
    stream.half_close()
    assert stream.end() == OK and not client.exists(name)


def test_a_temporary_queue_with_a_bad_binding_is_refused(client, stream):
    error = stream.refused_start(temporary_queue=pb.TemporaryQueue(
        bindings=[pb.TemporaryBinding(exchange="no-such-exchange")])).error
    assert error.reason == "EXCHANGE_NOT_FOUND"


def test_CONS_05_auto_ack_settles_on_sending(client, stream):
    name = client.filled()
    stream.start(name, auto_ack=True, prefetch_count=1)
    stream.deliveries(5)
    wire.until(lambda: client.queue(name).messages_unacked == 0, "all are settled")
    assert stream.settle(delivery_tags=[1]).already_settled_count == 1


def test_max_batch_messages_cuts_responses(client):
    name = client.filled("abcdefgh")
    stream = wire.ConsumeStream.open(client, max_batch_messages=3)
    stream.start(name)
    sizes = []
    while sum(sizes) < 8:
        sizes.append(len(stream.event("deliveries").deliveries))
    assert max(sizes) <= 3
    stream.call.cancel()


def test_a_delivery_over_max_response_bytes_cancels_its_consumer(client):
    name = client.declare()
    client.publish(name, b"x" * 200_000)
    stream = wire.ConsumeStream.open(client, max_response_bytes=65_536)
    stream.start(name)
    cancelled = stream.event("cancelled")
    assert cancelled.reason == types_pb2.CANCEL_REASON_RESPONSE_TOO_SMALL
    assert cancelled.required_bytes > 200_000
    wire.until(lambda: client.ready(name) == 1, "the message stays")
    [delivery] = client.get(name).deliveries
    assert (delivery.redelivered, delivery.delivery_count) == (False, 0)
    stream.call.cancel()


@pytest.mark.parametrize("options", [
    {"max_response_bytes": 1000}, {"heartbeat_interval": wire.seconds(0.1)},
    {"heartbeat_interval": wire.seconds(3600)}])
def test_options_out_of_range_are_invalid(client, options):
    code, reason = wire.ConsumeStream.open(client, **options).end()
    assert code == INVALID and reason


def test_LIMIT_03_consumers_of_a_stream_are_capped(client, stream):
    name = client.declare()
    limit = client.messaging.GetServerInfo(
        pb.GetServerInfoRequest()).limits.max_consumers_per_stream
    for number in range(limit):
        stream.start(name, consumer_id=number + 1)
    error = stream.refused_start(queue=name, consumer_id=limit + 1).error
    assert error.reason == "LIMIT_EXCEEDED"


def test_heartbeats_come_when_nothing_else_does(client):
    stream = wire.ConsumeStream.open(client, heartbeat_interval=wire.seconds(1))
    started = time.monotonic()
    assert stream.event("heartbeat").request_id == 0
    assert stream.event("heartbeat").request_id == 0
    assert time.monotonic() - started > 1
    stream.call.cancel()


# MSG: what goes in comes out.


def test_MSG_01_properties_and_typed_headers_come_through(client, stream):
    value = types_pb2.Value
    sent = wire.message(
        b"\x00\xff", content_type="t", content_encoding="e", delivery_mode=2, priority=9,
        correlation_id="c", reply_to="r", expiration="60000", message_id="m", timestamp=1,
        type="y", user_id="guest", app_id="a", cluster_id="k", headers={
            "s": value(string_value="ü"), "raw": value(raw_string_value=b"\xff"),
            "l": value(int64_value=-2**63), "i": value(int32_value=-1),
            "h": value(int16_value=-2), "b": value(int8_value=-3), "B": value(uint8_value=255),
            "H": value(uint16_value=65535), "I": value(uint32_value=2**32 - 1),
            "t": value(bool_value=False), "d": value(double_value=0.0),
            "f": value(float_value=1.5), "x": value(bytes_value=b"\x00"),
            "T": value(timestamp_value=0), "n": value(null_value=0),
            "D": value(decimal_value=types_pb2.Decimal(scale=2, unscaled=314)),
            "F": value(table_value=types_pb2.Table(fields={"k": value(string_value="")})),
            "A": value(array_value=types_pb2.ValueArray(values=[value(bool_value=True)]))})
    name = client.declare()
    client.messaging.Publish(pb.PublishRequest(routing_key=name, message=sent))
    stream.start(name)
    assert stream.deliveries(1)[0].message == sent


def test_a_body_of_three_mebibytes_comes_through(client, stream):
    name = client.declare()
    client.publish(name, b"x" * (3 << 20))
    stream.start(name)
    assert len(stream.deliveries(1)[0].message.body) == 3 << 20
