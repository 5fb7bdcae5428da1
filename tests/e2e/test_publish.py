"""Publish, PublishBatch and PublishStream."""
import grpc
import pytest
import wire
from kelpmq.v1 import messaging_pb2 as pb

NOT_FOUND, FAILED = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION
INVALID = grpc.StatusCode.INVALID_ARGUMENT


def item(key="", body="", **fields):
    return pb.PublishItem(routing_key=key, message=wire.message(body), **fields)


def publish_stream(client, *requests):
    """The stream, with `requests` sent on it."""
    return wire.Stream.two_way(client.messaging.PublishStream, *requests)


def confirmed_of(responses):
    return sorted(n for r in responses for c in r.confirmed for n in range(c.first, c.last + 1))


def all_of(stream):
    """Half-closes, and returns everything that came up to the OK."""
    stream.half_close()
    assert stream.end() == (grpc.StatusCode.OK, "")
    responses = []
    while stream._set_aside:
        responses.append(stream.take())
    return responses


def test_publish_tells_how_many_queues_took_the_message(client):
    exchange = client.declare_exchange("fanout")
    for name in (client.declare(), client.declare()):
        client.bind(name, exchange)
    response = client.messaging.Publish(pb.PublishRequest(exchange=exchange))
    assert (response.queue_count, response.duplicate) == (2, False)


def test_a_crowded_queue_holds_no_publisher_up(client):
    name = client.declare()
    consumer = wire.ConsumeStream.open(client)
    consumer.start(name, prefetch_count=1)
    batches = [pb.PublishStreamRequest(routing_key=name, items=[pb.PublishItem()] * 1000)] * 40
    assert confirmed_of(all_of(publish_stream(client, *batches))) == list(range(1, 41))
    assert client.ready(name) == 39_999
    consumer.call.cancel()


def test_MAND_01_unroutable_mandatory_message_fails_with_312(client):
    with wire.fails(FAILED, "NO_ROUTE") as info:
        client.messaging.Publish(pb.PublishRequest(routing_key="no-such-queue", mandatory=True))
    assert dict(info.value.trailing_metadata())["kelpmq-amqp-code"] == "312"


def test_MAND_04_unroutable_message_is_dropped_silently(client):
    response = client.messaging.Publish(pb.PublishRequest(routing_key="no-such-queue"))
    assert response.queue_count == 0


def test_MAND_05_absent_exchange_is_not_found(client):
    with wire.fails(NOT_FOUND, "EXCHANGE_NOT_FOUND"):
        client.messaging.Publish(pb.PublishRequest(exchange="no-such-exchange"))


def test_a_batch_names_its_failed_items_and_publishes_the_others(client):
    name = client.declare()
    response = client.messaging.PublishBatch(pb.PublishBatchRequest(items=[
        item(name, "a"), item("x", "b", exchange="no-such-exchange"), item("nowhere", "c"),
        item("nowhere", "d", mandatory=True), item(name, "e")]))
    assert [(f.index, f.reason, f.amqp_code) for f in response.failures] == [
        (1, "EXCHANGE_NOT_FOUND", 404), (3, "NO_ROUTE", 312)]
    assert (response.accepted_count, response.unrouted_count) == (3, 1)
    assert wire.bodies(client.get(name, max_messages=10).deliveries) == ["a", "e"]


def test_an_empty_batch_is_ok(client):
    response = client.messaging.PublishBatch(pb.PublishBatchRequest())
    assert (response.accepted_count, response.unrouted_count) == (0, 0)


def test_defaults_of_a_batch_hold_for_items_without_their_own(client):
    one, other, exchange = client.declare(), client.declare(), client.declare_exchange("direct")
    client.bind(one, exchange, "one")
    client.bind(other, exchange, "other")
    client.messaging.PublishBatch(pb.PublishBatchRequest(
        exchange=exchange, routing_key="one", items=[item(body="a"), item("other", "b")]))
    assert wire.bodies(client.get(one, max_messages=9).deliveries) == ["a"]
    assert wire.bodies(client.get(other, max_messages=9).deliveries) == ["b"]


def test_too_many_items_fail_the_batch_whole(client):
    name = client.declare()
    with wire.fails(INVALID, "INVALID_VALUE"):
        client.messaging.PublishBatch(
            pb.PublishBatchRequest(routing_key=name, items=[pb.PublishItem()] * 10_001))
    assert client.ready(name) == 0


def test_CONF_01_every_sequence_is_confirmed_once(client):
    name = client.declare()
    responses = all_of(publish_stream(client, *(
        pb.PublishStreamRequest(routing_key=name, items=[item(body=f"{n}.{i}") for i in range(3)])
        for n in range(200))))
    assert confirmed_of(responses) == list(range(1, 201))
    assert client.ready(name) == 600


def test_TOPIC_10_items_of_a_stream_keep_their_order(client):
    name, exchange = client.declare(), client.declare_exchange("topic")
    client.bind(name, exchange, "#")
    all_of(publish_stream(client, *(
        pb.PublishStreamRequest(exchange=exchange, items=[item(f"k.{n}", f"{n}")])
        for n in range(100))))
    assert wire.bodies(client.get(name, max_messages=1000).deliveries) == [
        str(n) for n in range(100)]


def test_CONF_02_an_unroutable_message_is_confirmed_and_counted(client):
    responses = all_of(publish_stream(
        client, pb.PublishStreamRequest(items=[item("nowhere"), item("nowhere")])))
    assert confirmed_of(responses) == [1]
    assert sum(r.unrouted_count for r in responses) == 2


def test_MAND_03_a_failure_does_not_come_after_its_confirm(client):
    name = client.declare()
    stream = publish_stream(client, pb.PublishStreamRequest(
        sequence=7, items=[item(name), item("nowhere", mandatory=True), item(name)]))
    first = stream.take()
    assert [(f.sequence, f.index, f.reason, f.amqp_code) for f in first.failures] == [
        (7, 1, "NO_ROUTE", 312)]
    rest = [first, *all_of(stream)]
    assert confirmed_of(rest) == [7]
    assert client.ready(name) == 2


def test_a_request_without_items_is_confirmed(client):
    stream = publish_stream(client, pb.PublishStreamRequest())
    assert confirmed_of([stream.take()]) == [1]
    assert all_of(stream) == []


def test_a_sequence_may_jump_and_zero_is_the_next(client):
    responses = all_of(publish_stream(
        client, *(pb.PublishStreamRequest(sequence=n) for n in (5, 0, 9, 0))))
    assert confirmed_of(responses) == [5, 6, 9, 10]


def test_a_sequence_that_does_not_increase_ends_the_stream(client):
    name = client.declare()
    stream = publish_stream(
        client, pb.PublishStreamRequest(sequence=5, items=[item(name)]),
        pb.PublishStreamRequest(sequence=5, items=[item(name)]))
    assert stream.end() == (INVALID, "SEQUENCE_OUT_OF_ORDER")
    assert client.ready(name) == 1, "the first was read, so it is published"


@pytest.mark.parametrize("changed", [
    {"vhost": "other"}, {"producer_id": "other"}, {"confirms": pb.CONFIRM_MODE_NONE}])
def test_what_the_first_message_fixed_cannot_change(client, changed):
    stream = publish_stream(
        client, pb.PublishStreamRequest(), pb.PublishStreamRequest(**changed))
    code, reason = stream.end()
    assert code == INVALID and reason


def test_confirms_failures_reports_failures_only(client):
    responses = all_of(publish_stream(
        client, pb.PublishStreamRequest(
            confirms=pb.CONFIRM_MODE_FAILURES, items=[item("nowhere", mandatory=True), item("x")]),
        pb.PublishStreamRequest(items=[item("x")])))
    assert confirmed_of(responses) == []
    assert [(f.sequence, f.index) for r in responses for f in r.failures] == [(1, 0)]


def test_confirms_none_publishes_and_reports_nothing(client):
    name = client.declare()
    responses = all_of(publish_stream(client, pb.PublishStreamRequest(
        confirms=pb.CONFIRM_MODE_NONE, items=[item(name), item("nowhere", mandatory=True)])))
    assert confirmed_of(responses) == [] and not any(r.failures for r in responses)
    assert client.ready(name) == 1


def test_a_message_over_the_limit_fails_alone(client):
    name = client.declare()
    limit = client.messaging.GetServerInfo(
        pb.GetServerInfoRequest()).limits.max_message_bytes
    response = client.messaging.PublishBatch(pb.PublishBatchRequest(routing_key=name, items=[
        pb.PublishItem(message=wire.message(b"x" * limit)), item(body="small")]))
    assert [(f.index, f.reason) for f in response.failures] == [(0, "MESSAGE_TOO_LARGE")]
    assert wire.bodies(client.get(name, max_messages=9).deliveries) == ["small"]


def test_MSG_02_an_empty_message_is_delivered(client):
    name = client.declare()
    client.messaging.Publish(pb.PublishRequest(routing_key=name))
    [delivery] = client.get(name).deliveries
    assert delivery.message == wire.message()


def test_features_of_later_releases_say_so(client):
    with wire.fails(grpc.StatusCode.UNIMPLEMENTED, "FEATURE_UNSUPPORTED"):
        client.messaging.Publish(pb.PublishRequest(producer_id="p", sequence=1))
