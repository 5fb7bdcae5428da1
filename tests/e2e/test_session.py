"""Sessions, and the exclusive queues that they own."""
import grpc
import pytest
import wire
from kelpmq.v1 import messaging_pb2 as pb
from kelpmq.v1 import admin_pb2, session_pb2, topology_pb2, types_pb2

NOT_FOUND, FAILED = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION
ENDED = (grpc.StatusCode.ABORTED, "SESSION_ENDED")


def watch(client, session_id, **fields):
    return wire.Stream(client.session.WatchSession(
        session_pb2.WatchSessionRequest(session_id=session_id, **fields)))


@pytest.fixture
def session(client):
    return client.open_session()


def test_a_session_tells_its_ttl(client):
    opened = client.session.OpenSession(session_pb2.OpenSessionRequest())
    assert opened.ttl.seconds == 30 and 0 < len(opened.session_id) <= 64
    again = client.session.KeepSessionAlive(
        session_pb2.KeepSessionAliveRequest(session_id=opened.session_id))
    assert again.expire_time.ToNanoseconds() >= opened.expire_time.ToNanoseconds()


@pytest.mark.parametrize("ttl", [1, 3700])
def test_a_ttl_out_of_range_is_invalid(client, ttl):
    with wire.fails(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_VALUE"):
        client.open_session(ttl=wire.seconds(ttl))


def test_a_session_in_an_absent_vhost_is_not_found(client):
    with wire.fails(NOT_FOUND, "VHOST_NOT_FOUND"):
        client.open_session(vhost="no-such-vhost")


def test_an_exclusive_queue_needs_a_session(client):
    with wire.fails(FAILED, "SESSION_REQUIRED"):
        client.declare(exclusive=True)


def test_QLIFE_01_an_exclusive_queue_is_locked_for_others(client, session):
    name = client.declare(exclusive=True, session_id=session)
    other = client.open_session()
    for session_id in ("", other):
        for attempt in (
            lambda: client.get(name, session_id=session_id),
            lambda: client.declare(name, session_id=session_id),
            lambda: client.declare(name, session_id=session_id, passive=True),
            lambda: client.bind(name, "amq.fanout", session_id=session_id),
            lambda: client.topology.PurgeQueue(topology_pb2.PurgeQueueRequest(
                name=name, session_id=session_id)),
            lambda: client.topology.DeleteQueue(topology_pb2.DeleteQueueRequest(
                name=name, session_id=session_id)),
        ):
            with wire.fails(FAILED, "RESOURCE_LOCKED"):
                attempt()
    stream = wire.ConsumeStream.open(client)
    assert stream.refused_start(queue=name).error.reason == "RESOURCE_LOCKED"
    stream.call.cancel()
    client.publish(name, "anyone may publish")
    assert wire.bodies(client.get(name, session_id=session).deliveries) == ["anyone may publish"]


def test_QLIFE_02_closing_the_session_deletes_its_queues(client, session):
    durable = client.declare(exclusive=True, durable=True, session_id=session)
    plain = client.declare(exclusive=True, session_id=session)
    shared = client.declare(session_id=session)
    closed = client.close_session(session)
    assert sorted(closed.deleted_queues) == sorted([durable, plain])
    assert [client.exists(q) for q in (durable, plain, shared)] == [False, False, True]


def test_closing_twice_is_ok(client, session):
    client.declare(exclusive=True, session_id=session)
    client.close_session(session)
    client.close_session(session)


def test_an_unknown_session_is_not_found(client):
    with wire.fails(NOT_FOUND, "SESSION_NOT_FOUND"):
        client.close_session("no-such-session")


def test_a_closed_session_is_not_found(client, session):
    client.close_session(session)
    with wire.fails(NOT_FOUND, "SESSION_NOT_FOUND"):
        client.declare(session_id=session)


def test_CHAN_02_closing_ends_streams_and_requeues(client, session):
    name = client.declare()
    client.publish(name, *"abc")
    stream = wire.ConsumeStream.open(client, session_id=session)
    stream.start(name, prefetch_count=2)
    stream.deliveries(2)
    watching = watch(client, session)
    client.close_session(session)
    assert client.ready(name) == 3
    assert stream.end() == ENDED and watching.end() == ENDED


def test_closing_ends_the_sessions_get_leases(client, session):
    name = client.declare()
    client.publish(name, *"abc")
    got = client.get(name, session_id=session, max_messages=2)
    assert client.close_session(session).requeued_count == 2
    assert wire.bodies(client.get(name, max_messages=9).deliveries) == list("abc")
    with wire.fails(FAILED, "LEASE_EXPIRED"):
        client.messaging.Ack(pb.AckRequest(lease_id=got.lease_id, all=True))


def test_a_session_bound_to_its_watch_ends_with_it(client):
    session = client.open_session(bound_to_watch=True)
    name = client.declare(exclusive=True, session_id=session)
    watching = watch(client, session, heartbeat_interval=wire.seconds(1))
    watching.take()
    watching.break_off()
    wire.until(lambda: not client.exists(name), "the exclusive queue is gone")


def test_a_session_of_a_lost_client_ends(client, broker):
    lost = wire.Client(broker.address)
    session = lost.open_session(bound_to_watch=True)
    name = lost.declare(exclusive=True, session_id=session)
    watch(lost, session, heartbeat_interval=wire.seconds(1)).take()
    lost.close()
    wire.until(lambda: not client.exists(name), "the exclusive queue is gone")


def test_an_unused_session_expires(timed):
    session = timed.open_session(ttl=wire.seconds(5))
    watching = timed.open_session(ttl=wire.seconds(5))
    kept = watch(timed, watching, heartbeat_interval=wire.seconds(1))
    kept.take()
    one = timed.declare(exclusive=True, session_id=session)
    other = timed.declare(exclusive=True, session_id=watching)
    timed.advance(4.9)
    assert timed.exists(one)
    timed.advance(0.1)
    assert not timed.exists(one)
    assert timed.exists(other), "a watched session does not expire"
    kept.break_off()
    assert timed.exists(other), "and lives on for its ttl, as it is not bound to the watch"
    timed.close_session(watching)


def test_a_watch_hears_of_an_expired_exclusive_queue(client, session):
    watching = watch(client, session)
    name = client.declare(exclusive=True, session_id=session,
                          options=topology_pb2.QueueOptions(expires_ms=100))
    deleted = watching.take(lambda r: r.HasField("queue_deleted")).queue_deleted
    assert (deleted.queue, deleted.reason) == (name, types_pb2.CANCEL_REASON_QUEUE_EXPIRED)
    watching.break_off()


def test_a_request_of_a_session_with_another_vhost_is_a_mismatch(client, session):
    with wire.fails(grpc.StatusCode.INVALID_ARGUMENT, "VHOST_MISMATCH"):
        client.declare(session_id=session, vhost="other")


def test_VHOST_04_deleting_the_vhost_ends_sessions_and_streams(client):
    vhost = wire.new_name("vhost")
    client.admin.PutVhost(admin_pb2.PutVhostRequest(vhost=admin_pb2.Vhost(name=vhost)))
    session = client.open_session(vhost=vhost)
    client.declare("q", session_id=session)
    stream = wire.ConsumeStream.open(client, vhost=vhost)
    stream.start("q")
    watching = watch(client, session)
    client.admin.DeleteVhost(admin_pb2.DeleteVhostRequest(name=vhost))
    assert stream.end() == (NOT_FOUND, "VHOST_NOT_FOUND")
    assert watching.end()[0] in (grpc.StatusCode.ABORTED, NOT_FOUND)
    with wire.fails(NOT_FOUND, "VHOST_NOT_FOUND"):
        client.declare("q", vhost=vhost)
