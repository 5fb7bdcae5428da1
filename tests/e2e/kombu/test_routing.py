"""Exchanges and bindings."""
import pytest
from conftest import get, publish


@pytest.fixture
def exchange(channel, name):
    """Declares an exchange of the type asked for and returns its name."""
    declared = []

    def declare(kind, suffix="", **more):
        found = f"{name}-{kind}{suffix}"
        channel.exchange_declare(found, kind, auto_delete=False, **more)
        declared.append(found)
        return found

    yield declare
    for found in declared:
        channel.exchange_delete(found)


def bodies(channel, queue, number):
    found = [get(channel, queue).body for _ in range(number)]
    assert channel.basic_get(queue, no_ack=True) is None
    return found


def test_direct_by_the_whole_key(channel, queue, exchange):
    direct = exchange("direct")
    channel.queue_bind(queue, direct, "a.b")
    for key in ("a.b", "a", "a.b.c", "a.b"):
        publish(channel, key, key, direct)
    assert bodies(channel, queue, 2) == ["a.b", "a.b"]


def test_topic_by_words(channel, queue, exchange):
    topic = exchange("topic")
    channel.queue_bind(queue, topic, "stock.*.#")
    for key in ("stock", "stock.us", "stock.us.nyse", "bond.us"):
        publish(channel, key, key, topic)
    assert bodies(channel, queue, 2) == ["stock.us", "stock.us.nyse"]


def test_fanout_reaches_a_queue_declared_before_its_consumer_starts(channel, queue, exchange, received):
    fanout = exchange("fanout")
    channel.queue_bind(queue, fanout, "")
    publish(channel, "early", "any", fanout)
    channel.basic_consume(queue, "c", callback=lambda m: received(channel.message_to_python(m)))
    assert received.wait(1).bodies == ["early"]


@pytest.mark.parametrize("match, wanted", [("all", ["both"]), ("any", ["both", "one"])])
def test_headers(channel, queue, exchange, match, wanted):
    headers = exchange("headers")
    channel.queue_bind(queue, headers, "", arguments={"x-match": match, "a": 1, "b": "x"})
    publish(channel, "both", exchange=headers, headers={"a": 1, "b": "x", "c": 2})
    publish(channel, "one", exchange=headers, headers={"a": 1, "b": "y"})
    publish(channel, "none", exchange=headers, headers={"a": "1"})
    assert bodies(channel, queue, len(wanted)) == wanted


def test_exchange_to_exchange(channel, queue, exchange):
    source, destination = exchange("topic"), exchange("fanout")
    channel.exchange_bind(destination, source, "deep.#")
    channel.queue_bind(queue, destination, "")
    publish(channel, "yes", "deep.down", source)
    publish(channel, "no", "shallow", source)
    assert bodies(channel, queue, 1) == ["yes"]
    channel.exchange_unbind(destination, source, "deep.#")
    publish(channel, "late", "deep.down", source)
    assert bodies(channel, queue, 0) == []


def test_unbind(channel, queue, exchange):
    direct = exchange("direct")
    channel.queue_bind(queue, direct, "k")
    channel.queue_unbind(queue, direct, "k")
    publish(channel, "gone", "k", direct)
    assert bodies(channel, queue, 0) == []


def test_an_empty_queue_name_means_the_last_declared(channel, exchange):
    direct = exchange("direct")
    declared = channel.queue_declare("", exclusive=True)
    assert declared.queue.startswith("amq.gen-")
    channel.queue_bind("", direct)
    publish(channel, "x", declared.queue, direct)
    assert get(channel, "").body == "x"


def test_an_alternate_exchange_takes_what_has_no_route(channel, queue, exchange):
    fanout = exchange("fanout")
    direct = exchange("direct", arguments={"alternate-exchange": fanout})
    channel.queue_bind(queue, fanout, "")
    publish(channel, "lost", "nowhere", direct)
    assert bodies(channel, queue, 1) == ["lost"]
