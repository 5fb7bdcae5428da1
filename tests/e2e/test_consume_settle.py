"""Consume streams: settling deliveries."""
import grpc
import pytest
import wire
from kelpmq.v1 import messaging_pb2 as pb
from kelpmq.v1 import types_pb2

FAILED = grpc.StatusCode.FAILED_PRECONDITION
OK = (grpc.StatusCode.OK, "")
REQUEUE, DISCARD = pb.SETTLE_ACTION_REQUEUE, pb.SETTLE_ACTION_DISCARD


@pytest.mark.parametrize("which, settled", [
    ({"delivery_tags": [2, 4]}, [2, 4]),
    ({"ranges": [types_pb2.TagRange(first=2, last=4)]}, [2, 3, 4]),
    ({"up_to": 3}, [1, 2, 3]),
    ({"all": True}, [1, 2, 3, 4, 5]),
    ({"up_to": 2, "delivery_tags": [5]}, [1, 2, 5]),
])
def test_ACK_01_tags_may_be_given_in_every_way(client, stream, which, settled):
    name = client.filled()
    stream.start(name)
    stream.deliveries(5)
    answer = stream.settle(**which)
    assert (answer.settled_count, answer.already_settled_count) == (len(settled), 0)
    assert client.queue(name).messages_unacked == 5 - len(settled)


def test_ACK_02_all_with_nothing_unsettled_is_ok(stream):
    answer = stream.settle(all=True)
    assert (answer.settled_count, answer.already_settled_count, len(answer.failures)) == (0, 0, 0)


def test_TAG_01_bad_tags_fail_alone(client, stream):
    name = client.filled()
    stream.start(name)
    stream.deliveries(5)
    answer = stream.settle(delivery_tags=[1, 6, 9])
    assert answer.settled_count == 1
    assert sorted((f.tags.first, f.tags.last, f.reason) for f in answer.failures) == [
        (6, 6, pb.SETTLE_FAILURE_REASON_UNKNOWN_TAG), (9, 9, pb.SETTLE_FAILURE_REASON_UNKNOWN_TAG)]
    assert stream.settle(delivery_tags=[1]).already_settled_count == 1


def test_TAG_02_up_to_above_the_highest_settles_nothing(client, stream):
    name = client.filled()
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
    name = client.filled("a")
    stream.start(name)
    [first] = stream.deliveries(1)
    assert (first.redelivered, first.delivery_count) == (False, 0)
    stream.settle(REQUEUE, delivery_tags=[1])
    [second] = stream.deliveries(1)
    assert (second.delivery_tag, second.redelivered, second.delivery_count) == (2, True, 1)


def test_NACK_02_requeue_of_many_keeps_their_order(client, stream):
    name = client.filled()
    got = stream.get(name, max_messages=4)
    assert len(got.deliveries) == 4
    stream.settle(REQUEUE, up_to=3)
    assert wire.bodies(client.get(name, max_messages=9).deliveries) == ["a", "b", "c", "e"]


def test_NACK_03_discard_drops(client, stream):
    name = client.filled("ab")
    stream.start(name)
    stream.deliveries(2)
    stream.settle(DISCARD, delivery_tags=[1])
    stream.settle(REQUEUE, delivery_tags=[2])
    assert wire.bodies(stream.deliveries(1)) == ["b"]


def test_NACK_06_order_is_restored_over_streams(client, stream, another):
    name = client.filled()
    for owner in (stream, another, stream, another):
        owner.get(name)
    another.settle(REQUEUE, all=True)
    stream.settle(REQUEUE, all=True)
    assert wire.bodies(client.get(name, max_messages=9).deliveries) == list("abcde")


def test_RECOVER_01_requeue_all_returns_everything(client, stream):
    name = client.filled()
    stream.get(name, max_messages=3)
    assert stream.settle(REQUEUE, all=True).settled_count == 3
    again = client.get(name, max_messages=9).deliveries
    assert [(d.message.body.decode(), d.redelivered) for d in again] == [
        ("a", True), ("b", True), ("c", True), ("d", False), ("e", False)]


def test_a_unary_ack_settles_a_delivery_of_a_stream(client, stream):
    name = client.filled()
    lease = stream.start(name, prefetch_count=2).lease_id
    stream.deliveries(2)
    client.messaging.Ack(pb.AckRequest(lease_id=lease, delivery_tags=[1]))
    assert wire.bodies(stream.deliveries(1)) == ["c"], "its place in the window is free"
    client.messaging.Nack(pb.NackRequest(lease_id=lease, delivery_tags=[2]))
    [back] = stream.deliveries(1)
    assert (back.message.body, back.redelivered) == (b"b", True)


def test_a_late_ack_of_an_ended_stream_is_lease_expired(client, stream):
    name = client.filled()
    lease = stream.start(name).lease_id
    stream.deliveries(5)
    stream.half_close()
    assert stream.end() == OK
    with wire.fails(FAILED, "LEASE_EXPIRED"):
        client.messaging.Ack(pb.AckRequest(lease_id=lease, delivery_tags=[1]))


def test_a_delivery_timeout_takes_one_delivery_back(timed):
    stream = wire.ConsumeStream.open(timed)
    name = timed.filled("ab")
    stream.start(name, prefetch_count=1, delivery_timeout=wire.seconds(1))
    stream.deliveries(1)
    timed.advance(1)
    lost = stream.event("lost")
    assert lost.reason == pb.LOST_REASON_DELIVERY_TIMEOUT
    assert [(t.first, t.last) for t in lost.tags] == [(1, 1)]
    [again] = stream.deliveries(1)
    assert (again.message.body, again.redelivered) == (b"a", True)
    answer = stream.settle(delivery_tags=[1])
    assert [f.reason for f in answer.failures] == [pb.SETTLE_FAILURE_REASON_LOST]
