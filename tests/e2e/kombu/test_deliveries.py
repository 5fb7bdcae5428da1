"""Consumers, gets, acknowledgements and prefetch."""
import datetime
import decimal

import kelpmq
import pytest
from amqp.exceptions import (
    AccessRefused,
    AMQPNotImplementedError,
    ConsumerCancelled,
    NotFound,
    PreconditionFailed,
    RecoverableConnectionError,
)
from conftest import Received, drain, get, publish, wait_until


def consume(channel, queue, callback, tag="c", **more):
    channel.basic_consume(
        queue, tag, callback=lambda m: callback(channel.message_to_python(m)), **more)


def fill(channel, queue, number):
    for i in range(number):
        publish(channel, str(i), queue)
    wait_until(lambda: channel.queue_declare(queue, passive=True).message_count == number)


def test_delivery_info_and_properties(channel, queue, received):
    publish(channel, "b", queue, priority=3, headers={"h": 1}, correlation_id="c", reply_to="r",
            message_id="m", type="t", app_id="a", timestamp=1700000000, delivery_mode=2)
    consume(channel, queue, received)
    [message] = received.wait(1)
    assert message.delivery_tag == 1
    assert message.delivery_info == {
        "consumer_tag": "c", "delivery_tag": 1, "redelivered": False, "exchange": "",
        "routing_key": queue}
    assert message.properties == {
        "content_type": "text/plain", "content_encoding": "utf-8",
        "application_headers": {"h": 1}, "delivery_mode": 2, "priority": 3,
        "correlation_id": "c", "reply_to": "r", "message_id": "m", "type": "t", "app_id": "a",
        "timestamp": 1700000000}
    assert (message.body, message.content_type, message.headers) == ("b", "text/plain", {"h": 1})


def test_types_of_headers(channel, queue):
    headers = {
        "text": "é", "int": -5, "long": 1 << 40, "float": 1.5, "yes": True, "nothing": None,
        "bytes": b"ascii", "decimal": decimal.Decimal("3.14"),
        "time": datetime.datetime(2024, 5, 6, 7, 8, 9),
        "list": [1, None, "x", [2]], "table": {"a": {"b": [None, None]}}, "empty": {},
    }
    publish(channel, "x", queue, headers=headers)
    found = get(channel, queue).headers
    # py-amqp writes bytes as a string, so they come back from RabbitMQ as one.
    assert found.pop("bytes") in (b"ascii", "ascii")
    del headers["bytes"]
    assert found == headers


def test_times_that_no_datetime_can_be_are_numbers(broker, channel, queue):
    """A client that writes milliseconds where AMQP has seconds must not end the consumer."""
    headers = {"at": kelpmq.Timestamp(1_795_675_000_000_000)}
    with kelpmq.Client(broker.address) as client:
        client.publish(b"", queue, headers=headers)
    assert get(channel, queue).headers == {"at": 1_795_675_000_000_000}


def test_bodies_are_text_if_their_encoding_says_so(channel, queue):
    for encoding, body, wanted in (("utf-8", "é", "é"), ("binary", b"\xff", b"\xff"),
                                   ("utf-8", b"\xff", b"\xff"), (None, b"x", b"x")):
        channel.basic_publish(channel.prepare_message(
            body, content_encoding=encoding, headers={}, properties={}), "", queue)
        assert get(channel, queue).body == wanted


def test_get_counts_what_is_left(channel, queue):
    fill(channel, queue, 3)
    message = channel.basic_get(queue, no_ack=True)
    assert message.delivery_info["message_count"] == 2
    assert message.delivery_info["redelivered"] is False
    assert message.delivery_tag == 1


def test_get_of_nothing(channel, queue):
    assert channel.basic_get(queue) is None


def test_get_from_a_missing_queue(channel):
    with pytest.raises(NotFound):
        channel.basic_get("no-such-queue")


def test_consume_from_a_missing_queue(channel, received):
    with pytest.raises(NotFound):
        channel.basic_consume("no-such-queue", "c", callback=received)


def test_nowait_consume_from_a_missing_queue_fails_later(connection, channel, received):
    channel.basic_consume("no-such-queue", "c", callback=received, nowait=True)
    with pytest.raises(NotFound):
        drain(connection)


def test_exclusive_consumers(connect, channel, queue, received):
    channel.basic_consume(queue, "c", callback=received, exclusive=True)
    with pytest.raises(AccessRefused):
        connect().channel().basic_consume(queue, "d", callback=received)


def test_prefetch_two_then_one_acknowledgement(connection, channel, queue, held):
    fill(channel, queue, 5)
    channel.basic_qos(0, 2, False)
    consume(channel, queue, held)
    held.wait(2).quiet()
    held[0].ack()
    held.wait(3).quiet()


def test_prefetch_of_the_channel_is_live(connection, channel, queue, held):
    fill(channel, queue, 6)
    channel.basic_qos(0, 1, True)
    consume(channel, queue, held)
    held.wait(1).quiet()
    channel.basic_qos(0, 3, True)
    held.wait(3).quiet()
    channel.basic_qos(0, 1, True)
    held[0].ack()
    held[1].ack()
    held.quiet()
    held[2].ack()
    held.wait(4).quiet()
    channel.basic_qos(0, 0, True)
    held.wait(6)


def test_prefetch_of_the_channel_bounds_its_consumers_together(channel, queue, held):
    fill(channel, queue, 6)
    channel.basic_qos(0, 3, True)
    consume(channel, queue, held, "c")
    consume(channel, queue, held, "d")
    held.wait(3).quiet()


def test_prefetch_by_size_does_not_exist(channel):
    with pytest.raises(AMQPNotImplementedError):
        channel.basic_qos(10, 0, False)


def test_redelivered(channel, queue):
    publish(channel, "x", queue)
    first = get(channel, queue, no_ack=False)
    assert first.delivery_info["redelivered"] is False
    first.requeue()
    second = get(channel, queue)
    assert second.delivery_info["redelivered"] is True


def test_requeued_messages_keep_their_place(channel, queue):
    fill(channel, queue, 3)
    get(channel, queue, no_ack=False).requeue()
    assert [get(channel, queue).body for _ in range(3)] == ["0", "1", "2"]


def test_unacknowledged_messages_come_back_when_the_connection_closes(connect, channel, queue):
    fill(channel, queue, 2)
    other = connect()
    held = Received(other, ack=False)
    consume(other.channel(), queue, held)
    held.wait(2)
    other.release()
    found = [get(channel, queue) for _ in range(2)]
    assert [message.body for message in found] == ["0", "1"]
    assert all(message.delivery_info["redelivered"] for message in found)


def test_unacknowledged_messages_come_back_when_the_channel_closes(connection, channel, queue):
    fill(channel, queue, 1)
    other = connection.channel()
    get(other, queue, no_ack=False)
    other.close()
    assert get(channel, queue).delivery_info["redelivered"] is True


def test_two_consumers_of_a_queue_take_turns(connection, channel, queue):
    a, b = Received(connection), Received(connection)
    channel.basic_qos(0, 1, False)
    consume(channel, queue, a, "a")
    consume(channel, queue, b, "b")
    for i in range(6):
        publish(channel, str(i), queue)
    deadline = 100
    while len(a) + len(b) < 6 and deadline:
        connection.drain_events(timeout=5)
        deadline -= 1
    assert (len(a), len(b)) == (3, 3)


def test_consumers_with_priority_come_first(connection, channel, queue):
    low, high = Received(connection), Received(connection)
    consume(channel, queue, low, "low")
    consume(channel, queue, high, "high", arguments={"x-priority": 5})
    for i in range(4):
        publish(channel, str(i), queue)
    high.wait(4)
    assert not low


def test_acknowledge_many(channel, queue, held):
    fill(channel, queue, 4)
    consume(channel, queue, held)
    held.wait(4)
    held[2].ack(multiple=True)
    channel.basic_cancel("c")
    channel.basic_recover(requeue=True)
    assert get(channel, queue).body == "3"
    assert channel.basic_get(queue) is None


@pytest.mark.parametrize("tag", [5, 0])
def test_unknown_delivery_tags_close_the_channel(connection, channel, queue, held, tag):
    fill(channel, queue, 1)
    consume(channel, queue, held)
    held.wait(1)
    channel.basic_ack(tag)
    with pytest.raises(PreconditionFailed) as found:
        drain(connection)
    assert f"unknown delivery tag {tag}" in found.value.reply_text
    assert get(channel, queue).delivery_info["redelivered"] is True


def test_acknowledging_twice_closes_the_channel(connection, channel, queue, held):
    fill(channel, queue, 1)
    consume(channel, queue, held)
    held.wait(1)
    channel.basic_ack(1)
    channel.basic_ack(1)
    with pytest.raises(PreconditionFailed):
        drain(connection)


def test_delivery_tags_start_anew_after_an_error(connection, channel, queue, held):
    fill(channel, queue, 2)
    consume(channel, queue, held)
    held.wait(2)
    with pytest.raises(NotFound):
        channel.queue_declare("no-such-queue", passive=True)
    assert channel.basic_get(queue).delivery_tag == 1


def test_cancel_hands_over_what_was_under_way(channel, queue, held):
    fill(channel, queue, 3)
    consume(channel, queue, held)
    held.wait(1)
    channel.basic_cancel("c")
    assert len(held) == 3


def test_cancel_of_an_unknown_consumer(channel):
    channel.basic_cancel("nobody")


def test_no_ack(channel, queue, held):
    fill(channel, queue, 2)
    consume(channel, queue, held, no_ack=True)
    held.wait(2)
    held[0].ack()  # Kombu knows that there is nothing to do.
    assert channel.no_ack_consumers == {"c"}
    channel.basic_cancel("c")
    assert channel.queue_declare(queue, passive=True).message_count == 0


def test_a_consumer_is_told_that_its_queue_was_deleted(connect, connection, channel, queue, held):
    consume(channel, queue, held)
    connect().channel().queue_delete(queue)
    with pytest.raises(ConsumerCancelled) as found:
        drain(connection)
    assert isinstance(found.value, RecoverableConnectionError)


def test_a_consumer_with_on_cancel_is_called(connect, connection, channel, queue, held):
    told = []
    consume(channel, queue, held, on_cancel=told.append)
    connect().channel().queue_delete(queue)
    drain(connection)
    assert told == ["c"]


def test_acknowledging_a_delivery_of_a_deleted_queue_does_nothing(connection, channel, queue):
    publish(channel, "x", queue)
    message = get(channel, queue, no_ack=False)
    channel.queue_delete(queue)
    message.ack()
    drain(connection)
    channel.queue_declare(queue, auto_delete=False)


def test_recover(channel, queue):
    fill(channel, queue, 2)
    get(channel, queue, no_ack=False)
    channel.basic_recover(requeue=True)
    assert [get(channel, queue).body for _ in range(2)] == ["0", "1"]


def test_many_messages_arrive_in_order(connection, channel, queue, received):
    number = 5000
    channel.basic_qos(0, 100, False)
    consume(channel, queue, received)
    for i in range(number):
        publish(channel, str(i), queue)
    assert received.wait(number).bodies == [str(i) for i in range(number)]
