"""Subscribe: one consumer, settled by unary calls."""
import grpc
import pytest
import wire
from kelpmq.v1 import messaging_pb2 as pb
from kelpmq.v1 import topology_pb2

NOT_FOUND, FAILED = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION


def subscribe(client, name, options=None, **spec):
    return wire.Stream(client.messaging.Subscribe(pb.SubscribeRequest(
        start=pb.ConsumerSpec(queue=name, **spec), options=options)))


def deliveries(stream, number):
    found, lease = [], ""
    while len(found) < number:
        response = stream.take(lambda r: r.deliveries)
        found += response.deliveries
        lease = response.lease_id
    return found, lease


def test_the_first_response_is_started(client):
    name = client.declare()
    client.publish(name, "a", "b")
    stream = subscribe(client, name, consumer_tag="t")
    first = stream.take()
    assert (first.started.consumer_tag, first.started.queue) == ("t", name)
    assert first.lease_id == first.started.lease_id != ""
    stream.break_off()


def test_deliveries_are_settled_by_unary_calls(client):
    name = client.declare()
    client.publish(name, *"abc")
    stream = subscribe(client, name, prefetch_count=2)
    found, lease = deliveries(stream, 2)
    assert wire.bodies(found) == ["a", "b"]
    client.messaging.Ack(pb.AckRequest(lease_id=lease, delivery_tags=[1]))
    found, lease = deliveries(stream, 1)
    assert wire.bodies(found) == ["c"]
    client.messaging.Nack(pb.NackRequest(lease_id=lease, delivery_tags=[2]))
    found, _ = deliveries(stream, 1)
    assert (wire.bodies(found), found[0].redelivered) == (["b"], True)
    stream.break_off()


def test_a_cancelled_subscription_requeues(client):
    name = client.declare()
    client.publish(name, *"abc")
    stream = subscribe(client, name)
    deliveries(stream, 3)
    stream.break_off()
    wire.until(lambda: client.ready(name) == 3, "the messages are back")
    assert wire.bodies(client.get(name, max_messages=9).deliveries) == list("abc")


def test_auto_ack_needs_no_settling(client):
    name = client.declare()
    client.publish(name, *"abc")
    stream = subscribe(client, name, auto_ack=True)
    deliveries(stream, 3)
    wire.until(lambda: client.queue(name).messages_unacked == 0, "all are settled")
    stream.break_off()
    assert client.ready(name) == 0


@pytest.mark.parametrize("request_fields, code, reason", [
    ({}, grpc.StatusCode.INVALID_ARGUMENT, "FIRST_MESSAGE"),
    ({"start": pb.ConsumerSpec(queue="no-such-queue")}, NOT_FOUND, "QUEUE_NOT_FOUND"),
    ({"start": pb.ConsumerSpec(queue="q"), "options": pb.StreamOptions(vhost="no-such-vhost")},
     NOT_FOUND, "VHOST_NOT_FOUND"),
])
def test_a_failing_start_is_the_status(client, request_fields, code, reason):
    stream = wire.Stream(client.messaging.Subscribe(pb.SubscribeRequest(**request_fields)))
    assert stream.end() == (code, reason)


def test_CANCEL_01_a_deleted_queue_ends_the_stream(client):
    name = client.declare()
    stream = subscribe(client, name)
    stream.take(lambda r: r.HasField("started"))
    client.topology.DeleteQueue(topology_pb2.DeleteQueueRequest(name=name))
    assert stream.end() == (NOT_FOUND, "QUEUE_DELETED")


def test_heartbeats_come_when_nothing_else_does(client):
    stream = subscribe(client, client.declare(),
                       options=pb.StreamOptions(heartbeat_interval=wire.seconds(1)))
    heartbeat = stream.take(lambda r: not r.deliveries and not r.HasField("started"))
    assert heartbeat.lease_id
    stream.break_off()


def test_a_temporary_queue_receives_what_its_bindings_say(client):
    exchange = client.declare_exchange("topic")
    stream = wire.Stream(client.messaging.Subscribe(pb.SubscribeRequest(start=pb.ConsumerSpec(
        temporary_queue=pb.TemporaryQueue(bindings=[
            pb.TemporaryBinding(exchange=exchange, routing_key="order.*")])))))
    stream.take(lambda r: r.HasField("started"))
    for key in ("order.new", "invoice.new"):
        client.messaging.Publish(pb.PublishRequest(
            exchange=exchange, routing_key=key, message=wire.message(key)))
    found, _ = deliveries(stream, 1)
    assert wire.bodies(found) == ["order.new"]
    stream.break_off()
