import kelpmq
import pytest
from conftest import PATIENCE
from kelpmq import _calls
from kelpmq._consuming import ACK, DISCARD, REQUEUE, ConsumeStream, merged
from kelpmq._publishing import PublishPump
from kelpmq._wire import encode_route
from kelpmq.v1 import messaging_pb2 as pb
from kelpmq.v1 import topology_pb2


@pytest.fixture
def stream(connection, events):
    stream = ConsumeStream(connection, events)
    yield stream
    stream.close(PATIENCE)


@pytest.fixture
def fill(connection, queue_name):
    """Puts numbered messages into the test's queue."""
    pump = PublishPump(connection)

    def fill(number):
        for n in range(number):
            pump.publish(b"%d" % n, b"", encode_route("", queue_name))
        assert pump.flush(PATIENCE)

    yield fill
    pump.close(PATIENCE)


def state(connection, name):
    queue = connection.call(_calls.GET_QUEUE, topology_pb2.GetQueueRequest(name=name),
                            PATIENCE).queue
    return queue.messages_ready, queue.messages_unacked


def test_deliveries_come_in_order_and_acks_take_effect(
        connection, stream, events, queue_name, fill):
    fill(1000)
    started = stream.start(pb.ConsumerSpec(queue=queue_name, prefetch_count=50), PATIENCE)
    assert started.prefetch_count == 50
    pending = []
    for n in range(1000):
        if not pending:
            stream.urge()
            pending = list(events.take("deliveries").deliveries)
        delivery = pending.pop(0)
        assert delivery.message.body == b"%d" % n
        stream.settle(ACK, delivery.delivery_tag)
    stream.ping(PATIENCE)
    assert state(connection, queue_name) == (0, 0)


def test_settles_of_all_kinds_in_any_order(connection, stream, events, queue_name, fill):
    fill(10)
    stream.start(pb.ConsumerSpec(queue=queue_name, prefetch_count=0), PATIENCE)
    events.deliveries(10)
    for tag in (9, 3, 5, 1, 7):
        stream.settle(ACK, tag)
    stream.settle(DISCARD, 2)
    for tag in (10, 4):
        stream.settle(ACK, tag)
    stream.ping(PATIENCE)
    assert state(connection, queue_name) == (0, 2)
    stream.send(cancel=pb.CancelConsumer(consumer_id=0))
    stream.settle(REQUEUE, 6)
    stream.ping(PATIENCE)
    assert state(connection, queue_name) == (1, 1)


def test_an_ack_needs_no_further_call(connection, stream, events, queue_name, fill):
    fill(3)
    stream.start(pb.ConsumerSpec(queue=queue_name, prefetch_count=1), PATIENCE)
    for n in range(3):  # the next comes only when the ack has arrived
        [delivery] = events.deliveries(1)
        assert delivery.message.body == b"%d" % n
        stream.settle(ACK, delivery.delivery_tag)


def test_get_takes_one_without_waiting(stream, queue_name, fill):
    fill(2)
    got = stream.get(queue_name, PATIENCE)
    assert (got.deliveries[0].message.body, got.message_count) == (b"0", 1)
    assert stream.get(queue_name, PATIENCE, auto_ack=True).deliveries[0].message.body == b"1"
    assert not stream.get(queue_name, PATIENCE).deliveries


def test_what_fails_is_raised(stream):
    with pytest.raises(kelpmq.NotFound) as caught:
        stream.start(pb.ConsumerSpec(queue="nowhere"), PATIENCE)
    assert caught.value.reason == "QUEUE_NOT_FOUND"
    with pytest.raises(kelpmq.NotFound):
        stream.get("nowhere", PATIENCE)
    stream.ping(PATIENCE)  # it lives on


def test_a_settle_that_fails_is_told(stream, events):
    stream.settle(ACK, 77)
    settled = events.take("settled")
    assert [(f.tags.first, f.reason) for f in settled.failures] == [
        (77, pb.SETTLE_FAILURE_REASON_UNKNOWN_TAG)]


def test_close_sends_what_has_gathered_and_requeues_the_rest(connection, events, queue_name, fill):
    fill(5)
    stream = ConsumeStream(connection, events)
    stream.start(pb.ConsumerSpec(queue=queue_name), PATIENCE)
    events.deliveries(5)
    for tag in (1, 2, 3):
        stream.settle(ACK, tag)
    stream.close(PATIENCE)
    assert events.take("ended") is None
    assert state(connection, queue_name) == (2, 0)
    stream.settle(ACK, 4)  # no effect
    with pytest.raises(kelpmq.ClientClosed):
        stream.send(ping=pb.Ping())


def test_the_end_of_the_broker_ends_it(own_broker, events):
    connection = kelpmq._connection.Connection(kelpmq.parse_address(own_broker.address))
    stream = ConsumeStream(connection, events)
    stream.ping(PATIENCE)
    own_broker.kill()
    assert isinstance(events.take("ended"), kelpmq.Unavailable)
    with pytest.raises(kelpmq.Unavailable):
        stream.ping(PATIENCE)
    connection.close()


@pytest.mark.parametrize("ranges, fewest", [
    ([[1, 1]], [[1, 1]]), ([[1, 2], [3, 4]], [[1, 4]]), ([[5, 6], [1, 2]], [[1, 2], [5, 6]]),
    ([[1, 9], [2, 3]], [[1, 9]]), ([[2, 2], [1, 1], [3, 3]], [[1, 3]])])
def test_ranges_are_merged(ranges, fewest):
    assert merged(ranges) == fewest
