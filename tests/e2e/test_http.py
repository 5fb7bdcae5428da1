"""The pages for those who watch a broker: health, readiness, metrics."""
import http.client
import json
import re
import socket
import subprocess

import broker as broker_process
import pytest
import wire
from kelpmq.v1 import messaging_pb2 as pb
from prometheus_client.parser import text_string_to_metric_families

NAME = re.compile(r"(rabbitmq|kelpmq)_[a-z0-9_]+")


class Pages:
    """The HTTP side of a running broker."""

    def __init__(self, broker):
        lines = map(json.loads, broker.stderr().splitlines())
        self.address = next(line["http"] for line in lines if line["message"] == "broker started")

    def get(self, path: str, method: str = "GET") -> tuple[int, str, str]:
        """Status, content type and body."""
        connection = http.client.HTTPConnection(self.address, timeout=wire.PATIENCE)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.headers.get("Content-Type"), response.read().decode()
        finally:
            connection.close()

    def metrics(self, path: str = "/metrics") -> dict:
        """Every sample: (name, labels as a sorted tuple) -> value. The page must be well formed."""
        status, content_type, text = self.get(path)
        assert status == 200 and content_type == "text/plain; version=0.0.4; charset=utf-8"
        return samples_of(text)


def samples_of(text: str) -> dict:
    """Parses a page, and holds it to Prometheus's rules about names."""
    samples: dict = {}
    for family in text_string_to_metric_families(text):
        assert NAME.fullmatch(family.name), family.name
        assert family.type in ("counter", "gauge") and family.documentation, family.name
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in samples, f"twice: {key}"
            samples[key] = sample.value
    assert len(re.findall("^# TYPE ", text, re.M)) == len(set(re.findall("^# TYPE (\\S+)", text, re.M)))
    return samples


@pytest.fixture(scope="module")
def broker():
    with broker_process.running("--http", "127.0.0.1:0", "--log-format", "json") as running:
        yield running


@pytest.fixture
def pages(broker):
    return Pages(broker)


def value(samples: dict, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def traffic(samples: dict, name: str) -> float:
    return value(samples, f"rabbitmq_global_messages_{name}_total", protocol="kelpmq")


def test_a_broker_that_serves_is_alive_and_ready(pages):
    assert pages.get("/healthz")[::2] == (200, "ok\n")
    assert pages.get("/readyz")[::2] == (200, "ready\n")


def test_what_is_not_there_is_not_found(pages):
    assert pages.get("/")[0] == 404
    assert pages.get("/metrics/")[0] == 404


def test_nothing_can_be_posted(pages):
    assert pages.get("/metrics", method="POST")[0] >= 400
    assert pages.get("/healthz", method="HEAD")[::2] == (200, "")


def test_readiness_ends_with_the_drain_and_health_does_not():
    broker = broker_process.Broker("--http", "127.0.0.1:0", "--log-format", "json")
    pages = Pages(broker)
    client = wire.Client(broker.address)
    stream = wire.ConsumeStream.open(client)
    stream.start(client.declare())  # the drain waits for it
    broker.terminate()
    wire.until(lambda: pages.get("/readyz")[::2] == (503, "draining\n"), "not ready any more")
    assert pages.get("/healthz")[0] == 200
    assert value(pages.metrics(), "kelpmq_draining") == 1
    stream.break_off()
    assert broker.wait() == 0
    client.close()


def test_metrics_count_what_was_published_and_delivered(client, stream, pages):
    before = pages.metrics()
    name = client.filled("abc")
    client.messaging.PublishBatch(pb.PublishBatchRequest(items=[pb.PublishItem(routing_key="nowhere")]))
    stream.start(name)
    deliveries = stream.deliveries(3)
    stream.settle(delivery_tags=[deliveries[0].delivery_tag])
    assert client.get(client.declare()).deliveries == []
    after = pages.metrics()

    def grown(what: str) -> float:
        return traffic(after, what) - traffic(before, what)

    assert (grown("received"), grown("confirmed"), grown("routed")) == (4, 4, 3)
    assert grown("unroutable_dropped") == 1
    assert (grown("delivered"), grown("delivered_consume_manual_ack")) == (3, 3)
    assert (grown("acknowledged"), grown("get_empty")) == (1, 1)


def test_metrics_count_each_way_to_receive(client, stream, pages):
    name = client.filled("abcd")
    before = pages.metrics()
    client.get(name, auto_ack=True)
    stream.get(name, auto_ack=False)
    stream.settle(action=pb.SETTLE_ACTION_REQUEUE, all=True)
    stream.start(name, auto_ack=True)
    stream.deliveries(3)
    after = pages.metrics()

    def grown(what: str) -> float:
        return traffic(after, what) - traffic(before, what)

    assert (grown("delivered_get_auto_ack"), grown("delivered_get_manual_ack")) == (1, 1)
    assert (grown("delivered_consume_auto_ack"), grown("redelivered"), grown("delivered")) == (3, 1, 5)


def test_metrics_of_a_publish_stream_and_of_mandatory_messages(client, pages):
    name = client.declare()
    before = pages.metrics()
    stream = wire.Stream.two_way(client.messaging.PublishStream, pb.PublishStreamRequest(
        mandatory=True, items=[pb.PublishItem(routing_key=name), pb.PublishItem(routing_key="nowhere")]))
    stream.take(lambda r: r.confirmed)
    during = pages.metrics()
    assert value(during, "kelpmq_streams", rpc="PublishStream") >= 1
    stream.half_close()
    stream.end()
    assert traffic(during, "received") - traffic(before, "received") == 2
    assert traffic(during, "unroutable_returned") - traffic(before, "unroutable_returned") == 1
    wire.until(lambda: value(pages.metrics(), "rabbitmq_channels_closed_total") >
               value(before, "rabbitmq_channels_closed_total"), "the stream counts as closed")


def test_metrics_tell_what_is_there_now(client, stream, pages):
    before = pages.metrics()
    name = client.filled(["1234", "12"])
    session = client.open_session()
    stream.start(name, prefetch_count=1)
    stream.deliveries(1)
    after = pages.metrics()

    def grown(what: str) -> float:
        return value(after, what) - value(before, what)

    assert (grown("rabbitmq_queues"), grown("rabbitmq_consumers"), grown("rabbitmq_connections")) == (1, 1, 1)
    assert (grown("rabbitmq_queue_messages_ready"), grown("rabbitmq_queue_messages_unacked")) == (1, 1)
    assert grown("rabbitmq_queue_messages_bytes") == 6
    client.close_session(session)
    assert value(pages.metrics(), "rabbitmq_connections") == value(before, "rabbitmq_connections")


def test_metrics_tell_of_memory(pages):
    samples = pages.metrics()
    used, high, limit = (value(samples, name) for name in (
        "kelpmq_memory_used_bytes", "rabbitmq_resident_memory_limit_bytes", "kelpmq_memory_limit_bytes"))
    assert 0 < used < high < limit
    assert value(samples, "rabbitmq_alarms_memory_used_watermark") == 0


def test_the_page_does_not_grow_with_the_queues(client, pages):
    size = len(pages.get("/metrics")[2])
    for _ in range(50):
        client.declare()
    assert len(pages.get("/metrics")[2]) < size + 50


def test_queues_are_told_apart_on_demand(client, pages):
    name = client.filled("ab")
    ready = {"vhost": "/", "queue": name}
    assert value(pages.metrics("/metrics/per-object"), "rabbitmq_queue_messages_ready", **ready) == 2
    detailed = pages.metrics("/metrics/detailed?family=queue_coarse_metrics&vhost=%2F")
    assert value(detailed, "rabbitmq_detailed_queue_messages_ready", **ready) == 2
    assert not any(name.endswith("_bytes") for name, _ in detailed)
    assert pages.metrics("/metrics/detailed?family=queue_metrics&vhost=absent") == {}
    assert pages.metrics("/metrics/detailed") == {}


def test_names_of_queues_are_escaped(client, pages):
    name = client.declare('a "b" \\ c\nd é')
    samples = pages.metrics("/metrics/per-object")
    assert value(samples, "rabbitmq_queue_messages_ready", vhost="/", queue=name) == 0


def test_an_address_in_use_is_told_and_nothing_is_served():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        done = subprocess.run(
            [broker_process.binary(), "serve", "--listen", "127.0.0.1:0", "--http", address],
            capture_output=True, text=True, timeout=wire.PATIENCE)
    assert done.returncode == 69 and address in done.stderr and "in use" in done.stderr
    assert done.stdout == ""


def test_an_address_that_is_none_is_refused():
    done = subprocess.run([broker_process.binary(), "serve", "--listen", "127.0.0.1:0", "--http", "unix:/x"],
                          capture_output=True, text=True, timeout=wire.PATIENCE)
    assert done.returncode == 64 and "HTTP" in done.stderr
