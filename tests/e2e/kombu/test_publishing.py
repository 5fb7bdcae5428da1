"""Publishing: confirms, returns, errors, batches."""
import kombu
import pytest
from amqp.exceptions import ChannelError, MessageNacked, NotFound, PreconditionFailed
from conftest import drain, get, publish, wait_until


def test_mandatory_messages_without_a_route_are_raised(connection, channel):
    publish(channel, "back", "no-such-queue", mandatory=True)
    with pytest.raises(ChannelError) as found:
        drain(connection)
    assert found.value.reply_code == 312
    assert found.value.reply_text == "NO_ROUTE"


def test_mandatory_messages_without_a_route_are_returned(connection, channel):
    returned = []
    channel.events["basic_return"].add(lambda *args: returned.append(args))
    publish(channel, "back", "no-such-queue", mandatory=True, correlation_id="c", headers={"h": 1})
    drain(connection)
    [(error, exchange, routing_key, message)] = returned
    assert (error.reply_code, exchange, routing_key) == (312, "", "no-such-queue")
    assert message.body in ("back", b"back")
    assert message.properties["correlation_id"] == "c"
    assert message.properties["application_headers"] == {"h": 1}


def test_routed_mandatory_messages_are_not_returned(connection, channel, queue):
    publish(channel, "x", queue, mandatory=True)
    drain(connection)
    assert get(channel, queue).body == "x"


def test_a_large_message_among_small_ones(channel, queue):
    """The broker takes 4 MiB at once, which one of 4,000,000 bytes fills nearly."""
    for _ in range(3):
        for _ in range(100):
            publish(channel, "x" * 10_000, queue)
        publish(channel, "x" * 4_000_000, queue)
    assert channel.queue_purge(queue) == 303


def test_a_missing_exchange_is_raised_later(connection, channel):
    publish(channel, "x", "k", "no-such-exchange")
    with pytest.raises(NotFound) as found:
        drain(connection)
    assert "no exchange 'no-such-exchange'" in found.value.reply_text


def test_a_missing_exchange_is_raised_by_the_next_call(channel):
    publish(channel, "x", "k", "no-such-exchange")
    with pytest.raises(NotFound):
        channel.queue_declare("", exclusive=True)
    channel.queue_declare("", exclusive=True)


def test_confirmed_publishes_raise_at_once(connect):
    channel = connect(confirm_publish=True).channel()
    with pytest.raises(NotFound):
        publish(channel, "x", "k", "no-such-exchange")


def test_confirmed_publishes_are_in_the_queue(connect, name):
    channel = connect(confirm_publish=True).channel()
    channel.queue_declare(name, auto_delete=False)
    publish(channel, "x", name)
    assert channel.queue_declare(name, passive=True).message_count == 1


def test_a_full_queue_nacks(connect, name):
    channel = connect(confirm_publish=True).channel()
    channel.queue_declare(name, auto_delete=False, arguments={
        "x-max-length": 1, "x-overflow": "reject-publish"})
    publish(channel, "1", name)
    with pytest.raises(MessageNacked):
        publish(channel, "2", name)
    get(channel, name)
    publish(channel, "3", name)


def test_without_confirms_a_full_queue_says_nothing(connection, channel, name):
    channel.queue_declare(name, auto_delete=False, arguments={
        "x-max-length": 1, "x-overflow": "reject-publish"})
    publish(channel, "1", name)
    publish(channel, "2", name)
    drain(connection)
    assert get(channel, name).body == "1"
    assert channel.basic_get(name) is None


@pytest.mark.parametrize("expiration", ["abc", "-1"])
def test_a_bad_expiration(connection, channel, queue, expiration):
    publish(channel, "x", queue, expiration=expiration)
    with pytest.raises(PreconditionFailed) as found:
        drain(connection)
    assert f"invalid expiration '{expiration}'" in found.value.reply_text


def test_closing_a_connection_sends_what_was_published(connect, channel, queue):
    other = connect()
    sender = other.channel()
    for i in range(1000):
        publish(sender, str(i), queue)
    other.release()
    wait_until(lambda: channel.queue_declare(queue, passive=True).message_count == 1000)


def test_batches(connection, queue):
    if not connection.transport.implements.batch_publish:
        pytest.skip("this transport has none")
    producer = kombu.Producer(connection.channel())
    with producer.batch(max_size=10):
        for i in range(25):
            producer.publish({"n": i}, routing_key=queue)
    channel = connection.channel()
    assert channel.queue_declare(queue, passive=True).message_count == 25
    assert [get(channel, queue).payload["n"] for _ in range(25)] == list(range(25))


def test_an_aborted_batch_sends_nothing(connection, queue):
    if not connection.transport.implements.batch_publish:
        pytest.skip("this transport has none")
    producer = kombu.Producer(connection.channel())
    with pytest.raises(ZeroDivisionError), producer.batch():
        producer.publish({}, routing_key=queue)
        raise ZeroDivisionError
    assert connection.channel().queue_declare(queue, passive=True).message_count == 0


def test_a_batch_raises_what_went_wrong(connection):
    if not connection.transport.implements.batch_publish:
        pytest.skip("this transport has none")
    producer = kombu.Producer(connection.channel())
    with pytest.raises(NotFound), producer.batch():
        producer.publish({}, routing_key="k", exchange="no-such-exchange")
