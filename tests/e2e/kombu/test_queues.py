"""Queues: arguments, lifetime, ownership, dead letters."""
import time

import pytest
from amqp.exceptions import NotFound, PreconditionFailed, ResourceLocked
from conftest import drain, get, publish, wait_until


def declare(channel, name, **arguments):
    """A queue with `x-` arguments."""
    channel.queue_declare(name, auto_delete=False, arguments={
        "x-" + key.replace("_", "-"): value for key, value in arguments.items()})


def count(channel, name):
    return channel.queue_declare(name, passive=True).message_count


def test_the_declaration_counts_messages_and_consumers(channel, queue, received):
    publish(channel, "a", queue)
    publish(channel, "b", queue)
    wait_until(lambda: count(channel, queue) == 2)
    channel.basic_consume(
        queue, "c", callback=lambda m: received(channel.message_to_python(m)))
    assert channel.queue_declare(queue, passive=True).consumer_count == 1


def test_priorities(channel, name):
    declare(channel, name, max_priority=10)
    for priority in (1, 9, 5):
        publish(channel, str(priority), name, priority=priority)
    wait_until(lambda: count(channel, name) == 3)
    assert [get(channel, name).body for _ in range(3)] == ["9", "5", "1"]


def test_messages_expire(confirmed, channel, queue):
    publish(confirmed, "short", queue, expiration="50")
    publish(confirmed, "long", queue, expiration="60000")
    wait_until(lambda: count(channel, queue) == 1)
    message = get(channel, queue)
    assert message.body == "long"
    assert message.properties["expiration"] == "60000"


def test_all_messages_of_a_queue_expire(confirmed, channel, name):
    declare(channel, name, message_ttl=50)
    publish(confirmed, "short", name)
    wait_until(lambda: count(channel, name) == 0)
    assert channel.basic_get(name) is None


def test_unused_queues_expire(channel, name):
    declare(channel, name, expires=100)
    # Asking for it would keep it, and closes the channel once it is gone.
    time.sleep(0.6)
    with pytest.raises(NotFound):
        channel.queue_declare(name, passive=True)


def test_a_full_queue_drops_its_head(channel, name):
    declare(channel, name, max_length=2)
    for body in "abc":
        publish(channel, body, name)
    wait_until(lambda: count(channel, name) == 2)
    assert [get(channel, name).body for _ in range(2)] == ["b", "c"]


def test_rejected_messages_become_dead_letters(channel, name, queue):
    grave = queue
    dying = name + "-dying"
    declare(channel, dying, dead_letter_exchange="", dead_letter_routing_key=grave)
    publish(channel, "dead", dying)
    get(channel, dying, no_ack=False).reject()
    letter = get(channel, grave)
    assert letter.body == "dead"
    [death] = letter.headers["x-death"]
    assert (death["reason"], death["queue"], death["count"]) == ("rejected", dying, 1)
    assert death["routing-keys"] == [dying]
    assert letter.headers["x-first-death-reason"] == "rejected"
    channel.queue_delete(dying)


def test_expired_messages_become_dead_letters(channel, name, queue):
    dying = name + "-dying"
    declare(channel, dying, message_ttl=20, dead_letter_exchange="", dead_letter_routing_key=queue)
    publish(channel, "dead", dying)
    assert get(channel, queue).headers["x-death"][0]["reason"] == "expired"
    channel.queue_delete(dying)


def test_a_missing_queue_is_not_found(channel):
    with pytest.raises(NotFound) as found:
        channel.queue_declare("no-such-queue", passive=True)
    assert found.value.reply_code == 404
    assert "no queue 'no-such-queue' in vhost" in found.value.reply_text


def test_a_channel_goes_on_after_an_error(connection, channel, queue):
    with pytest.raises(NotFound):
        channel.queue_declare("no-such-queue", passive=True)
    publish(channel, "on", queue)
    assert get(channel, queue).body == "on"
    assert channel in connection.connection.channels.values()


def test_another_declaration_of_a_queue_fails(channel, name):
    declare(channel, name, message_ttl=1000)
    declare(channel, name, message_ttl=1000)
    with pytest.raises(PreconditionFailed) as found:
        declare(channel, name, message_ttl=2000)
    assert found.value.reply_code == 406
    assert "inequivalent arg 'x-message-ttl'" in found.value.reply_text


def test_unknown_arguments_are_kept_and_not_compared(channel, name):
    declare(channel, name, vendor_key="a")
    declare(channel, name, vendor_key="b")


def test_exclusive_queues_are_locked(connect, channel, name):
    channel.queue_declare(name, exclusive=True)
    with pytest.raises(ResourceLocked) as found:
        connect().channel().queue_declare(name, passive=True)
    assert found.value.reply_code == 405


def test_exclusive_queues_go_with_their_connection(connect, channel, name):
    other = connect()
    other.channel().queue_declare(name, exclusive=True)
    other.release()
    with pytest.raises(NotFound):
        channel.queue_declare(name, passive=True)


def test_auto_delete_queues_go_with_their_last_consumer(channel, name, received):
    channel.queue_declare(name, auto_delete=True)
    channel.basic_consume(name, "c", callback=received)
    channel.basic_cancel("c")
    with pytest.raises(NotFound):
        channel.queue_declare(name, passive=True)


def test_purge_and_delete_count(channel, queue):
    for _ in range(3):
        publish(channel, "x", queue)
    wait_until(lambda: count(channel, queue) == 3)
    assert channel.queue_purge(queue) == 3
    publish(channel, "y", queue)
    wait_until(lambda: count(channel, queue) == 1)
    assert channel.queue_delete(queue) == 1
    assert channel.queue_delete(queue) == 0


def test_a_used_queue_is_not_deleted_if_unused(channel, queue, received):
    channel.basic_consume(queue, "c", callback=received)
    with pytest.raises(PreconditionFailed):
        channel.queue_delete(queue, if_unused=True)


def test_kombus_arguments_in_seconds(connection, name):
    import kombu

    queue = kombu.Queue(name, expires=60, message_ttl=1.5, max_length=7, max_priority=3,
                        channel=connection.channel())
    queue.declare()
    arguments = {"x-expires": 60000, "x-message-ttl": 1500, "x-max-length": 7,
                 "x-max-priority": 3}
    connection.channel().queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
    drain(connection)
