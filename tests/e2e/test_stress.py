"""64 producers and 64 consumers on 200 queues, with cancels and disconnects at random.

Nothing that was confirmed may be lost, and nothing may come twice unless it is marked redelivered.
"""
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

import pytest
import wire
from kelpmq.v1 import topology_pb2

HERE = pathlib.Path(__file__).resolve().parent
QUEUES = 200
PRODUCERS = CONSUMERS = 64
PROCESSES = 2     # Of each kind.
SECONDS = 15      # As long as the producers run.
GROUP_SIZE = 7    # Queues that get a message for a group.


def groups() -> dict[str, list[int]]:
    """Routing key -> numbers of its queues; queue n also has the key q.n."""
    return {f"group.{g}": [(g * 31 + i * 17) % QUEUES for i in range(GROUP_SIZE)]
            for g in range(10)}


class Worker:
    """A process of stress_worker.py. Its output goes to a file, so it never blocks."""

    def __init__(self, role: str, address: str, first: int, last: int):
        self._output = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [sys.executable, HERE / "stress_worker.py", role, address,
             *map(str, (first, last, QUEUES, SECONDS))],
            stdin=subprocess.PIPE, stdout=self._output, text=True)

    def say(self, line: str) -> None:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def result(self, seconds: float) -> dict:
        if not self._process.stdin.closed:
            self._process.stdin.close()
        assert self._process.wait(seconds) == 0
        self._output.seek(0)
        return json.load(self._output)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def start(role: str, address: str, number: int) -> list[Worker]:
    share = number // PROCESSES
    return [Worker(role, address, p * share, (p + 1) * share - 1) for p in range(PROCESSES)]


def all_queues(client) -> list:
    return client.topology.ListQueues(
        topology_pb2.ListQueuesRequest(page_size=1000, name_prefix="stress-")).queues


def merged(results: list[dict], key: str) -> list:
    return sum((result[key] for result in results), [])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_is_lost_and_doubles_are_marked(client, broker):
    client.declare_exchange("direct", name="stress")
    for number in range(QUEUES):
        client.declare(f"stress-{number}")
        client.bind(f"stress-{number}", "stress", f"q.{number}")
    for key, numbers in groups().items():
        for number in numbers:
            client.bind(f"stress-{number}", "stress", key)

    consumers = start("consume", broker.address, CONSUMERS)
    producers = start("produce", broker.address, PRODUCERS)
    try:
        produced = [p.result(SECONDS + 60) for p in producers]
        for consumer in consumers:
            consumer.say("calm")
        wire.until(lambda: not any(q.messages_ready or q.messages_unacked
                                   for q in all_queues(client)), "all is consumed", 120)
        consumed = [c.result(60) for c in consumers]
    finally:
        for worker in (*producers, *consumers):
            worker.kill()

    targets = {**{f"q.{n}": [n] for n in range(QUEUES)}, **groups()}

    def expand(published):
        return {(queue, body) for key, body in published for queue in targets[key]}

    confirmed, unknown = (expand(merged(produced, k)) for k in ("confirmed", "unknown"))
    deliveries = merged(consumed, "deliveries")
    assert len(confirmed) > 5_000 and len(unknown) > 0, "the load was too small to say anything"
    assert sum(c["streams"] for c in consumed) > 3 * CONSUMERS, "too few disconnects"

    delivered = {(queue, body) for queue, body, _ in deliveries}
    assert confirmed <= delivered, f"lost: {sorted(confirmed - delivered)[:10]}"
    assert delivered <= confirmed | unknown, "came from nowhere, or in the wrong queue"
    first_time = collections.Counter((q, body) for q, body, again in deliveries if not again)
    doubled = [key for key, count in first_time.items() if count > 1]
    assert not doubled, f"came twice and not marked redelivered: {doubled[:10]}"
    acked = collections.Counter(map(tuple, merged(consumed, "acked")))
    assert max(acked.values()) == 1, "acked twice, so delivered after an ack"
    assert any(again for _, _, again in deliveries)
