"""Get under a timed lease; Ack, Nack and ExtendLease."""
import time

import grpc
import pytest
import wire
from kelpmq.internal.v1 import rpc_status_pb2
from kelpmq.v1 import messaging_pb2 as pb
from kelpmq.v1 import topology_pb2, types_pb2

NOT_FOUND, FAILED = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
def filled(client):
    """A queue with the messages a, b, c, d, e."""
    return client.filled()


def ack(client, got, **which):
    return client.messaging.Ack(pb.AckRequest(lease_id=got.lease_id, **which))


def nack(client, got, **which):
    return client.messaging.Nack(pb.NackRequest(lease_id=got.lease_id, **which))


def test_GET_01_an_empty_queue_answers_without_a_lease(client):
    got = client.get(client.declare())
    assert (list(got.deliveries), got.lease_id) == ([], "")


def test_GET_02_absent_queue_is_not_found(client):
    with wire.fails(NOT_FOUND, "QUEUE_NOT_FOUND"):
        client.get("no-such-queue")


def test_GET_03_message_count_is_what_is_left_behind(client, filled):
    got = client.get(filled, max_messages=2)
    assert wire.bodies(got.deliveries) == ["a", "b"] and got.message_count == 3
    assert [d.delivery_tag for d in got.deliveries] == [1, 2]


def test_a_get_with_auto_ack_has_neither_lease_nor_tags(client, filled):
    got = client.get(filled, max_messages=9, auto_ack=True)
    assert got.lease_id == "" and {d.delivery_tag for d in got.deliveries} == {0}
    assert client.queue(filled).messages_unacked == 0


def test_a_waiting_get_is_answered_by_a_publish(client):
    name = client.declare()
    waiting = client.messaging.Get.future(
        pb.GetRequest(queue=name, wait=wire.seconds(30)), timeout=wire.PATIENCE)
    client.publish(name, "came")
    assert wire.bodies(waiting.result().deliveries) == ["came"]


def test_a_waiting_get_answers_empty_when_its_time_is_up(client):
    started = time.monotonic()
    assert not client.get(client.declare(), wait=0.3).deliveries
    assert time.monotonic() - started >= 0.25


def test_a_waiting_get_answers_empty_before_its_deadline(client):
    got = client.messaging.Get(
        pb.GetRequest(queue=client.declare(), wait=wire.seconds(30)), timeout=1.5)
    assert not got.deliveries


def test_a_cancelled_get_takes_nothing(client):
    name = client.declare()
    waiting = client.messaging.Get.future(pb.GetRequest(queue=name, wait=wire.seconds(30)))
    waiting.cancel()
    client.publish(name, "a")
    # The broker may hand the message to the dying call first: then it comes back.
    assert wire.bodies(client.get(name, wait=5).deliveries) == ["a"]


@pytest.mark.parametrize("which, settled", [
    ({"delivery_tags": [2, 4]}, {2, 4}),
    ({"ranges": [types_pb2.TagRange(first=2, last=3)]}, {2, 3}),
    ({"up_to": 2}, {1, 2}),
    ({"all": True}, {1, 2, 3, 4, 5}),
    ({"delivery_tags": [5], "up_to": 1, "ranges": [types_pb2.TagRange(first=3, last=3)]},
     {1, 3, 5}),
])
def test_ACK_01_tags_may_be_given_in_every_way(client, filled, which, settled):
    got = client.get(filled, max_messages=5)
    answer = ack(client, got, **which)
    assert (answer.settled_count, answer.already_settled_count) == (len(settled), 0)
    assert client.queue(filled).messages_unacked == 5 - len(settled)
    nack(client, got, all=True)
    left = [body for tag, body in enumerate("abcde", 1) if tag not in settled]
    assert wire.bodies(client.get(filled, max_messages=9).deliveries) == left


def test_a_repeated_ack_is_counted_and_harmless(client, filled):
    got = client.get(filled, max_messages=2)
    ack(client, got, delivery_tags=[1])
    answer = ack(client, got, up_to=2, delivery_tags=[1])
    assert (answer.settled_count, answer.already_settled_count) == (1, 1)
    answer = ack(client, got, delivery_tags=[1, 2])
    assert (answer.settled_count, answer.already_settled_count) == (0, 2)


def test_an_ack_after_the_own_nack_does_nothing(client, filled):
    got = client.get(filled)
    nack(client, got, delivery_tags=[1])
    assert ack(client, got, delivery_tags=[1]).already_settled_count == 1
    assert client.ready(filled) == 5


def test_TAG_01_unknown_tags_fail_by_name_and_the_others_are_settled(client, filled):
    got = client.get(filled, max_messages=2)
    with wire.fails(FAILED, "UNKNOWN_DELIVERY_TAG") as info:
        ack(client, got, delivery_tags=[1, 7, 8])
    assert client.queue(filled).messages_unacked == 1
    trailers = dict(info.value.trailing_metadata())
    status = rpc_status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    failures = next(pb.SettleFailures.FromString(detail.value) for detail in status.details
                    if detail.type_url.endswith("kelpmq.v1.SettleFailures"))
    named = {tag for f in failures.failures for tag in range(f.tags.first, f.tags.last + 1)}
    assert named == {7, 8}
    assert {f.reason for f in failures.failures} == {pb.SETTLE_FAILURE_REASON_UNKNOWN_TAG}


def test_TAG_02_up_to_a_tag_never_issued_settles_nothing(client, filled):
    got = client.get(filled, max_messages=2)
    with wire.fails(FAILED, "UNKNOWN_DELIVERY_TAG"):
        ack(client, got, up_to=3)
    assert client.queue(filled).messages_unacked == 2


def test_a_settle_without_tags_is_invalid(client, filled):
    with wire.fails(INVALID, "NO_TAGS"):
        ack(client, client.get(filled))


def test_an_unknown_lease_is_not_found(client):
    with wire.fails(NOT_FOUND, "LEASE_NOT_FOUND"):
        client.messaging.Ack(pb.AckRequest(lease_id="no-such-lease", all=True))


def test_NACK_01_returned_messages_take_their_old_place(client, filled):
    got = client.get(filled, max_messages=3)
    client.publish(filled, "f")
    nack(client, got, delivery_tags=[3])
    nack(client, got, delivery_tags=[1])
    again = client.get(filled, max_messages=9)
    assert wire.bodies(again.deliveries) == ["a", "c", "d", "e", "f"]
    assert [d.redelivered for d in again.deliveries] == [True, True, False, False, False]
    assert [d.delivery_count for d in again.deliveries] == [1, 1, 0, 0, 0]


def test_NACK_03_discard_drops_the_message(client, filled):
    got = client.get(filled, max_messages=2)
    nack(client, got, all=True, discard=True)
    assert wire.bodies(client.get(filled, max_messages=9).deliveries) == ["c", "d", "e"]


def test_deliveries_return_when_the_lease_expires(timed):
    name = timed.filled()
    got = timed.get(name, max_messages=5, lease_duration=wire.seconds(1))
    timed.advance(0.999)
    assert timed.ready(name) == 0
    timed.advance(0.001)
    again = timed.get(name, max_messages=5)
    assert wire.bodies(again.deliveries) == [*"abcde"] and again.deliveries[0].redelivered
    with wire.fails(FAILED, "LEASE_EXPIRED"):
        ack(timed, got, all=True)


def test_an_extended_lease_does_not_expire(timed):
    name = timed.filled()
    got = timed.get(name, max_messages=5, lease_duration=wire.seconds(1))
    extended = timed.messaging.ExtendLease(pb.ExtendLeaseRequest(
        lease_id=got.lease_id, lease_duration=wire.seconds(60)))
    assert extended.lease_expire_time.seconds > got.lease_expire_time.seconds + 30
    timed.advance(59)
    assert not timed.get(name).deliveries
    assert ack(timed, got, all=True).settled_count == 5


def test_a_lease_whose_deliveries_are_settled_answers_already_settled(client, filled):
    got = client.get(filled, max_messages=2, lease_duration=wire.seconds(1))
    ack(client, got, all=True)
    answer = ack(client, got, delivery_tags=[1, 2])
    assert (answer.settled_count, answer.already_settled_count) == (0, 2)
    # What is named twice counts once, and a tag that never was is still unknown.
    answer = ack(client, got, delivery_tags=[1, 1], ranges=[types_pb2.TagRange(first=1, last=2)])
    assert answer.already_settled_count == 2
    assert ack(client, got, up_to=2).already_settled_count == 0
    with wire.fails(FAILED, "UNKNOWN_DELIVERY_TAG"):
        ack(client, got, delivery_tags=[3])


@pytest.mark.parametrize("fields", [
    {"lease_duration": wire.seconds(10), "auto_ack": True},
    {"lease_duration": wire.seconds(0.5)},
    {"lease_duration": wire.seconds(13 * 3600)},
    {"wait": -1},
])
def test_values_out_of_range_are_invalid(client, filled, fields):
    with pytest.raises(grpc.RpcError) as info:
        client.get(filled, **fields)
    assert info.value.code() == INVALID and wire.reason_of(info.value)


def test_max_bytes_cuts_the_reply(client):
    name = client.declare()
    client.publish(name, *[b"x" * 50_000] * 5)
    assert 1 <= len(client.get(name, max_messages=5, max_bytes=120_000).deliveries) <= 2


def test_a_message_within_grpcs_default_is_returned_whatever_max_bytes(client):
    name = client.declare()
    limit = client.messaging.GetServerInfo(pb.GetServerInfoRequest()).limits.max_message_bytes
    client.messaging.Publish(pb.PublishRequest(
        routing_key=name, message=wire.message(b"x" * (limit - 100))))
    got = client.get(name, max_bytes=65_536)
    assert len(got.deliveries[0].message.body) == limit - 100


def test_ACK_03_settling_after_the_queue_was_deleted_is_lost(client, filled):
    got = client.get(filled)
    client.topology.DeleteQueue(topology_pb2.DeleteQueueRequest(name=filled))
    client.declare(filled)
    client.publish(filled, "new")
    with wire.fails(FAILED, "DELIVERY_LOST"):
        ack(client, got, delivery_tags=[1])
    assert client.ready(filled) == 1
