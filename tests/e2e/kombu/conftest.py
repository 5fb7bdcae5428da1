"""Fixtures for the tests of Kombu's transport, which know nothing but the installed package.

The tests of routing, queues, deliveries and publishing also run on RabbitMQ:
`KOMBU_URL=amqp://guest:guest@127.0.0.1:5672// pytest ...`. What they expect is what it answers.
"""
import os
import socket
import time
import uuid

import kombu
import pytest

import kelpmq
import kelpmq_kombu  # noqa: F401

PATIENCE = 30.0


@pytest.fixture(scope="session")
def broker():
    """A broker for all tests, which must survive them."""
    with kelpmq.PrivateBroker(tcp=True) as broker:
        yield broker
        assert broker.alive()


@pytest.fixture(scope="session")
def url(request):
    """Where the broker is; another one if KOMBU_URL is set."""
    return os.environ.get("KOMBU_URL") or f"kelpmq://{request.getfixturevalue('broker').address}"


@pytest.fixture
def connect(url):
    """Opens connections, with transport options; all are closed at the end."""
    opened = []

    def connect(**options):
        connection = kombu.Connection(url, transport_options=options)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.release()


@pytest.fixture
def connection(connect):
    return connect()


@pytest.fixture
def channel(connection):
    return connection.channel()


@pytest.fixture
def confirmed(connect):
    """A channel whose publishes return when the message is in its queue."""
    return connect(confirm_publish=True).channel()


@pytest.fixture
def name(connection, request):
    """A name for a queue of this test, which is deleted at the end."""
    name = f"{request.node.name}-{uuid.uuid4().hex[:8]}"
    yield name
    with kombu.Connection(connection.as_uri(include_password=True)) as other:
        try:
            other.channel().queue_delete(name)
        except Exception:  # It was exclusive, or is gone.
            pass


@pytest.fixture
def queue(channel, name):
    """A declared queue's name; messages get there by the default exchange."""
    channel.queue_declare(name, auto_delete=False)
    return name


class Received(list):
    """A consumer's callback, and what it has got."""

    def __init__(self, connection, ack=True):
        self.connection = connection
        self.ack = ack

    def __call__(self, message):
        self.append(message)
        if self.ack:
            message.ack()

    @property
    def bodies(self):
        return [message.body for message in self]

    def wait(self, number):
        """Drains until `number` messages are here."""
        deadline = time.monotonic() + PATIENCE
        while len(self) < number:
            self.connection.drain_events(timeout=max(0, deadline - time.monotonic()))
        return self

    def quiet(self, seconds=0.2):
        """Drains for a while in which nothing must come."""
        before = len(self)
        with pytest.raises(socket.timeout):
            self.connection.drain_events(timeout=seconds)
        assert len(self) == before
        return self


@pytest.fixture
def received(connection):
    return Received(connection)


@pytest.fixture
def held(connection):
    """As `received`, but acknowledges nothing."""
    return Received(connection, ack=False)


def publish(channel, body, routing_key="", exchange="", headers=None, **properties):
    """Publishes a text."""
    options = {key: properties.pop(key) for key in ("mandatory", "timeout") if key in properties}
    priority = properties.pop("priority", None)
    message = channel.prepare_message(
        body, priority=priority, content_type="text/plain", content_encoding="utf-8",
        headers=headers or {}, properties=properties)
    channel.basic_publish(message, exchange=exchange, routing_key=routing_key, **options)


def get(channel, queue, no_ack=True):
    """The next message, for which it waits: a publish is no call that is answered."""
    deadline = time.monotonic() + PATIENCE
    while True:
        message = channel.basic_get(queue, no_ack=no_ack)
        if message is not None:
            return channel.message_to_python(message)
        assert time.monotonic() < deadline, "no message"
        time.sleep(0.01)


def drain(connection, times=100):
    """Handles what has come; what goes wrong is raised."""
    try:
        for _ in range(times):
            connection.drain_events(timeout=0.2)
    except socket.timeout:
        pass


def wait_until(condition, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)
