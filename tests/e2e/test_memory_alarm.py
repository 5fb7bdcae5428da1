"""The memory alarm: who is held back, who is told, and that it passes."""
import json
import pathlib
import resource
import subprocess

import broker as broker_process
import grpc
import pytest
import wire
from kelpmq.internal.v1 import rpc_status_pb2
from kelpmq.v1 import messaging_pb2 as pb, session_pb2

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
MIB = 1 << 20

# A sanitizer's allocator keeps what is freed, so the alarm would stay on; and it takes more than any limit.
sanitized = pytest.mark.skipif(b"__asan_init" in broker_process.binary().read_bytes(),
                               reason="AddressSanitizer does not give memory back")


@pytest.fixture(scope="module")
def broker():
    """A broker that is always above its mark. No test of this file needs it otherwise."""
    with broker_process.running("--memory-high-watermark", "1") as running:
        yield running


def publishing(client, *requests):
    return wire.Stream.two_way(client.messaging.PublishStream, *requests)


def batch(queue_name: str, *bodies) -> pb.PublishStreamRequest:
    return pb.PublishStreamRequest(routing_key=queue_name, mandatory=True, items=[
        pb.PublishItem(message=wire.message(body)) for body in bodies])


def flow_of(stream):
    return stream.take(lambda r: r.HasField("flow")).flow


def test_LIMIT_04_unary_publishes_fail_and_say_when_to_come_back(client):
    name = client.declare()
    for publish in (
            lambda: client.messaging.Publish(pb.PublishRequest(routing_key=name)),
            lambda: client.messaging.PublishBatch(pb.PublishBatchRequest(items=[pb.PublishItem(routing_key=name)]))):
        with wire.fails(EXHAUSTED, "MEMORY_ALARM") as info:
            publish()
        assert "low on memory" in info.value.details()
        trailers = dict(info.value.trailing_metadata())
        assert trailers["kelpmq-amqp-code"] == "506"
        status = rpc_status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
        [retry] = [detail.value for detail in status.details if detail.type_url.endswith("/google.rpc.RetryInfo")]
        assert rpc_status_pb2.RetryInfo.FromString(retry).retry_delay.seconds >= 1
    assert client.ready(name) == 0


def test_LIMIT_04_a_publish_stream_is_told_and_not_read(client):
    name = client.declare()
    stream = publishing(client, batch(name, "held"))
    flow = flow_of(stream)
    assert (flow.blocked, flow.reason) == (True, "low on memory")
    # What was held would be there by now: the stream was opened and answered before this call.
    assert client.ready(name) == 0
    stream.break_off()


def test_LIMIT_04_a_session_that_is_watched_is_told(client):
    watch = wire.Stream(client.session.WatchSession(
        session_pb2.WatchSessionRequest(session_id=client.open_session())))
    assert watch.take().HasField("heartbeat")
    assert watch.take().flow.blocked
    watch.break_off()


def test_LIMIT_04_all_but_publishing_goes_on(client, stream):
    name = client.declare()
    assert client.get(name).deliveries == []
    stream.start(name)
    stream.ping()
    assert client.exists(name)


@sanitized
def test_the_publish_that_sets_the_alarm_off_is_confirmed_and_its_stream_may_end():
    with broker_process.running("--memory-high-watermark", "20MiB") as broker:
        client = wire.Client(broker.address)
        name = client.declare()
        for _ in range(100):
            stream = publishing(client, batch(name, b"x" * 3_000_000))
            stream.half_close()
            assert stream.end() == (grpc.StatusCode.OK, "")
            assert stream.take(lambda r: r.confirmed)
            if client.messaging.GetServerInfo(pb.GetServerInfoRequest()).memory.alarm:
                break
        else:
            pytest.fail("no alarm at 300 MB")
        client.close()


def test_a_publish_stream_that_is_held_can_be_drained_away(own_alarmed):
    client = wire.Client(own_alarmed.address)
    stream = publishing(client)
    assert flow_of(stream).blocked
    own_alarmed.terminate()
    stream.take(lambda r: r.HasField("draining"))
    own_alarmed.terminate()  # the second does not wait for streams
    assert stream.end() == (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")
    assert own_alarmed.wait() == 0
    client.close()


def test_server_info_shows_memory_and_alarm(client):
    info = client.messaging.GetServerInfo(pb.GetServerInfoRequest())
    assert info.api_revision >= 2
    assert (info.memory.alarm, info.memory.high_watermark_bytes) == (True, 1)
    assert 1 < info.memory.used_bytes < info.memory.limit_bytes


def test_status_shows_memory_and_alarm(broker):
    def status(*options: str) -> str:
        return subprocess.run([broker_process.binary(), "status", "--address", broker.address, *options],
                              capture_output=True, text=True, check=True, timeout=wire.PATIENCE).stdout

    assert json.loads(status("--json"))["memory"]["alarm"] is True
    assert "ALARM: publishers are held back" in status()


@pytest.mark.parametrize("amount", ["0", "101%", "much", "-1"])
def test_a_mark_that_is_none_is_refused(amount):
    done = subprocess.run([broker_process.binary(), "serve", f"--memory-high-watermark={amount}"],
                          capture_output=True, text=True, timeout=wire.PATIENCE)
    assert done.returncode == 64 and "512MiB" in done.stderr


@pytest.fixture
def own_alarmed():
    running = broker_process.Broker("--memory-high-watermark", "1")
    yield running
    if running.alive():
        running.stop()


class Publisher:
    """Never stops: sends as long as the broker reads, and keeps account of what was confirmed."""

    BODY = b"x" * 20_000
    ITEMS = 10

    def __init__(self, client, queue_name: str):
        self.stream = publishing(client)
        self._queue = queue_name
        self.sent = self.confirmed = 0
        self.blocked = False

    def send(self) -> None:
        self.stream.send(batch(self._queue, *[self.BODY] * self.ITEMS))
        self.sent += 1

    def hear(self) -> None:
        """Takes in one response."""
        response = self.stream.take()
        self.confirmed += sum(range_.last - range_.first + 1 for range_ in response.confirmed)
        assert not response.failures
        if response.HasField("flow"):
            self.blocked = response.flow.blocked

    def fill(self) -> None:
        """Sends until the alarm goes on, a few requests ahead of the confirms."""
        while not self.blocked:
            if self.sent - self.confirmed < 8:
                self.send()
            else:
                self.hear()

    def settle(self) -> None:
        """Waits until all is confirmed that was sent."""
        while self.confirmed < self.sent:
            self.hear()


def drain(client, queue_name: str, number: int) -> None:
    """Receives and acknowledges so many messages."""
    stream = wire.ConsumeStream.open(client)
    stream.start(queue_name, prefetch_count=0, auto_ack=True)
    received = 0
    while received < number:
        received += len(stream.event("deliveries").deliveries)
    assert received == number
    stream.break_off()


def status_kib(broker, field: str) -> int:
    text = pathlib.Path(f"/proc/{broker.pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(field + ":")))


@sanitized
@pytest.mark.parametrize("limit", ["absolute", "RLIMIT_DATA"])
def test_LIMIT_04_publishers_that_never_stop_are_held_until_consumers_have_drained(limit):
    if limit == "RLIMIT_DATA":
        # Counts the stacks of its threads; the mark is 60 % of what they leave.
        with broker_process.running("--io-threads", "1") as idle:
            stacks = status_kib(idle, "VmData") * 1024
        broker = broker_process.Broker("--io-threads", "1", limits={resource.RLIMIT_DATA: stacks + 110 * MIB})
    else:
        broker = broker_process.Broker("--memory-high-watermark", "60MiB")
    clients = [wire.Client(broker.address) for _ in range(3)]
    name = clients[0].declare()
    publishers = [Publisher(client, name) for client in clients]
    total = 0
    for _ in range(2):
        for publisher in publishers:
            publisher.fill()
        # They send on; the broker does not read it.
        for publisher in publishers:
            for _ in range(5):
                publisher.send()
        with wire.fails(EXHAUSTED, "MEMORY_ALARM"):
            clients[0].messaging.Publish(pb.PublishRequest(routing_key=name))
        assert status_kib(broker, "RssAnon") * 1024 < 110 * MIB
        drain(clients[0], name, Publisher.ITEMS * (sum(p.sent for p in publishers) - total))
        total = sum(p.sent for p in publishers)
        for publisher in publishers:
            publisher.settle()
            while publisher.blocked:
                publisher.hear()
    assert clients[0].ready(name) == 0
    for client in clients:
        client.close()
    broker.stop()
