"""kombu_emulator: connections, channels, entities, producers and consumers."""
import inspect
import gc
import logging
import os
import queue
import subprocess
import sys
import threading
import time
import weakref

import kelpmq
import pytest
from conftest import PATIENCE
from kombu_emulator import (
    Channel,
    Connection,
    Consumer,
    Exchange,
    Message,
    Producer,
    Queue,
    private,
)


@pytest.fixture
def connection():
    """To the private broker of this process, in a virtual host of this test."""
    with Connection(virtual_host=f"test-{next(numbers)}") as connection:
        yield connection


numbers = iter(range(10**6))


@pytest.fixture
def channel(connection):
    return connection.channel()


class Calls:
    """A callback that keeps what it was called with, acknowledged unless `ack` is False."""

    def __init__(self, ack=True):
        self.ack = ack
        self._calls = queue.Queue()

    def __call__(self, message):
        if self.ack:
            message.ack()
        self._calls.put(message)

    def take(self, number):
        return [self._calls.get(timeout=PATIENCE) for _ in range(number)]

    def bodies(self, number):
        return [message.body for message in self.take(number)]


@pytest.mark.parametrize("function, parameters", [
    (Connection, "hostname port userid password virtual_host transport"),
    (Channel.exchange_declare, "self exchange type durable auto_delete"),
    (Channel.queue_declare, "self queue durable exclusive auto_delete"),
    (Channel.queue_bind, "self queue exchange routing_key"),
    (Channel.basic_publish, "self message exchange routing_key"),
    (Channel.basic_get, "self queue no_ack"),
    (Channel.basic_consume, "self queue callback no_ack consumer_tag"),
    (Channel.basic_ack, "self delivery_tag"),
    (Channel.basic_reject, "self delivery_tag requeue"),
    (Exchange, "name type durable auto_delete channel"),
    (Exchange.bind_to, "self queue_name routing_key"),
    (Exchange.get_bound_queues, "self routing_key"),
    (Queue, "name exchange routing_key durable exclusive auto_delete channel"),
    (Queue.put, "self message"),
    (Queue.get, "self block timeout"),
    (Message, "body content_type content_encoding headers properties delivery_info"),
    (Message.reject, "self requeue"),
    (Producer, "channel exchange routing_key serializer"),
    (Producer.publish, "self body routing_key exchange kwargs"),
    (Consumer, "channel queues callbacks no_ack"),
    (Consumer.consume, "self no_ack"),
    (Consumer.register_callback, "self callback"),
], ids=lambda value: getattr(value, "__qualname__", ""))
def test_parameters_are_called_as_they_were(function, parameters):
    """And come in that order; further ones may follow."""
    wanted = parameters.split()
    assert list(inspect.signature(function).parameters)[:len(wanted)] == wanted


# Connections.

def test_connections_of_a_process_share_the_private_broker():
    with Connection() as one, Connection() as other:
        one.channel().queue_declare("shared").put("x")
        assert other.channel().basic_get("shared", no_ack=True).body == "x"


def test_with_a_host_name_it_connects_there(own_broker):
    host, port = own_broker.address.split(":")
    with Connection(host, int(port)) as connection:
        connection.channel().queue_declare("there").put("x")
    with kelpmq.Client(own_broker.address) as client:
        assert client.get("there", auto_ack=True).body == b"x"


def test_the_environment_leads_to_a_broker_unless_memory_is_wanted(own_broker, monkeypatch):
    monkeypatch.setenv("KELPMQ_ADDRESS", own_broker.address)
    with Connection() as connection:
        assert own_broker.address in repr(connection)
    for private_one in (Connection(transport="memory"), Connection("memory://")):
        with private_one:
            assert own_broker.address not in repr(private_one)


def test_without_a_broker_at_the_address_connecting_fails(own_broker):
    own_broker.stop()
    with pytest.raises(kelpmq.Unavailable):
        Connection(own_broker.address).connect()


def test_virtual_hosts_are_worlds_of_their_own():
    with Connection(virtual_host="one") as one, Connection(virtual_host="other") as other:
        one.channel().queue_declare("q").put("x")
        assert other.channel().queue_declare("q").empty()


def test_it_connects_when_it_is_used_and_can_be_opened_again():
    connection = Connection()
    assert not connection.connected
    channel = connection.channel()
    assert connection.connected
    connection.release()
    connection.disconnect()
    assert not connection.connected
    with pytest.raises(kelpmq.ClientClosed):
        channel.queue_declare("q")
    connection.connect()
    connection.channel().queue_declare("q")
    connection.disconnect()


def test_a_private_broker_that_was_killed_is_started_anew():
    with Connection():
        private._broker.kill()
    with Connection() as connection:
        connection.channel().queue_declare("q")


def test_consumers_come_back_with_the_broker(restartable):
    with Connection(restartable.address) as connection:
        channel = connection.channel()
        jobs = channel.queue_declare("jobs")
        calls = Calls()
        Consumer(channel, [jobs], [calls]).consume()
        for body in ("before", "after"):
            jobs.put(body)
            assert calls.bodies(1) == [body]
            if body == "before":
                restartable.restart()


def test_a_forked_child_leaves_its_parents_connection_alone():
    done = run("""
import os, sys
connection = Connection()
channel = connection.channel()
queue = channel.queue_declare("jobs")
def take(message):
    print(message.body, flush=True)
    message.ack()
Consumer(channel, [queue], [take]).consume()
child = os.fork()
if child == 0:
    connection.disconnect()
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
queue.put("still there")
""")
    assert (done.stdout, done.returncode) == ("still there\n", 0), done.stderr


def test_a_forked_child_uses_its_parents_broker():
    program = """
import os
from kombu_emulator import Connection
with Connection() as connection:
    queue = connection.channel().queue_declare("q")
    child = os.fork()
    if child == 0:
        with Connection() as mine:
            mine.channel().basic_publish("from the child", routing_key="q")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    print(queue.get(timeout=30).body)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          timeout=PATIENCE)
    assert done.stdout == "from the child\n", done.stderr


# Routing.

def test_direct_exchanges_compare_keys(channel):
    exchange = channel.exchange_declare("e", "direct")
    for name in ("one", "two"):
        channel.queue_declare(name)
        channel.queue_bind(name, "e", name)
    Producer(channel, exchange, "one").publish("x")
    assert channel.basic_get("one").body == "x"
    assert channel.basic_get("two") is None
    assert exchange.get_bound_queues("two") == ["two"]
    assert exchange.get_bound_queues("three") == []


@pytest.mark.parametrize("pattern, key, fits", [
    ("a.*", "a.b", True), ("a.*", "a", False), ("a.*", "a.b.c", False),
    ("a.#", "a", True), ("a.#", "a.b.c", True), ("#", "", True), ("#.c", "a.b.c", True),
    ("#.b.#", "a.b.c", True), ("#.d.#", "a.b.c", False), ("*", "", False), ("", "", True),
    ("", "a", False), ("*.#", "a", True), ("a.#.#.b", "a.b", True),
])
def test_get_bound_queues_of_a_topic_says_what_the_broker_does(channel, pattern, key, fits):
    exchange = Exchange("topics", "topic", channel=channel)
    bound = Queue("q", exchange, pattern, channel=channel)
    assert bound.empty()
    assert exchange.get_bound_queues(key) == (["q"] if fits else [])
    Producer(channel, exchange).publish("x", routing_key=key)
    assert bound.qsize() == fits


def test_bind_to_makes_the_queue(channel):
    exchange = Exchange("e", "fanout", channel=channel)
    exchange.bind_to("made")
    exchange.bind_to(channel.queue_declare("there"))
    Producer(channel, exchange).publish("x")
    assert exchange.get_bound_queues() == ["made", "there"]
    assert [Queue(name, channel=channel).get().body for name in ("made", "there")] == ["x", "x"]


def test_the_default_exchange_leads_to_every_queue(channel):
    Queue("q", channel=channel).put("x")
    assert Exchange(channel=channel).get_bound_queues("q") == ["q"]


def test_entities_without_a_channel_share_a_connection():
    exchange = Exchange("loose", "direct")
    exchange.bind_to("loose-queue", "k")
    assert exchange.get_bound_queues("k") == ["loose-queue"]
    loose = Queue("loose-queue")
    loose.put(Message("x", headers={"h": 1}))
    assert loose.get(timeout=PATIENCE).headers == {"h": 1}


def test_what_does_not_exist_is_an_error(channel):
    with pytest.raises(kelpmq.NotFound):
        channel.basic_get("nothing")
    with pytest.raises(kelpmq.NotFound):
        channel.basic_publish("x", exchange="nothing")
    with pytest.raises(kelpmq.NoRoute):
        Producer(channel).publish("x", routing_key="nothing", mandatory=True)
    Producer(channel).publish("x", routing_key="nothing")


# Queues.

def test_a_queue_gives_in_order_what_was_put(channel):
    jobs = channel.queue_declare("jobs")
    for n in range(3):
        jobs.put(n)
    assert jobs.qsize() == 3 and not jobs.empty()
    assert [jobs.get().body for _ in range(3)] == [0, 1, 2]
    assert jobs.get(block=False) is None
    assert jobs.get(timeout=0.01) is None
    assert jobs.empty()


def test_get_waits(channel):
    jobs = channel.queue_declare()
    threading.Timer(0.05, jobs.put, ["late"]).start()
    assert jobs.get().body == "late"


def test_an_exclusive_queue_goes_with_its_connection(connection):
    connection.channel().queue_declare("mine", exclusive=True).put("x")
    with Connection(virtual_host=connection.virtual_host) as other, \
            pytest.raises(kelpmq.FailedPrecondition):
        other.channel().basic_get("mine")
    connection.disconnect()
    assert connection.connect().channel().queue_declare("mine").empty()


# Settling.

def test_what_is_not_settled_goes_back_when_the_channel_closes(connection, channel):
    jobs = channel.queue_declare("jobs")
    jobs.put("x")
    message = channel.basic_get(jobs)
    assert jobs.empty() and not message.delivery_info["redelivered"]
    channel.close()
    again = connection.channel().basic_get("jobs")
    assert again.body == "x" and again.delivery_info["redelivered"]
    with pytest.raises(kelpmq.ClientClosed):
        message.ack()


@pytest.mark.parametrize("settle, left", [
    (lambda message: message.ack(), []),
    (lambda message: message.reject(), []),
    (lambda message: message.reject(requeue=True), ["first"]),
    (lambda message: message.requeue(), ["first"]),
], ids=["ack", "reject", "reject-requeue", "requeue"])
@pytest.mark.parametrize("by_tag", [False, True])
def test_settling(channel, settle, left, by_tag):
    jobs = channel.queue_declare("jobs")
    jobs.put("first")
    jobs.put("second")
    message = channel.basic_get("jobs")
    settle(ByTag(channel, message.delivery_tag) if by_tag else message)
    with pytest.raises(kelpmq.FailedPrecondition):
        message.ack()
    assert [jobs.get().body for _ in range(jobs.qsize())] == [*left, "second"]


class ByTag:
    """Settles through the channel, as a Message does through itself."""

    def __init__(self, channel, tag):
        self.ack = lambda: channel.basic_ack(tag)
        self.reject = lambda requeue=False: channel.basic_reject(tag, requeue)
        self.requeue = lambda: channel.basic_reject(tag, requeue=True)


def test_what_was_received_with_no_ack_can_be_put_back_at_the_end(channel):
    jobs = channel.queue_declare("jobs")
    jobs.put(Message({"n": 1}, properties={"priority": 3}))
    jobs.put("second")
    channel.basic_get("jobs", no_ack=True).requeue()
    channel.basic_get("jobs", no_ack=True).ack()
    last = channel.basic_get("jobs", no_ack=True)
    assert (last.body, last.properties) == ({"n": 1}, {"priority": 3})


def test_a_message_that_was_not_received_cannot_be_settled():
    with pytest.raises(kelpmq.FailedPrecondition):
        Message("x").ack()


# Consumers.

def test_callbacks_are_called_in_order_for_one_message_at_a_time(channel):
    names = ["one", "two"]
    queues = [channel.queue_declare(name) for name in names]
    done, calls = Calls(), []
    consumer = Consumer(channel, queues, [lambda message: calls.append(("first", message.body))])
    consumer.register_callback(lambda message: calls.append(("second", message.body)))
    consumer.register_callback(done)
    consumer.consume()
    consumer.consume()  # changes nothing
    for n in range(50):
        queues[n % 2].put(n)
    assert sorted(done.bodies(50)) == list(range(50))
    assert [name for name, _ in calls] == ["first", "second"] * 50
    assert [body for _, body in calls[::2]] == [body for _, body in calls[1::2]]
    for parity in (0, 1):
        assert [body for _, body in calls[::2] if body % 2 == parity] == list(range(parity, 50, 2))


def test_a_failing_callback_is_logged_and_the_message_tried_once_more(channel, caplog):
    dead = Queue("dead", Exchange("dead", "fanout"), channel=channel)
    assert dead.empty()
    channel._client.declare_queue("jobs", arguments={"x-dead-letter-exchange": "dead"})
    seen = Calls(ack=False)

    def fail(message):
        seen(message)
        raise ValueError("no")

    Consumer(channel, "jobs", [fail]).consume()
    with caplog.at_level(logging.ERROR, logger="kelpmq"):
        channel.basic_publish("x", routing_key="jobs")
        assert dead.get(timeout=PATIENCE).body == "x"
    assert [message.delivery_info["redelivered"] for message in seen.take(2)] == [False, True]
    assert caplog.text.count("ValueError: no") == 2


def test_a_callback_that_does_not_acknowledge_does_not_stop_the_rest(channel):
    jobs = channel.queue_declare("jobs")
    seen = Calls(ack=False)
    consumer = Consumer(channel, [jobs], [seen])
    consumer.consume()
    for n in range(300):  # more than a client's usual prefetch
        Producer(channel).publish(n, routing_key="jobs")
    assert seen.bodies(300) == list(range(300))
    consumer.cancel()
    assert jobs.qsize() == 300


def test_messages_wait_until_there_is_a_callback(channel):
    jobs = channel.queue_declare("jobs")
    jobs.put("x")
    consumer = Consumer(channel, jobs)
    consumer.consume()
    calls = Calls()
    consumer.register_callback(calls)
    assert calls.bodies(1) == ["x"]


def test_a_cancelled_consumer_can_consume_again(channel):
    jobs = channel.queue_declare("jobs")
    calls = Calls()
    consumer = Consumer(channel, [jobs], [calls])
    for body in ("one", "two"):
        consumer.consume()
        jobs.put(body)
        assert calls.bodies(1) == [body]
        consumer.cancel()
        jobs.put("nobody is there")
        assert jobs.get().body == "nobody is there"


def test_a_callback_may_cancel_before_consume_has_returned(channel, monkeypatch):
    queue = channel.queue_declare("q")
    for n in range(3):
        queue.put(n)
    taken = threading.Event()

    def take(message):
        message.ack()
        consumer.cancel()
        taken.set()

    start = channel.basic_consume

    def start_and_wait(*arguments):
        tag = start(*arguments)
        assert taken.wait(PATIENCE)
        return tag

    monkeypatch.setattr(channel, "basic_consume", start_and_wait)
    consumer = Consumer(channel, [queue], [take])
    consumer.consume()
    assert [queue.get(timeout=PATIENCE).body for _ in range(2)] == [1, 2]


def test_a_queue_that_was_deleted_can_be_consumed_again(channel):
    queue, got = channel.queue_declare("q"), threading.Event()
    consumer = Consumer(channel, [queue], [lambda message: got.set()], no_ack=True)
    consumer.consume()
    channel._client.delete_queue("q")
    while channel.consumers():
        time.sleep(0.001)
    with pytest.raises(kelpmq.NotFound):
        consumer.consume()
    channel.queue_declare("q")
    consumer.consume()
    queue.put("x")
    assert got.wait(PATIENCE)


def test_a_consumer_with_no_ack_leaves_nothing_to_settle(channel):
    jobs = channel.queue_declare("jobs")
    calls = Calls()
    Consumer(channel, [jobs], [calls], no_ack=True).consume()
    jobs.put("x")
    [message] = calls.take(1)
    assert message.acknowledged
    channel.close()


def test_callbacks_may_use_everything(channel):
    """Publish, declare, cancel, and close."""
    jobs, answers = channel.queue_declare("jobs"), channel.queue_declare("answers")
    closed = threading.Event()

    def answer(message):
        Producer(channel).publish(message.body + 1, routing_key="answers")
        message.ack()
        if message.body == 3:
            consumer.cancel()
            channel.close()
            closed.set()

    consumer = Consumer(channel, [jobs], [answer])
    consumer.consume()
    jobs.put(1)
    assert answers.get(timeout=PATIENCE).body == 2
    jobs.put(3)
    assert closed.wait(PATIENCE)


def test_closing_lets_a_running_callback_finish(connection, channel):
    jobs = channel.queue_declare("jobs")
    begun, go_on = threading.Event(), threading.Event()

    def slow(message):
        begun.set()
        assert go_on.wait(PATIENCE)
        message.ack()

    Consumer(channel, [jobs], [slow]).consume()
    jobs.put("x")
    assert begun.wait(PATIENCE)
    threading.Timer(0.05, go_on.set).start()
    channel.close()
    assert connection.channel().queue_declare("jobs").empty()


def test_consumers_share_a_queue(connection):
    calls = [Calls(), Calls()]
    for each in calls:
        channel = connection.channel()
        Consumer(channel, [channel.queue_declare("jobs")], [each]).consume()
    for n in range(10):
        Producer(channel, routing_key="jobs").publish(n)
    assert [each.bodies(5) for each in calls] == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]


def test_what_was_closed_is_forgotten(connection, channel):
    queue = channel.queue_declare("q")
    consumer = Consumer(channel, [queue], [print])
    consumer.consume()
    consumer.cancel()
    gone = [weakref.ref(consumer), weakref.ref(connection.channel())]
    gone[1]().close()
    del consumer
    gc.collect()
    assert [each() for each in gone] == [None, None]


def test_basic_consume_and_its_tag(channel):
    channel.queue_declare("jobs")
    calls = Calls()
    assert channel.basic_consume("jobs", calls, consumer_tag="mine") == "mine"
    with pytest.raises(kelpmq.AlreadyExists):
        channel.basic_consume("jobs", calls, consumer_tag="mine")
    with pytest.raises(kelpmq.NotFound):
        channel.basic_consume("nothing", calls, consumer_tag="other")
    channel.basic_publish("x", routing_key="jobs")
    [message] = calls.take(1)
    assert message.delivery_info["consumer_tag"] == "mine"
    channel.basic_cancel("mine")
    channel.basic_cancel("mine")


def test_threads_share_a_channel(channel):
    jobs = channel.queue_declare("jobs")
    calls = Calls()
    Consumer(channel, [jobs], [calls]).consume()
    producer = Producer(channel, routing_key="jobs")
    threads = [threading.Thread(target=lambda n=n: [producer.publish([n, i]) for i in range(100)])
               for n in range(4)]
    for thread in threads:
        thread.start()
    bodies = calls.bodies(400)
    for thread in threads:
        thread.join()
    for n in range(4):
        assert [i for thread, i in bodies if thread == n] == list(range(100))


# The end of the program.

def run(program):
    environment = {name: value for name, value in os.environ.items() if name != "KELPMQ_ADDRESS"}
    return subprocess.run(
        [sys.executable, "-c", "from kombu_emulator import *\n" + program], capture_output=True,
        text=True, timeout=PATIENCE, env=environment)


def test_what_waits_at_the_end_of_the_program_is_still_delivered():
    done = run("""
channel = Connection().channel()
queue = channel.queue_declare("jobs")
for n in range(500):
    queue.put(n)
def take(message):
    print(message.body)
    message.ack()
    if message.body == 499:
        queue.put("one more")
Consumer(channel, [queue], [take]).consume()
""")
    assert done.stdout.split("\n") == [*map(str, range(500)), "one more", ""]
    assert done.stderr == ""


def test_a_message_that_fails_at_the_end_is_tried_once_more():
    done = run("""
channel = Connection().channel()
queue = channel.queue_declare("jobs")
queue.put("x")
def take(message):
    print(message.delivery_info["redelivered"])
    raise ValueError
Consumer(channel, [queue], [take]).consume()
""")
    assert done.stdout == "False\nTrue\n"


def test_a_program_that_disconnects_ends_at_once():
    done = run("""
connection = Connection()
channel = connection.channel()
queue = channel.queue_declare("jobs")
Consumer(channel, [queue], [print]).consume()
connection.disconnect()
print("ended")
""")
    assert (done.stdout, done.stderr) == ("ended\n", "")
