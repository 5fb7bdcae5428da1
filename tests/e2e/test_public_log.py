"""A public event log goes through a topic exchange to three processes; nothing is lost or doubled.

What should arrive is worked out here, with a matcher that has nothing in common with the broker's.
"""
import collections
import hashlib
import json
import pathlib
import subprocess
import sys

import wire
from kelpmq.v1 import messaging_pb2 as pb

HERE = pathlib.Path(__file__).resolve().parent
MARKER = "end-of-log"
BATCH = 100

# Queue -> binding keys; a key is severity.network.type.status. Several match one event.
BINDINGS = {
    "alarm": ["strong.#", "moderate.#", "*.*.explosion.*"],
    "alaska": ["*.ak.#", "#.ak.*.reviewed"],
    "california": ["*.ci.#", "*.nc.#"],
    "nevada": ["*.nn.earthquake.*", "minor.nn.#"],
    "pacific": ["*.hv.*.*", "*.pr.*.*", "*.us.#", "#.us.#"],
    "not-natural": ["*.*.explosion.#", "*.*.quarry-blast.#"],
    "to-review": ["minor.*.*.automatic", "light.*.*.automatic", "moderate.*.*.automatic",
                  "strong.*.*.automatic"],
    # All three processes share this one.
    "archive": ["minor.*.*.reviewed", "light.#", "strong.#"],
    "nobody": ["*.earthquake.#", "earthquake", "*.*.*.*.#.*", "strong.*.*.rejected"],
}
SHARED = "archive"
PROCESSES = [["alarm", "alaska", "nobody", SHARED], ["california", "nevada", SHARED],
             ["pacific", "not-natural", "to-review", SHARED]]


def severity(magnitude: float) -> str:
    for limit, name in ((1, "micro"), (3, "minor"), (5, "light"), (6, "moderate")):
        if magnitude < limit:
            return name
    return "strong"


def routing_key(event: dict) -> str:
    return ".".join([severity(event["mag"]), event["net"], event["type"].replace(" ", "-"),
                     event["status"]])


def matches(pattern: list[str], words: list[str]) -> bool:
    if not pattern:
        return not words
    if pattern[0] == "#":
        return matches(pattern[1:], words) or bool(words) and matches(pattern, words[1:])
    return bool(words) and pattern[0] in ("*", words[0]) and matches(pattern[1:], words[1:])


def expected(records: list[tuple[str, bytes]]) -> tuple[dict[str, list], int]:
    """What each queue should get, in order, and how many records match no binding."""
    queues: dict[str, list] = {name: [] for name in BINDINGS}
    unrouted = 0
    for key, body in records:
        taken = [name for name, patterns in BINDINGS.items()
                 if any(matches(p.split("."), key.split(".")) for p in patterns)]
        for name in taken:
            queues[name].append([key, hashlib.sha256(body).hexdigest()])
        unrouted += not taken
    return queues, unrouted


def publish_all(client, exchange: str, records) -> int:
    """Over one PublishStream, every batch confirmed. Returns how many were routed nowhere."""
    requests = [
        pb.PublishStreamRequest(exchange=exchange, items=[
            pb.PublishItem(routing_key=key, message=wire.message(
                body, content_type="application/json")) for key, body in records[i:i + BATCH]])
        for i in range(0, len(records), BATCH)]
    confirmed, unrouted = 0, 0
    for response in client.messaging.PublishStream(iter(requests), timeout=wire.PATIENCE):
        assert not response.failures
        confirmed += sum(r.last - r.first + 1 for r in response.confirmed)
        unrouted += response.unrouted_count
    assert confirmed == len(requests)
    return unrouted


def test_every_event_reaches_exactly_its_queues(client, broker):
    lines = (HERE / "data" / "earthquakes.jsonl").read_bytes().splitlines()
    records = [(routing_key(json.loads(line)), line) for line in lines]
    queues, expected_unrouted = expected(records)
    assert len(records) == 1707 and sum(map(len, BINDINGS.values())) >= 20
    assert expected_unrouted > 0 and not queues["nobody"], "the bindings should leave some out"

    exchange = client.declare_exchange("topic")
    for name, patterns in BINDINGS.items():
        client.declare(name)
        for pattern in patterns:
            client.bind(name, exchange, pattern)

    consumers = [subprocess.Popen(
        [sys.executable, HERE / "public_log_consumer.py", broker.address, *names],
        stdout=subprocess.PIPE, text=True) for names in PROCESSES]
    try:
        wire.until(lambda: all(client.queue(name).consumer_count == sum(
            name in names for names in PROCESSES) for name in BINDINGS), "all are consuming")
        assert publish_all(client, exchange, records) == expected_unrouted
        for name in (name for names in PROCESSES for name in names):
            client.messaging.Publish(pb.PublishRequest(
                routing_key=name, message=wire.message(type=MARKER)), timeout=wire.PATIENCE)
        received = [json.loads(c.communicate(timeout=wire.PATIENCE)[0]) for c in consumers]
    finally:
        for consumer in consumers:
            consumer.kill()
    assert [c.returncode for c in consumers] == [0, 0, 0]

    for names, got in zip(PROCESSES, received):
        for name in names:
            if name != SHARED:
                assert got[name] == queues[name], name
    shares = [[tuple(record) for record in got[SHARED]] for got in received]
    wanted = [tuple(record) for record in queues[SHARED]]
    assert collections.Counter(sum(shares, [])) == collections.Counter(wanted)
    assert all(shares), "a process got nothing of the shared queue"
    place = {record: index for index, record in enumerate(wanted)}
    for share in shares:
        assert [place[r] for r in share] == sorted(place[r] for r in share)
    for name in BINDINGS:
        assert (client.ready(name), client.queue(name).messages_unacked) == (0, 0)
