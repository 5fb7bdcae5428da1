"""Connections: opening, losing, forking, ending."""
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time

import kombu
import pytest
from amqp.exceptions import (
    ConnectionForced,
    NotAllowed,
    NotFound,
    RecoverableConnectionError,
    ResourceLocked,
)
from conftest import PATIENCE, Received, drain, get, publish, wait_until
from kombu.asynchronous.hub import Hub

import kelpmq
from kelpmq_kombu import link


@pytest.fixture
def own_broker():
    """A broker for one test, which may end it."""
    with kelpmq.PrivateBroker(tcp=True) as broker:
        yield broker


@pytest.fixture
def own_connection(own_broker):
    with kombu.Connection(f"kelpmq://{own_broker.address}", connect_timeout=5) as connection:
        yield connection


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(script, *arguments, **more):
    """Another Python, with `script`."""
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), *arguments],
                            stdout=subprocess.PIPE, text=True, **more)


# Opening.


def test_a_refused_connection_is_an_os_error():
    with pytest.raises(ConnectionRefusedError):
        kombu.Connection(f"kelpmq://127.0.0.1:{closed_port()}").connect()


def test_a_certificate_that_cannot_be_read_is_an_os_error():
    with pytest.raises(FileNotFoundError):
        kombu.Connection("kelpmqs://127.0.0.1", ssl={"ca_certs": "/nowhere.pem"}).connect()


def test_refused_connections_leave_nothing_behind():
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(ConnectionRefusedError):
            kombu.Connection(f"kelpmq://127.0.0.1:{closed_port()}").transport.establish_connection()
    wait_until(lambda: threading.active_count() <= before[0], 10)
    assert len(os.listdir("/proc/self/fd")) < before[1] + 20


def test_a_silent_peer_is_a_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connection = kombu.Connection(
            f"kelpmq://127.0.0.1:{silent.getsockname()[1]}", connect_timeout=0.5)
        with pytest.raises(OSError):
            connection.connect()


def test_failover(broker):
    with kombu.Connection(f"kelpmq://127.0.0.1:{closed_port()};kelpmq://{broker.address}") as found:
        found.ensure_connection(max_retries=3)
        assert found.connected


def test_an_unknown_vhost_is_not_allowed(broker):
    with pytest.raises(NotAllowed) as found:
        kombu.Connection(f"kelpmq://{broker.address}/nowhere").connect()
    assert found.value.reply_code == 530


def test_a_unix_socket():
    with kelpmq.PrivateBroker() as broker:
        path = broker.address[len("unix:"):]
        with kombu.Connection("kelpmq://", transport_options={"unix_socket": path}) as connection:
            connection.SimpleQueue("q").put("x")
            assert connection.SimpleQueue("q").get(timeout=PATIENCE).payload == "x"


def test_the_transport_is_what_celery_looks_for(connection):
    transport = connection.transport
    assert (transport.driver_type, transport.driver_name) == ("amqp", "kelpmq")
    assert connection.supports_heartbeats is False
    assert connection.qos_semantics_matches_spec is False
    assert {"direct", "topic", "fanout", "headers"} == set(transport.implements.exchange_type)
    assert transport.implements.asynchronous and transport.implements.batch_publish


def test_the_manager_lists_bindings(connection, channel, name):
    channel.queue_declare(name, auto_delete=False)
    channel.queue_bind(name, "amq.topic", "a.#", arguments={"k": 1})
    found = [binding for binding in connection.manager.get_bindings()
             if binding["destination"] == name and binding["source"]]
    assert [(b["source"], b["routing_key"], b["destination_type"], b["arguments"])
            for b in found] == [("amq.topic", "a.#", "queue", {"k": 1})]


# Order: stronger than RabbitMQ's, whose queues count a message somewhat later.


def test_publishes_are_in_order_with_calls(channel, queue):
    for i in range(200):
        publish(channel, str(i), queue)
    assert channel.queue_declare(queue, passive=True).message_count == 200


def test_gets_are_in_order_with_publishes(channel, queue):
    for i in range(100):
        publish(channel, str(i), queue)
        assert channel.basic_get(queue, no_ack=True).body == str(i)


def test_acknowledgements_are_in_order_with_calls(connection, channel, queue):
    number = 3000
    for i in range(number):
        publish(channel, str(i), queue)
    held = Received(connection, ack=False)
    channel.basic_consume(queue, "c", callback=held)
    held.wait(number)
    channel.basic_cancel("c")
    for message in held:
        message.requeue()
    assert channel.queue_declare(queue, passive=True).message_count == number


# Events.


def test_drain_handles_one_event_at_a_time(connection, channel, queue, received):
    channel.basic_consume(queue, "c", callback=received)
    for _ in range(3):
        publish(channel, "x", queue)
    for number in (1, 2, 3):
        connection.drain_events(timeout=PATIENCE)
        assert len(received) == number


def test_drain_times_out(connection, channel):
    for timeout in (0, 0.05):
        with pytest.raises(socket.timeout):
            connection.drain_events(timeout=timeout)


def test_callbacks_run_in_the_draining_thread(connection, channel, queue):
    threads = []
    channel.basic_consume(queue, "c", no_ack=True,
                          callback=lambda m: threads.append(threading.current_thread()))
    publish(channel, "x", queue)
    connection.drain_events(timeout=PATIENCE)
    assert threads == [threading.current_thread()]


def test_an_event_loop_handles_all_that_is_there_without_waiting(connection, channel, queue):
    """A wake-up lost with messages left would cost a poll of the hub, a second, for each."""
    hub = Hub()
    found = []

    def receive(message):
        found.append(message)
        message.ack()

    connection.register_with_event_loop(hub)
    channel.basic_consume(queue, "c", callback=receive)
    for i in range(1000):
        publish(channel, str(i), queue)
    polls = 0
    deadline = time.monotonic() + PATIENCE
    while len(found) < 1000:
        assert time.monotonic() < deadline
        hub.run_once()
        polls += 1
    assert polls < 500
    hub.close()


def test_a_consumer_without_acknowledgements_is_held_back(connection, channel, queue, held):
    """What nobody drains stays in the broker, but for a bounded part."""
    channel.basic_consume(queue, "c", callback=held, no_ack=True)
    for _ in range(20):
        for _ in range(500):
            publish(channel, "x" * 1000, queue)
        channel.queue_declare(queue, passive=True)
    assert len(connection.connection.link.inbox) < 5000
    held.wait(10_000)


def test_a_channel_closes_though_nobody_took_its_deliveries(connection, channel, queue, held):
    other = connection.channel()
    other.basic_consume(queue, "c", callback=held, no_ack=True)
    for _ in range(10_000):
        publish(channel, "x", queue)
    wait_until(lambda: len(connection.connection.link.inbox) > 1000)
    other.close()
    assert len(connection.connection.link.inbox) == 0


# Losing.


def lose(broker, connection):
    """Ends the broker and handles what comes until the loss is raised."""
    broker.kill()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            connection.drain_events(timeout=1)
        except socket.timeout:
            continue
    raise AssertionError("nothing was raised")


def test_a_lost_broker_is_raised_once_before_the_connection_counts_as_closed(
        own_broker, own_connection):
    own_connection.channel()
    with pytest.raises(RecoverableConnectionError):
        own_broker.kill()
        wait_until(lambda: own_connection.connection.link.failure is not None)
        assert own_connection.connected
        own_connection.drain_events(timeout=PATIENCE)
    assert not own_connection.connected


def test_every_call_on_a_lost_connection_raises_a_connection_error(own_broker, own_connection):
    channel = own_connection.channel()
    channel.queue_declare("q", auto_delete=False)
    publish(channel, "x", "q")
    message = get(channel, "q", no_ack=False)
    with pytest.raises(own_connection.connection_errors):
        lose(own_broker, own_connection)
    for call in (lambda: channel.queue_declare("q"), lambda: channel.basic_get("q"),
                 lambda: publish(channel, "x", "q"), message.ack,
                 lambda: channel.basic_consume("q", "c", callback=print),
                 lambda: channel.basic_qos(0, 1, True), channel.confirm_select):
        with pytest.raises(own_connection.connection_errors):
            call()
    channel.close()


def test_a_draining_broker_ends_the_connection(own_broker, own_connection):
    own_connection.channel().basic_qos(0, 1, True)
    os.kill(own_broker.pid, signal.SIGTERM)
    with pytest.raises(RecoverableConnectionError):
        drain(own_connection, times=1000)
        wait_until(lambda: own_connection.connection.link.failure is not None)
        own_connection.drain_events(timeout=1)


def test_consumers_are_revived_after_a_reconnect(url, name):
    with kombu.Connection(url) as connection:
        received = []
        consumer = kombu.Consumer(
            connection, [kombu.Queue(name, routing_key=name)],
            callbacks=[lambda body, message: (received.append(body), message.ack())])
        with consumer:
            connection.connection.transport.sock.close()

            def step(conn):
                with pytest.raises(socket.timeout):
                    conn.drain_events(timeout=0.1)

            connection.ensure(consumer, step, max_retries=3)(connection)
            kombu.Producer(connection).publish("back", routing_key=name)
            connection.drain_events(timeout=PATIENCE)
        assert received == ["back"]
        consumer.channel.queue_delete(name)


def test_exclusive_queues_are_free_for_the_next_connection_of_a_client(connection, name):
    connection.default_channel.queue_declare(name, exclusive=True)
    for _ in range(20):
        connection.collect()
        connection.default_channel.queue_declare(name, exclusive=True)


def test_a_session_that_was_left_behind_is_closed_by_the_next(connection, name, monkeypatch):
    """As after a network that went silent: the broker has not seen the end of the connection."""
    connection.default_channel.queue_declare(name, exclusive=True)
    lost = connection.connection.link
    with monkeypatch.context() as patch:
        patch.setattr(lost, "_grpc", type("Silent", (), {"close": lambda self: None})())
        connection.collect()
    connection.default_channel.queue_declare(name, exclusive=True)
    lost._grpc.close()


def test_a_collected_connection_gives_back_what_it_held(connection, connect, channel, queue):
    publish(channel, "x", queue)
    get(channel, queue, no_ack=False)
    connection.collect()
    assert get(connect().channel(), queue).delivery_info["redelivered"] is True


def test_a_killed_process_frees_its_exclusive_queues(url, channel, name):
    holder = run("""
        import sys, time, kombu, kelpmq_kombu
        kombu.Connection(sys.argv[1]).channel().queue_declare(sys.argv[2], exclusive=True)
        print("ready", flush=True)
        time.sleep(60)
        """, url, name)
    with holder:
        assert holder.stdout.readline() == "ready\n"
        with pytest.raises(ResourceLocked):
            channel.queue_declare(name, passive=True)
        holder.kill()

    def is_free():
        try:
            channel.queue_declare(name, exclusive=True)
        except ResourceLocked:
            return False
        return True

    wait_until(is_free, seconds=5)


@pytest.mark.parametrize("kept", [True, False])
def test_what_a_program_acknowledged_last_counts(broker, url, channel, queue, kept):
    """Though it closes nothing; and so it does when a connection is forgotten."""
    for _ in range(2):
        publish(channel, "x", queue)
    with run("""
            import sys, kombu, kelpmq_kombu
            def work():
                connection = kombu.Connection(sys.argv[1])
                channel = connection.channel()
                for _ in range(2):
                    channel.basic_get(sys.argv[2]).ack()
                return connection
            if int(sys.argv[3]):
                kept = work()
            else:
                work()
            """, url, queue, str(int(kept))) as program:
        assert program.wait(PATIENCE) == 0
    with kelpmq.Client(broker.address) as client:
        wait_until(lambda: client.get_queue(queue).messages_unacked == 0)
        assert client.get_queue(queue).messages_ready == 0


def test_an_ended_session_is_a_forced_close(own_broker, own_connection):
    from kelpmq.v1 import session_pb2

    own = own_connection.connection
    own.link._sessions.CloseSession(session_pb2.CloseSessionRequest(session_id=own.link.session_id))
    with pytest.raises(RecoverableConnectionError) as found:
        own_connection.channel().queue_declare("", exclusive=True)
    assert isinstance(found.value, (ConnectionForced, RecoverableConnectionError))


def test_threads_share_connections_that_come_and_go(url, name):
    """Nothing but the errors of AMQP comes of it, and everybody ends."""
    shared = [kombu.Connection(url)]
    stop = time.monotonic() + 3
    unexpected = []

    def use(number):
        chance = random.Random(number)
        while time.monotonic() < stop:
            connection = shared[0]
            try:
                # kombu.Connection's own methods find None when another thread releases it.
                established = connection.connection
                if established is None:
                    continue
                channel = established.channel()
                channel.queue_declare(name, auto_delete=False)
                for _ in range(chance.randrange(20)):
                    publish(channel, b"x" * chance.randrange(2000), name)
                    message = channel.basic_get(name)
                    if message is not None:
                        chance.choice([message.ack, message.requeue, message.reject])()
                tag = f"{number}-{chance.random()}"
                channel.basic_consume(name, tag, callback=lambda m: m.ack())
                with contextlib.suppress(socket.timeout):
                    established.drain_events(timeout=0.01)
                channel.basic_cancel(tag)
                if chance.random() < 0.3:
                    channel.basic_ack(99)
                channel.close()
            except (*connection.connection_errors, *connection.channel_errors):
                pass
            except AttributeError:
                assert channel.connection is None  # Closed by another thread in between.
            except Exception as exc:
                unexpected.append(exc)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    chance = random.Random(1)
    while time.monotonic() < stop:
        time.sleep(chance.random() / 3)
        old, shared[0] = shared[0], kombu.Connection(url)
        chance.choice([old.release, old.collect])()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    shared[0].release()
    assert unexpected == []


# Being held back.


def test_a_broker_short_of_memory_holds_publishers_back(connect, monkeypatch):
    told = []
    with kelpmq.PrivateBroker("--memory-high-watermark", "96MiB", tcp=True) as broker:
        url = f"kelpmq://{broker.address}"
        with kombu.Connection(url) as consuming, kombu.Connection(url, transport_options={
                "on_blocked": told.append, "on_unblocked": lambda: told.append("go on")}) as sending:
            sender, receiver = sending.channel(), consuming.channel()
            receiver.queue_declare("q", auto_delete=False)
            with pytest.raises(RecoverableConnectionError, match="timed out"):
                for _ in range(5000):
                    publish(sender, b"x" * 100_000, "q", timeout=1)
            drain(sending)
            [reason] = told
            assert "memory" in reason
            # Those who only take go on.
            receiver.queue_purge("q")
            wait_until(lambda: drain(sending, times=1) or told[-1] == "go on")
            receiver.queue_purge("q")
            publish(sender, "after", "q", timeout=PATIENCE)


# Being killed, ending.


def test_a_worker_killed_between_result_and_acknowledgement_loses_nothing(url, channel, name):
    """An acknowledgement waits for the confirms of what its channel has published before."""
    tasks, results = name + "-tasks", name + "-results"
    for queue in (tasks, results):
        channel.queue_declare(queue, auto_delete=False)
    lost = 0
    for round_number in range(8):
        publish(channel, "task", tasks)
        worker = run("""
            import os, signal, sys, time, kombu, kelpmq_kombu
            channel = kombu.Connection(sys.argv[1]).channel()
            message = None
            while message is None:
                message = channel.basic_get(sys.argv[2])
            for _ in range(20):
                channel.basic_publish(channel.prepare_message(b"r" * 200_000), "", sys.argv[3])
            message.ack()
            time.sleep(int(sys.argv[4]) / 500)
            os.kill(os.getpid(), signal.SIGKILL)
            """, url, tasks, results, str(round_number))
        assert worker.wait(PATIENCE) == -signal.SIGKILL
        worker.stdout.close()
        # The broker has seen the end of the connection when the task is back, or never.
        deadline = time.monotonic() + 1
        task = None
        while task is None and time.monotonic() < deadline:
            task = channel.basic_get(tasks, no_ack=True)
        done = channel.queue_purge(results)
        if task is None and done < 20:
            lost += 1
    assert lost == 0
    channel.queue_delete(tasks)
    channel.queue_delete(results)


def test_what_a_program_published_before_it_ended_arrives(url, channel, queue):
    program = run("""
        import sys, kombu, kelpmq_kombu
        producer = kombu.Producer(kombu.Connection(sys.argv[1]))
        for i in range(2000):
            producer.publish({"i": i}, routing_key=sys.argv[2])
        """, url, queue)
    assert program.wait(PATIENCE) == 0
    program.stdout.close()
    assert channel.queue_declare(queue, passive=True).message_count == 2000


def test_forgotten_connections_are_closed(url, channel, name):
    forgotten = kombu.Connection(url)
    forgotten.default_channel.queue_declare(name, exclusive=True)
    del forgotten

    def is_gone():
        import gc

        gc.collect()
        try:
            channel.queue_declare(name, passive=True)
        except NotFound:
            return True
        except ResourceLocked:
            return False

    wait_until(is_gone, seconds=5)


# Forking.


def in_child(work):
    """Runs `work` in a forked child and returns its exit code."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    signal.alarm(int(PATIENCE))
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def test_a_forked_child_makes_its_own_connection(url, connection, channel, queue):
    def work():
        assert not connection.connected
        with pytest.raises(RecoverableConnectionError):
            channel.basic_get(queue)
        connection.collect()
        publish(connection.default_channel, "child", queue)
        connection.release()

    for _ in range(3):
        publish(channel, "parent", queue)
        assert in_child(work) == 0
        assert {get(channel, queue).body, get(channel, queue).body} == {"parent", "child"}


def test_a_forked_child_does_not_end_its_parents_session(url, connection, channel, name):
    channel.queue_declare(name, exclusive=True)

    def work():
        connection.collect()
        connection.default_channel.queue_declare("", exclusive=True)
        connection.release()

    assert in_child(work) == 0
    channel.queue_declare(name, passive=True)


def test_a_forked_child_that_ends_leaves_the_connection_alone(connection, channel, queue):
    assert in_child(lambda: None) == 0
    publish(channel, "x", queue)
    assert get(channel, queue).body == "x"


def test_children_forked_while_messages_flow(url, connection, channel, queue):
    """As a pool does that replaces its processes."""
    received = Received(connection)
    channel.basic_consume(queue, "c", callback=received)
    for generation in range(20):
        for _ in range(100):
            publish(channel, "x", queue)
        assert in_child(lambda: publish(kombu.Connection(url).channel(), "y", queue) or
                        link.flush_all()) == 0
        received.wait((generation + 1) * 101)


@pytest.mark.parametrize("first, warned", [("kombu.messaging", False), ("grpc", True)])
def test_a_program_is_warned_that_its_children_may_fail(url, first, warned):
    environment = {key: value for key, value in os.environ.items()
                   if key != "GRPC_ENABLE_FORK_SUPPORT"}
    program = run(f"""
        import sys, {first}, grpc, kombu, kelpmq_kombu, logging
        logging.basicConfig(stream=sys.stdout)
        kombu.Connection(sys.argv[1]).connect()
        """, url, env=environment)
    printed, _ = program.communicate(timeout=PATIENCE)
    assert ("GRPC_ENABLE_FORK_SUPPORT" in printed) == warned
