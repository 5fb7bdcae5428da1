"""What open streams, sessions and leases make of users: whose they are, and what ends them."""
import datetime
import json
import subprocess

import broker as broker_process
import grpc
import pytest
import users
import wire
from kelpmq.v1 import admin_pb2, session_pb2, types_pb2
from kelpmq.v1 import messaging_pb2 as pb

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
PERMISSION_DENIED = grpc.StatusCode.PERMISSION_DENIED


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    file = users.write(tmp_path_factory.mktemp("users") / "users.json",
                       users=[users.user("root", "administrator")],
                       permissions=[users.permission("root", **users.ALL)])
    with broker_process.running("--users-file", file) as running:
        yield running


@pytest.fixture
def root(guarded):
    client = wire.Client(guarded.address, wire.basic("root", users.password_of("root")))
    yield client
    client.close()


@pytest.fixture
def someone(root, guarded):
    """A client of a new user `someone.name` who may do everything."""
    name = wire.new_name("user")
    put(root, name)
    allow(root, name, **users.ALL)
    client = wire.Client(guarded.address, wire.basic(name, users.password_of(name)))
    client.name = name
    yield client
    client.close()


def put(root, name: str, password: str | None = None) -> None:
    root.admin.PutUser(admin_pb2.PutUserRequest(
        user=admin_pb2.User(name=name), password=password or users.password_of(name)), timeout=wire.PATIENCE)


def allow(root, name: str, **patterns: str) -> None:
    root.admin.SetPermission(admin_pb2.SetPermissionRequest(permission=admin_pb2.Permission(
        user=name, **{**users.NONE, **patterns})), timeout=wire.PATIENCE)


def forbid(root, name: str) -> None:
    root.admin.ClearPermission(admin_pb2.ClearPermissionRequest(user=name), timeout=wire.PATIENCE)


def delete(root, name: str) -> None:
    root.admin.DeleteUser(admin_pb2.DeleteUserRequest(name=name), timeout=wire.PATIENCE)


def open_streams(client: wire.Client) -> list[wire.Stream]:
    """One of each kind that goes on, all of them begun."""
    queue = client.declare()
    consume = wire.ConsumeStream.open(client)
    consume.start(queue)
    subscribe = wire.Stream(client.messaging.Subscribe(
        pb.SubscribeRequest(start=pb.ConsumerSpec(queue=queue))))
    subscribe.take()
    publish = wire.Stream.two_way(client.messaging.PublishStream, pb.PublishStreamRequest())
    publish.take()
    session = client.open_session()
    watch = wire.Stream(client.session.WatchSession(session_pb2.WatchSessionRequest(session_id=session)))
    watch.take()
    return [consume, subscribe, publish, watch]


def test_streams_end_with_their_user(root, someone):
    streams = open_streams(someone)
    delete(root, someone.name)
    assert {stream.end() for stream in streams} == {(UNAUTHENTICATED, "BAD_CREDENTIALS")}


def test_streams_end_with_the_password(root, someone):
    streams = open_streams(someone)
    put(root, someone.name, "another")
    assert {stream.end() for stream in streams} == {(UNAUTHENTICATED, "BAD_CREDENTIALS")}


def test_the_same_password_again_ends_nothing(root, someone):
    stream = wire.ConsumeStream.open(someone)
    stream.ping()
    put(root, someone.name)
    allow(root, someone.name, **users.ALL)
    stream.ping()
    stream.call.cancel()


def test_streams_end_with_the_permission_in_the_vhost(root, someone):
    streams = open_streams(someone)
    forbid(root, someone.name)
    assert {stream.end() for stream in streams} == {(PERMISSION_DENIED, "VHOST_ACCESS_REFUSED")}


def test_a_consumer_ends_with_the_permission_to_read(root, someone):
    kept, lost = someone.declare("kept-" + wire.new_name()), someone.declare("lost-" + wire.new_name())
    stream = wire.ConsumeStream.open(someone)
    stream.start(kept, consumer_id=1)
    stream.start(lost, consumer_id=2)
    subscribe = wire.Stream(someone.messaging.Subscribe(
        pb.SubscribeRequest(start=pb.ConsumerSpec(queue=lost))))
    subscribe.take()
    someone.publish(lost, "held")
    allow(root, someone.name, configure=".*", write=".*", read="^kept")
    cancelled = stream.event("cancelled")
    assert (cancelled.consumer_id, cancelled.reason, cancelled.error.reason) == (
        2, types_pb2.CANCEL_REASON_ACCESS_REVOKED, "ACCESS_REFUSED")
    assert subscribe.end() == (PERMISSION_DENIED, "ACCESS_REFUSED")
    someone.publish(kept, "still")
    assert "still" in wire.bodies(stream.take(
        lambda r: any(d.message.body == b"still" for d in r.deliveries.deliveries)).deliveries.deliveries)
    stream.call.cancel()


def test_a_publisher_is_refused_item_by_item(root, someone):
    queue = someone.declare()
    stream = wire.Stream.two_way(someone.messaging.PublishStream, pb.PublishStreamRequest(
        routing_key=queue, items=[pb.PublishItem(message=wire.message("a"))]))
    assert stream.take().confirmed
    allow(root, someone.name, configure=".*", read=".*")
    stream.send(pb.PublishStreamRequest(routing_key=queue, items=[pb.PublishItem(message=wire.message("b"))]))
    assert [f.reason for f in stream.take().failures] == ["ACCESS_REFUSED"]
    allow(root, someone.name, **users.ALL)
    stream.send(pb.PublishStreamRequest(routing_key=queue, items=[pb.PublishItem(message=wire.message("c"))]))
    assert not stream.take().failures
    stream.half_close()
    assert stream.end()[0] == grpc.StatusCode.OK
    assert wire.bodies(root.get(queue, max_messages=9).deliveries) == ["a", "c"]


def test_a_get_that_waits_ends_with_the_permission(root, someone):
    queue = someone.declare()
    call = someone.messaging.Get.future(pb.GetRequest(queue=queue, wait=wire.seconds(60)),
                                        timeout=wire.PATIENCE)
    allow(root, someone.name, configure=".*", write=".*", read="x^")
    # The call may not have begun to wait by then: refused all the same.
    assert call.code() == PERMISSION_DENIED
    assert wire.reason_of(call.exception()) == "ACCESS_REFUSED"


def test_streams_end_with_their_token(tmp_path):
    made = subprocess.run([broker_process.binary(), "make-token", "root"], capture_output=True, text=True,
                          check=True, timeout=wire.PATIENCE)
    # Far enough for a stream to begin on a slow machine, near enough to wait for.
    expires = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)
    file = users.write(
        tmp_path / "users.json", users=[users.user("root")],
        permissions=[users.permission("root", **users.ALL)],
        tokens=[{**json.loads(made.stderr), "expires": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}])
    with broker_process.running("--users-file", file) as running:
        client = wire.Client(running.address, f"Bearer {made.stdout.strip()}")
        assert wire.ConsumeStream.open(client).end() == (UNAUTHENTICATED, "TOKEN_EXPIRED")
        client.close()


def test_a_session_is_its_users_alone(root, someone):
    session = someone.open_session()
    queue = someone.declare(exclusive=True, session_id=session)
    for refused in (
            lambda: root.session.KeepSessionAlive(
                session_pb2.KeepSessionAliveRequest(session_id=session), timeout=wire.PATIENCE),
            lambda: root.close_session(session),
            lambda: root.declare(queue, exclusive=True, session_id=session),
            lambda: root.get(queue, session_id=session)):
        with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
            refused()
    assert wire.ConsumeStream.open(root, session_id=session).end() == (PERMISSION_DENIED, "ACCESS_REFUSED")
    listed = root.admin.ListSessions(admin_pb2.ListSessionsRequest(), timeout=wire.PATIENCE).sessions
    assert someone.name in [s.user for s in listed]
    someone.close_session(session)


def test_sessions_end_with_their_user(root, someone):
    session = someone.open_session()
    queue = someone.declare(exclusive=True, session_id=session)
    delete(root, someone.name)
    assert not [s for s in root.admin.ListSessions(
        admin_pb2.ListSessionsRequest(), timeout=wire.PATIENCE).sessions if s.user == someone.name]
    with wire.fails(grpc.StatusCode.NOT_FOUND, "QUEUE_NOT_FOUND"):
        root.declare(queue, passive=True)


def test_a_lease_is_its_users_alone(root, someone):
    queue = someone.filled("ab")
    got = someone.get(queue)
    stream = wire.ConsumeStream.open(someone)
    streams_lease = stream.start(queue).lease_id
    for lease in (got.lease_id, streams_lease):
        with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
            root.messaging.Ack(pb.AckRequest(lease_id=lease, delivery_tags=[1]), timeout=wire.PATIENCE)
    with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
        root.messaging.ExtendLease(pb.ExtendLeaseRequest(lease_id=got.lease_id), timeout=wire.PATIENCE)
    assert someone.messaging.Ack(pb.AckRequest(
        lease_id=got.lease_id, delivery_tags=[1]), timeout=wire.PATIENCE).settled_count == 1
    stream.call.cancel()
