"""--strict-rabbitmq=4.3: what RabbitMQ 4.3 denies by default is refused."""
import broker as broker_process
import grpc
import pytest
import wire
from kelpmq.v1 import messaging_pb2 as pb

INTERNAL = grpc.StatusCode.INTERNAL
REFUSED = (INTERNAL, "INTERNAL_ERROR")


@pytest.fixture(scope="module")
def strict_broker():
    with broker_process.running("--strict-rabbitmq=4.3") as running:
        yield running


@pytest.fixture
def strict(strict_broker):
    client = wire.Client(strict_broker.address)
    yield client
    client.close()


def test_QDECL_04_transient_queues_are_exclusive(strict):
    with wire.fails(*REFUSED) as info:
        strict.declare()
    assert dict(info.value.trailing_metadata())["kelpmq-amqp-code"] == "541"
    assert info.value.details() == (
        "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated. "
        "By default, this feature is not permitted anymore.")
    with wire.fails(*REFUSED):
        strict.declare(auto_delete=True)
    name = strict.declare(durable=True)
    assert strict.declare(name, passive=True) == name
    strict.declare(exclusive=True, session_id=strict.open_session())


def test_prefetch_is_per_consumer(strict):
    queue = strict.declare(durable=True)
    stream = wire.ConsumeStream.open(strict, prefetch_count=5)
    assert stream.end() == REFUSED
    stream = wire.ConsumeStream.open(strict)
    stream.start(queue, prefetch_count=5)
    stream.ask(flow=pb.SetFlow(prefetch_count=9))
    stream.ask(flow=pb.SetFlow(whole_stream=True, paused=True))
    assert stream.ask(ping=pb.Ping(request_id=1)) is None
    stream.event("heartbeat")
    stream.ask(flow=pb.SetFlow(whole_stream=True, prefetch_count=9))
    assert stream.end() == REFUSED


def test_a_temporary_queue_is_exclusive(strict):
    stream = wire.ConsumeStream.open(strict)
    stream.ask(start=pb.ConsumerSpec(temporary_queue=pb.TemporaryQueue()))
    assert stream.event("started").queue
    stream.call.cancel()


def test_it_is_announced_and_off_by_default(strict, client):
    ask = pb.GetServerInfoRequest()
    assert "strict-rabbitmq-4.3" in strict.messaging.GetServerInfo(ask).features
    assert "strict-rabbitmq-4.3" not in client.messaging.GetServerInfo(ask).features
    client.declare()
