"""Programs that end without closing anything."""
import os
import subprocess
import sys
import textwrap

import pytest
from conftest import PATIENCE


@pytest.fixture
def run(broker):
    """Runs a program, which must end well and say nothing on standard error."""
    def run(program, *arguments):
        done = subprocess.run(
            [sys.executable, "-c", "import sys, threading, kelpmq\n" + textwrap.dedent(program),
             *arguments],
            env={**os.environ, "KELPMQ_ADDRESS": broker.address}, capture_output=True, text=True,
            timeout=PATIENCE)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


def test_what_was_published_arrives(run, client, name):
    client.declare_queue(name)
    run("""
        publisher = kelpmq.Client().publisher(routing_key=sys.argv[1])
        for _ in range(5000):
            publisher.publish(bytes(1000))
        """, name)
    assert client.get_queue(name).messages_ready == 5000


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_acknowledged_is_done(run, client, name, kept):
    client.declare_queue(name)
    with client.publisher(routing_key=name) as publisher:
        for _ in range(100):
            publisher.publish(b"")
    run("""
        client = kelpmq.Client()
        consumer = client.consume(sys.argv[1])
        for _ in range(100):
            next(consumer).ack()
        if not int(sys.argv[2]):
            del consumer
        """, name, str(int(kept)))
    found = client.get_queue(name)
    assert (found.messages_ready, found.messages_unacked) == (0, 0)


def test_a_private_broker_outlives_what_its_clients_have_to_say(run):
    run("""
        broker = kelpmq.PrivateBroker()
        client = kelpmq.Client(broker.address)
        client.declare_queue("q")
        publisher = client.publisher(routing_key="q", mandatory=True, on_failure=print)
        for _ in range(5000):
            publisher.publish(bytes(1000))
        """)


def test_threads_that_publish_and_consume_do_not_keep_it(run, client, name):
    client.declare_queue(name)
    run("""
        client, arrived = kelpmq.Client(), threading.Semaphore(0)

        def publish():
            publisher = client.publisher(routing_key=sys.argv[1])
            while True:
                publisher.publish(b"")

        def take(delivery):
            delivery.ack()
            arrived.release()

        def consume():
            for delivery in client.consume(sys.argv[1]):
                take(delivery)

        for target in (publish, consume):
            threading.Thread(target=target, daemon=True).start()
        client.consume(sys.argv[1], take)
        for _ in range(1000):
            arrived.acquire()
        """, name)


def test_a_broker_that_is_gone_is_not_waited_for_long(run):
    said = run("""
        import logging, time
        logging.disable()
        broker = kelpmq.PrivateBroker()
        client = kelpmq.Client(broker.address)
        client.declare_queue("q")
        consumer = client.consume("q", lambda delivery: delivery.ack())
        broker.kill()
        print("end")
        """)
    assert said == "end\n"
