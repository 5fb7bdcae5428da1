"""Consume streams: an AMQP channel each."""
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
REQUEUE, DISCARD = pb.SETTLE_ACTION_REQUEUE, pb.SETTLE_ACTION_DISCARD


@pytest.fixture
def stream(client):
    stream = wire.ConsumeStream.open(client)
    yield stream
    stream.call.cancel()


@pytest.fixture
def another(client):
    stream = wire.ConsumeStream.open(client)
    yield stream
    stream.call.cancel()


def filled(client, bodies="abcde"):
    name = client.declare()
    client.publish(name, *bodies)
    return name


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
    name = filled(client)
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
    name = filled(client)
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
    name = filled(client)
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
    name = filled(client)
    lost = wire.Client(broker.address)
    stream = wire.ConsumeStream.open(lost)
    stream.start(name)
    stream.deliveries(5)
    lost.close()
    wire.until(lambda: client.ready(name) == 5, "the messages are back")


# Order of requests, gets.


def test_CHAN_01_errors_leave_the_stream_and_earlier_effects_alone(client, stream):
    name = filled(client)
    stream.start(name, consumer_id=1, prefetch_count=2)
    stream.deliveries(2)
    assert stream.settle(delivery_tags=[99]).failures
    assert stream.get("no-such-queue").error.reason == "QUEUE_NOT_FOUND"
    assert stream.settle(delivery_tags=[1, 2]).settled_count == 2
    assert wire.bodies(stream.deliveries(2)) == ["c", "d"]


def test_ping_is_a_barrier(client, stream):
    name = filled(client)
    stream.start(name, prefetch_count=0)
    for tag in (1, 2, 3, 4, 5):
        stream.ask(settle=pb.Settle(action=pb.SETTLE_ACTION_ACK, delivery_tags=[tag]))
    stream.ping()
    queue = client.queue(name)
    assert (queue.messages_ready, queue.messages_unacked) == (0, 0)


def test_GET_04_tags_run_on_over_consumers_and_gets(client, stream):
    name, other = filled(client, "abc"), filled(client, "xy")
    stream.start(name, consumer_id=1, prefetch_count=1)
    [first] = stream.deliveries(1)
    got = stream.get(other, auto_ack=True)
    again = stream.get(other)
    assert [first.delivery_tag, got.deliveries[0].delivery_tag,
            again.deliveries[0].delivery_tag] == [1, 2, 3]
    assert (got.message_count, again.message_count) == (1, 0)
    assert stream.settle(delivery_tags=[2]).already_settled_count == 1


def test_GET_05_get_ignores_prefetch(client, stream):
    name = filled(client)
    stream.ask(flow=pb.SetFlow(whole_stream=True, prefetch_count=1))
    stream.start(name, prefetch_count=1)
    stream.deliveries(1)
    assert wire.bodies(stream.get(name, max_messages=3).deliveries) == ["b", "c", "d"]


def test_a_get_on_an_empty_queue_answers(client, stream):
    got = stream.get(client.declare())
    assert not got.deliveries and not got.HasField("error")


# Settling.


@pytest.mark.parametrize("which, settled", [
    ({"delivery_tags": [2, 4]}, [2, 4]),
    ({"ranges": [types_pb2.TagRange(first=2, last=4)]}, [2, 3, 4]),
    ({"up_to": 3}, [1, 2, 3]),
    ({"all": True}, [1, 2, 3, 4, 5]),
    ({"up_to": 2, "delivery_tags": [5]}, [1, 2, 5]),
])
def test_ACK_01_tags_may_be_given_in_every_way(client, stream, which, settled):
    name = filled(client)
    stream.start(name)
    stream.deliveries(5)
    answer = stream.settle(**which)
    assert (answer.settled_count, answer.already_settled_count) == (len(settled), 0)
    assert client.queue(name).messages_unacked == 5 - len(settled)


def test_ACK_02_all_with_nothing_unsettled_is_ok(stream):
    answer = stream.settle(all=True)
    assert (answer.settled_count, answer.already_settled_count, len(answer.failures)) == (0, 0, 0)


def test_TAG_01_bad_tags_fail_alone(client, stream):
    name = filled(client)
    stream.start(name)
    stream.deliveries(5)
    answer = stream.settle(delivery_tags=[1, 6, 9])
    assert answer.settled_count == 1
    assert sorted((f.tags.first, f.tags.last, f.reason) for f in answer.failures) == [
        (6, 6, pb.SETTLE_FAILURE_REASON_UNKNOWN_TAG), (9, 9, pb.SETTLE_FAILURE_REASON_UNKNOWN_TAG)]
    assert stream.settle(delivery_tags=[1]).already_settled_count == 1


def test_TAG_02_up_to_above_the_highest_settles_nothing(client, stream):
    name = filled(client)
    stream.start(name)
    stream.deliveries(5)
    answer = stream.settle(up_to=6)
    assert answer.settled_count == 0
    assert answer.failures[0].reason == pb.SETTLE_FAILURE_REASON_UNKNOWN_TAG


@pytest.mark.parametrize("request_fields", [
    {"action": pb.SETTLE_ACTION_UNSPECIFIED, "all": True},
    {"action": pb.SETTLE_ACTION_ACK},
    {"action": pb.SETTLE_ACTION_ACK, "delivery_tags": [0]},
    {"action": pb.SETTLE_ACTION_ACK, "ranges": [types_pb2.TagRange(first=3, last=2)]},
])
def test_invalid_settles_are_failures_and_the_stream_lives(client, stream, request_fields):
    answer = stream.settle(**request_fields)
    assert [f.reason for f in answer.failures] == [pb.SETTLE_FAILURE_REASON_INVALID]
    stream.ping()


def test_failures_are_reported_without_a_request_id(stream):
    stream.ask(settle=pb.Settle(action=pb.SETTLE_ACTION_ACK, delivery_tags=[5]))
    settled = stream.event("settled")
    assert settled.request_id == 0 and settled.failures


def test_NACK_05_a_lone_consumer_gets_a_requeued_message_back(client, stream):
    name = filled(client, "a")
    stream.start(name)
    [first] = stream.deliveries(1)
    assert (first.redelivered, first.delivery_count) == (False, 0)
    stream.settle(REQUEUE, delivery_tags=[1])
    [second] = stream.deliveries(1)
    assert (second.delivery_tag, second.redelivered, second.delivery_count) == (2, True, 1)


def test_NACK_02_requeue_of_many_keeps_their_order(client, stream):
    name = filled(client)
    got = stream.get(name, max_messages=4)
    assert len(got.deliveries) == 4
    stream.settle(REQUEUE, up_to=3)
    assert wire.bodies(client.get(name, max_messages=9).deliveries) == ["a", "b", "c", "e"]


def test_NACK_03_discard_drops(client, stream):
    name = filled(client, "ab")
    stream.start(name)
    stream.deliveries(2)
    stream.settle(DISCARD, delivery_tags=[1])
    stream.settle(REQUEUE, delivery_tags=[2])
    assert wire.bodies(stream.deliveries(1)) == ["b"]


def test_NACK_06_order_is_restored_over_streams(client, stream, another):
    name = filled(client)
    for owner in (stream, another, stream, another):
        owner.get(name)
    another.settle(REQUEUE, all=True)
    stream.settle(REQUEUE, all=True)
    assert wire.bodies(client.get(name, max_messages=9).deliveries) == list("abcde")


def test_RECOVER_01_requeue_all_returns_everything(client, stream):
    name = filled(client)
    stream.get(name, max_messages=3)
    assert stream.settle(REQUEUE, all=True).settled_count == 3
    again = client.get(name, max_messages=9).deliveries
    assert [(d.message.body.decode(), d.redelivered) for d in again] == [
        ("a", True), ("b", True), ("c", True), ("d", False), ("e", False)]


def test_a_unary_ack_settles_a_delivery_of_a_stream(client, stream):
    name = filled(client)
    lease = stream.start(name, prefetch_count=2).lease_id
    stream.deliveries(2)
    client.messaging.Ack(pb.AckRequest(lease_id=lease, delivery_tags=[1]))
    assert wire.bodies(stream.deliveries(1)) == ["c"], "its place in the window is free"
    client.messaging.Nack(pb.NackRequest(lease_id=lease, delivery_tags=[2]))
    [back] = stream.deliveries(1)
    assert (back.message.body, back.redelivered) == (b"b", True)


def test_a_late_ack_of_an_ended_stream_is_lease_expired(client, stream):
    name = filled(client)
    lease = stream.start(name).lease_id
    stream.deliveries(5)
    stream.half_close()
    assert stream.end() == OK
    with wire.fails(FAILED, "LEASE_EXPIRED"):
        client.messaging.Ack(pb.AckRequest(lease_id=lease, delivery_tags=[1]))


def test_a_delivery_timeout_takes_one_delivery_back(client, stream):
    name = filled(client, "ab")
    stream.start(name, prefetch_count=1, delivery_timeout=wire.seconds(1))
    stream.deliveries(1)
    lost = stream.event("lost")
    assert lost.reason == pb.LOST_REASON_DELIVERY_TIMEOUT
    assert [(t.first, t.last) for t in lost.tags] == [(1, 1)]
    [again] = stream.deliveries(1)
    assert (again.message.body, again.redelivered) == (b"a", True)
    answer = stream.settle(delivery_tags=[1])
    assert [f.reason for f in answer.failures] == [pb.SETTLE_FAILURE_REASON_LOST]


# Windows.


def test_QOS_01_prefetch_limits_each_consumer(client, stream):
    one, two = filled(client), filled(client, "xyz")
    stream.start(one, consumer_id=1, prefetch_count=2)
    stream.start(two, consumer_id=2, prefetch_count=1)
    assert sorted(wire.bodies(stream.deliveries(3))) == ["a", "b", "x"]
    assert not stream.waiting()
    stream.settle(delivery_tags=[1])
    assert len(stream.deliveries(1)) == 1


def test_QOS_04_the_window_of_the_stream_is_shared(client):
    stream = wire.ConsumeStream.open(client, prefetch_count=3)
    one, two = filled(client), filled(client, "vwxyz")
    stream.start(one, consumer_id=1, prefetch_count=0)
    stream.start(two, consumer_id=2, prefetch_count=0)
    stream.deliveries(3)
    assert not stream.waiting()
    assert (client.queue(one).messages_unacked + client.queue(two).messages_unacked) == 3
    stream.settle(all=True)
    assert len(stream.deliveries(3)) == 3
    stream.call.cancel()


def test_QOS_05_the_window_of_the_stream_changes_at_once(client, stream):
    name = filled(client, "abcdefgh")
    stream.ask(flow=pb.SetFlow(whole_stream=True, prefetch_count=1))
    stream.start(name, prefetch_count=0)
    assert wire.bodies(stream.deliveries(1)) == ["a"]
    stream.ask(flow=pb.SetFlow(whole_stream=True, prefetch_count=4))
    assert wire.bodies(stream.deliveries(3)) == ["b", "c", "d"]
    stream.ask(flow=pb.SetFlow(whole_stream=True, prefetch_count=2))
    stream.settle(delivery_tags=[1, 2])
    assert not stream.waiting(), "lowering takes nothing back and holds until below"
    stream.settle(delivery_tags=[3])
    assert wire.bodies(stream.deliveries(1)) == ["e"]


def test_QOS_06_both_windows_hold(client, stream):
    stream.ask(flow=pb.SetFlow(whole_stream=True, prefetch_count=3))
    one, two = filled(client), filled(client)
    stream.start(one, consumer_id=1, prefetch_count=2)
    stream.start(two, consumer_id=2, prefetch_count=2)
    deliveries = stream.deliveries(3)
    assert not stream.waiting()
    assert sorted(d.consumer_id for d in deliveries) == [1, 1, 2]


def test_QOS_07_zero_is_no_limit(client, stream):
    name = client.declare()
    client.messaging.PublishBatch(pb.PublishBatchRequest(
        routing_key=name, items=[pb.PublishItem()] * 1000))
    assert stream.start(name, prefetch_count=0).prefetch_count == 0
    stream.deliveries(1000)


def test_flow_changes_a_running_consumer(client, stream):
    name = filled(client)
    stream.start(name, consumer_id=9, prefetch_count=1)
    stream.deliveries(1)
    stream.ask(flow=pb.SetFlow(consumer_id=9, prefetch_count=3))
    assert wire.bodies(stream.deliveries(2)) == ["b", "c"]


def test_a_paused_consumer_gets_nothing_until_it_goes_on(client, stream):
    name = client.declare()
    stream.start(name, consumer_id=9)
    stream.ask(flow=pb.SetFlow(consumer_id=9, paused=True))
    stream.ping()
    client.publish(name, "a")
    assert not stream.waiting() and client.ready(name) == 1
    stream.ask(flow=pb.SetFlow(consumer_id=9, paused=False))
    assert wire.bodies(stream.deliveries(1)) == ["a"]


def test_prefetch_bytes_limits_the_bytes_out(client, stream):
    name = client.declare()
    client.publish(name, *[b"x" * 1000] * 5, b"y" * 5000)
    stream.start(name, prefetch_count=0, prefetch_bytes=2500)
    stream.deliveries(2)
    assert not stream.waiting()
    stream.settle(all=True)
    stream.deliveries(2)
    stream.settle(all=True)
    stream.deliveries(1)
    stream.settle(all=True)
    assert len(stream.deliveries(1)[0].message.body) == 5000, "a large one goes out alone"


def test_manual_credit_delivers_what_was_granted(client, stream):
    name = filled(client)
    stream.start(name, consumer_id=1, manual_credit=True)
    assert not stream.waiting()
    stream.ask(credit=pb.GrantCredit(consumer_id=1, messages=2))
    assert wire.bodies(stream.deliveries(2)) == ["a", "b"]
    stream.settle(all=True)
    assert not stream.waiting(), "settling grants nothing"
    stream.ask(credit=pb.GrantCredit(consumer_id=1, messages=1))
    assert wire.bodies(stream.deliveries(1)) == ["c"]


def test_drain_gives_up_the_credit_that_is_left(client, stream):
    name = filled(client, "ab")
    stream.start(name, consumer_id=1, manual_credit=True)
    stream.ask(credit=pb.GrantCredit(consumer_id=1, messages=10, drain=True))
    assert wire.bodies(stream.deliveries(2)) == ["a", "b"]
    drained = stream.event("credit_drained")
    assert (drained.consumer_id, drained.unused_credit) == (1, 8)
    client.publish(name, "c")
    assert not stream.waiting()


def test_requests_for_consumers_that_are_not_there_are_ignored(stream):
    stream.ask(cancel=pb.CancelConsumer(consumer_id=5))
    stream.ask(credit=pb.GrantCredit(consumer_id=5, messages=1))
    stream.ask(flow=pb.SetFlow(consumer_id=5, prefetch_count=1))
    stream.ping()


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
    name = filled(client)
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
    name, other = filled(client), filled(client, "z")
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
    name = filled(client)
    stream.get(name)
    delete(client, name)
    answer = stream.settle(delivery_tags=[1])
    assert [f.reason for f in answer.failures] == [pb.SETTLE_FAILURE_REASON_LOST]


def test_QEXP_01_an_expired_queue_is_gone(client):
    name = client.declare(options=topology_pb2.QueueOptions(expires_ms=50))
    wire.until(lambda: not client.exists(name), "the queue expires")


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
    name = filled(client)
    stream.start(name, auto_ack=True, prefetch_count=1)
    stream.deliveries(5)
    wire.until(lambda: client.queue(name).messages_unacked == 0, "all are settled")
    assert stream.settle(delivery_tags=[1]).already_settled_count == 1


def test_max_batch_messages_cuts_responses(client):
    name = filled(client, "abcdefgh")
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
