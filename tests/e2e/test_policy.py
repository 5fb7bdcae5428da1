"""Policies and the limits of a vhost."""
import grpc
import pytest
import wire
from kelpmq.v1 import admin_pb2, messaging_pb2 as pb, topology_pb2, types_pb2

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def value(content) -> types_pb2.Value:
    if isinstance(content, int):
        return types_pb2.Value(int64_value=content)
    return types_pb2.Value(string_value=content)


def put(client, name, pattern, priority=0, apply_to=admin_pb2.POLICY_TARGET_ALL, **settings):
    return client.admin.PutPolicy(admin_pb2.PutPolicyRequest(policy=admin_pb2.Policy(
        name=name, pattern=pattern, priority=priority, apply_to=apply_to,
        definition={key.replace("_", "-"): value(v) for key, v in settings.items()})),
        timeout=wire.PATIENCE).created


def delete(client, name):
    return client.admin.DeletePolicy(
        admin_pb2.DeletePolicyRequest(name=name), timeout=wire.PATIENCE).deleted


@pytest.fixture
def policy():
    """The name of a policy that is deleted afterwards."""
    return wire.new_name("policy")


def test_POLICY_04_acts_at_once_and_is_undone(timed, policy):
    queue = timed.filled()
    assert put(timed, policy, f"^{queue}$", max_length=2)
    assert timed.ready(queue) == 2
    assert delete(timed, policy) and not delete(timed, policy)
    timed.publish(queue, *"xyz")
    assert wire.bodies(timed.get(queue, max_messages=9).deliveries) == [*"dexyz"]


def test_POLICY_04_a_ttl_is_for_messages_that_come_later(timed, policy):
    queue = timed.filled("a")
    put(timed, policy, f"^{queue}$", message_ttl=100)
    timed.advance(1)
    assert timed.ready(queue) == 1
    timed.get(queue, auto_ack=True)
    timed.publish(queue, "b")
    timed.advance(0.099)
    assert timed.ready(queue) == 1
    timed.advance(0.001)
    assert timed.ready(queue) == 0
    delete(timed, policy)


def test_POLICY_01_an_expiry_by_policy_starts_now(timed, policy):
    queue = timed.declare()
    timed.advance(100)
    put(timed, policy, f"^{queue}$", expires=1000)
    timed.advance(0.999)
    assert timed.exists(queue)
    timed.advance(0.001)
    assert not timed.exists(queue)
    delete(timed, policy)


def test_POLICY_02_and_POLICY_05_arguments_and_settings_meet(client, policy):
    queue = client.declare(options=topology_pb2.QueueOptions(max_length=3, overflow="reject-publish"))
    put(client, policy, f"^{queue}$", max_length=5, overflow="drop-head")
    client.publish(queue, *"abc")
    with wire.fails(EXHAUSTED, "QUEUE_FULL"):
        client.publish(queue, "d")
    put(client, policy, f"^{queue}$", max_length=1)
    client.get(queue, max_messages=9, auto_ack=True)
    client.publish(queue, "a")
    with wire.fails(EXHAUSTED, "QUEUE_FULL"):
        client.publish(queue, "b")
    delete(client, policy)


def test_POLICY_03_an_alternate_exchange_by_policy(client, policy):
    exchange = client.declare_exchange("direct")
    lost = client.declare()
    client.bind(lost, "amq.fanout")
    put(client, policy, f"^{exchange}$", apply_to=admin_pb2.POLICY_TARGET_EXCHANGES,
        alternate_exchange="amq.fanout")
    client.messaging.Publish(pb.PublishRequest(exchange=exchange, routing_key="k", mandatory=True))
    assert client.ready(lost) == 1
    delete(client, policy)
    with wire.fails(grpc.StatusCode.FAILED_PRECONDITION, "NO_ROUTE"):
        client.messaging.Publish(pb.PublishRequest(exchange=exchange, routing_key="k", mandatory=True))


def test_VHOST_05_a_vhost_may_be_full(client):
    vhost = wire.new_name("vhost")
    client.admin.PutVhost(admin_pb2.PutVhostRequest(vhost=admin_pb2.Vhost(
        name=vhost, max_queues=1, max_connections=1)))
    session = client.open_session(vhost=vhost)
    with wire.fails(EXHAUSTED, "LIMIT_EXCEEDED"):
        client.open_session(vhost=vhost)
    client.declare("q", vhost=vhost)
    with wire.fails(EXHAUSTED, "LIMIT_EXCEEDED") as info:
        client.declare("r", vhost=vhost)
    assert dict(info.value.trailing_metadata())["kelpmq-amqp-code"] == "406"
    client.close_session(session)
    client.open_session(vhost=vhost)
    client.admin.DeleteVhost(admin_pb2.DeleteVhostRequest(name=vhost))


def test_QDECL_04_the_default_queue_type_of_a_vhost(client):
    vhost = wire.new_name("vhost")
    client.admin.PutVhost(admin_pb2.PutVhostRequest(vhost=admin_pb2.Vhost(
        name=vhost, default_queue_type="quorum")))

    def declared_type(**fields):
        return client.topology.DeclareQueue(topology_pb2.DeclareQueueRequest(
            vhost=vhost, name=wire.new_name(), **fields)).queue.options.queue_type

    assert declared_type(durable=True) == "quorum"
    assert declared_type() == ""
    assert declared_type(durable=True, auto_delete=True) == ""
    client.admin.DeleteVhost(admin_pb2.DeleteVhostRequest(name=vhost))
