"""What a container's end and its restart mean to the clients of its broker."""
import os
import pathlib
import signal
import subprocess
import threading

import grpc
import pytest
import wire
from containers import HARDENED, ROOT, SOCKET, Container
from kelpmq.v1 import messaging_pb2 as pb

BATCH = 50  # Messages in one request.


def start(podman, folder: pathlib.Path, name: str, *options: str) -> Container:
    """A broker whose socket is in `folder`, where the clients of this process find it."""
    return Container(podman, name, *HARDENED, "--network", "none", "-v", f"{folder}:/run/kelpmq",
                     *options, serve=("--listen", f"unix:{SOCKET}", "--socket-mode", "0660"))


@pytest.fixture
def client(image, shared_folder):
    client = wire.Client(f"unix:{shared_folder}/kelpmq.sock")
    yield client
    client.close()


class Publisher:
    """Publishes numbered messages without pause, on a thread, until the broker says that it drains.

    Then it waits until all it sent is confirmed, and ends its stream.
    """

    def __init__(self, client: wire.Client, queue_name: str):
        self.confirmed = -1  # Once it does not run any more: how many were, all from 0.
        self._stream = wire.Stream.two_way(
            client.messaging.PublishStream, pb.PublishStreamRequest())
        self._queue_name = queue_name
        self._requests = 1  # Sent; each of them is confirmed once.
        self._confirmed_requests = 0
        self._draining = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def running(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._draining:
            first = (self._requests - 1) * BATCH
            self._stream.send(pb.PublishStreamRequest(
                routing_key=self._queue_name, mandatory=True, items=[
                    pb.PublishItem(message=wire.message(str(first + i))) for i in range(BATCH)]))
            self._requests += 1
            self._note_response()
        while self._confirmed_requests < self._requests:
            self._note_response()
        self._stream.half_close()
        assert self._stream.end() == (grpc.StatusCode.OK, "")
        self.confirmed = (self._requests - 1) * BATCH

    def _note_response(self) -> None:
        response = self._stream.take()
        assert not response.failures
        self._draining |= response.HasField("draining")
        self._confirmed_requests += sum(r.last - r.first + 1 for r in response.confirmed)


def test_sigterm_during_traffic_drains_and_loses_nothing_confirmed(podman, shared_folder, client):
    broker = start(podman, shared_folder, "drained")
    queue_name = client.declare()
    consumer = wire.ConsumeStream.open(client)
    consumer.start(queue_name, prefetch_count=2 * BATCH)
    publisher = Publisher(client, queue_name)
    received: list[int] = []

    def receive_until(condition, what: str) -> None:
        def received_enough() -> bool:
            if deliveries := consumer.waiting():
                received.extend(int(d.message.body) for d in deliveries)
                consumer.ask(settle=pb.Settle(
                    action=pb.SETTLE_ACTION_ACK, up_to=deliveries[-1].delivery_tag))
            return condition()
        wire.until(received_enough, what)

    receive_until(lambda: len(received) >= 10 * BATCH, "traffic is under way")
    broker.signal("TERM")
    # The broker serves its streams until they end, so all that it confirmed comes out.
    receive_until(lambda: not publisher.running() and len(received) >= publisher.confirmed,
                  "all that was confirmed has come")
    consumer.half_close()
    assert consumer.end() == (grpc.StatusCode.OK, "")
    assert received == list(range(publisher.confirmed))
    assert broker.exit_code() == 0
    assert not (shared_folder / "kelpmq.sock").exists()
    broker.remove()


def test_a_stop_without_clients_is_quick_and_has_exit_code_0(podman, image):
    broker = Container(podman, "stopped", *HARDENED)
    podman("stop", "-t", "10", broker.name)
    assert broker.exit_code() == 0
    broker.remove()


def test_kill_and_restart_are_a_reconnect_to_plain_stubs(podman, shared_folder, client):
    """The channel serves on. What was in memory is gone, as it must be."""
    broker = start(podman, shared_folder, "killed", "--restart", "always")
    queue_name = client.filled("a")
    consumer = wire.ConsumeStream.open(client)
    consumer.start(client.declare())
    before = client.messaging.GetServerInfo(pb.GetServerInfoRequest()).start_time

    os.kill(broker.pid(), signal.SIGKILL)  # Not by podman, which would take it as a wish.
    assert consumer.end()[0] == grpc.StatusCode.UNAVAILABLE
    after = client.messaging.GetServerInfo(
        pb.GetServerInfoRequest(), wait_for_ready=True, timeout=wire.PATIENCE).start_time
    assert after.ToNanoseconds() > before.ToNanoseconds()
    assert not client.exists(queue_name)
    client.publish(client.declare(queue_name), "b")
    assert wire.bodies(client.get(queue_name).deliveries) == ["b"]
    broker.remove()


def test_kill_and_restart_are_a_reconnect_to_the_python_client(podman, image, shared_folder):
    """It declares its queue again, and both its consumer and its publisher go on."""
    python = ROOT / "build/python-client/bin/python"
    if not python.exists():
        pytest.skip("the Python client is not installed (tests/run does)")
    broker = start(podman, shared_folder, "killed-too", "--restart", "always")
    with subprocess.Popen(
            [python, pathlib.Path(__file__).with_name("reconnecting_app.py"),
             f"unix:{shared_folder}/kelpmq.sock"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as app:
        for life in range(3):
            if life > 0:
                os.kill(broker.pid(), signal.SIGKILL)
            print(f"life {life}", file=app.stdin)
            assert f"life {life}\n" in iter(app.stdout.readline, "")  # At least once.
        app.stdin.close()
        assert app.wait(wire.PATIENCE) == 0
    broker.remove()
