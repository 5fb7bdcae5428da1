"""Celery's ladder of delays as a whole."""
import pytest
import wire
from kelpmq.v1 import messaging_pb2 as pb
from kelpmq.v1 import topology_pb2

LEVELS = 28  # Delays are binary numbers of so many digits, in seconds.
DELIVERY = "celery_delayed_delivery"


def level_name(level: int) -> str:
    return f"celery_delayed_{level}"


def level_pattern(level: int, digit: int) -> str:
    """Fits keys whose digit at this level is `digit`: the highest level comes first."""
    return ".".join(["*"] * (LEVELS - 1 - level) + [str(digit), "#"])


def routing_key(delay: int, key: str) -> str:
    return ".".join([*f"{delay:0{LEVELS}b}", key])


def bind_exchange(client, source: str, destination: str, key: str) -> None:
    client.topology.BindExchange(topology_pb2.BindExchangeRequest(
        source=source, destination=destination, routing_key=key), timeout=wire.PATIENCE)


@pytest.fixture
def ladder(timed):
    """The exchanges and queues that Kombu declares for native delayed delivery: a message waits in
    the queue of each level whose digit is 1, for 2**level seconds, and passes by where it is 0."""
    client = timed
    client.declare_exchange("topic", name=DELIVERY, durable=True)
    for level in range(LEVELS):
        client.declare_exchange("topic", name=level_name(level), durable=True)
    for level in range(LEVELS):
        below = level_name(level - 1) if level else DELIVERY
        client.declare(level_name(level), durable=True, options=topology_pb2.QueueOptions(
            queue_type="quorum", overflow="reject-publish", message_ttl_ms=1000 << level,
            dead_letter_exchange=below))
        client.bind(level_name(level), level_name(level), level_pattern(level, 1))
        bind_exchange(client, level_name(level), below, level_pattern(level, 0))
    return client


def test_CELERY_07_the_delay_ladder(ladder):
    # A worker's task queue and its topic exchange.
    exchange = ladder.declare_exchange("topic", durable=True)
    queue = ladder.declare(durable=True)
    ladder.bind(queue, exchange, f"#.{queue}")
    bind_exchange(ladder, DELIVERY, exchange, f"#.{queue}")
    delays = [1, 2, 3, 5, 60, 3600 + 7, 0]
    for delay in delays:
        ladder.messaging.Publish(pb.PublishRequest(
            exchange=level_name(LEVELS - 1), routing_key=routing_key(delay, queue),
            message=wire.message(str(delay)), mandatory=True), timeout=wire.PATIENCE)
    now = 0
    for delay in sorted(delays):
        if delay > now:
            ladder.advance(delay - now - 0.001)
            assert ladder.ready(queue) == 0, f"{delay} came too early"
            ladder.advance(0.001)
            now = delay
        [delivery] = ladder.get(queue, max_messages=10, auto_ack=True).deliveries
        assert delivery.message.body == str(delay).encode()
        assert delivery.routing_key == routing_key(delay, queue)


def test_CELERY_07_the_longest_delay(ladder):
    queue = ladder.declare(durable=True)
    bind_exchange(ladder, DELIVERY, ladder.declare_exchange("topic", name="last"), f"#.{queue}")
    ladder.bind(queue, "last", f"#.{queue}")
    longest = (1 << LEVELS) - 1  # Eight and a half years.
    ladder.messaging.Publish(pb.PublishRequest(
        exchange=level_name(LEVELS - 1), routing_key=routing_key(longest, queue),
        message=wire.message("at last")), timeout=wire.PATIENCE)
    ladder.advance(longest - 1)
    assert ladder.ready(queue) == 0
    ladder.advance(1)
    assert ladder.ready(queue) == 1
