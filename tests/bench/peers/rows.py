"""What is measured, and what the figures must come to."""
import dataclasses
import statistics

from . import first_call, kelpmq, nats, rabbitmq, redis
from .measure import Measurement, Median, median

PEERS = {"rabbitmq": rabbitmq, "nats": nats, "redis": redis}


def _perf(*flags: str):
    return lambda server, seconds: server.measure(*flags, seconds=seconds)


_BOTH = {  # loads that broker and relay get alike
    "batch 64": (),
    "1 KiB": ("--size", "1024"),
    "batch 1": ("--batch", "1"),
    "4 producers, 4 consumers": ("--producers", "4", "--consumers", "4"),
    "unary": ("--unary", "--confirm-window", "64", "--consumers", "0"),
    "5,000/s": ("--rate", "5000", "--batch", "1", "--ack-batch", "1"),
}
_BROKER_ONLY = {
    "1,000 queues": ("--queues", "1000", "--bindings", "10000"),
    "fan-out to 10": ("--exchange-type", "fanout", "--queues", "10"),
    "one call a second": ("--unary", "--confirm-window", "1", "--consumers", "0", "--rate", "1"),
    "memory 100": ("--consumers", "0", "--messages", "1000000"),
    "memory 12": ("--consumers", "0", "--messages", "1000000", "--size", "12"),
}
# The relay that performance.md measured held publishers back at 32k messages; messages a CPU second.
_ANCHORS = {"batch 64": 3_200_000, "1 KiB": 1_100_000, "batch 1": 66_000, "4 producers, 4 consumers": 3_400_000}
ANCHOR_SHARE = 0.8


def measurements(peers: set[str]) -> list[Measurement]:
    made = []
    for name, flags in _BOTH.items():
        made.append(Measurement(f"kelpmq {name}", kelpmq.KelpMQ, _perf(*flags)))
        made.append(Measurement(f"relay {name}", kelpmq.Relay, _perf(*flags)))
        if name in _ANCHORS:
            made.append(Measurement(f"capped relay {name}", kelpmq.CappedRelay, _perf(*flags)))
    for name, flags in _BROKER_ONLY.items():
        made.append(Measurement(f"kelpmq {name}", kelpmq.KelpMQ, _perf(*flags)))
    if "rabbitmq" in peers:
        for size, name in ((100, "100 B"), (1024, "1 KiB")):
            made.append(Measurement(f"rabbitmq {name}", rabbitmq.RabbitMQ,
                                    lambda server, seconds, size=size: server.measure(size=size, seconds=seconds)))
    if "nats" in peers:
        made.append(Measurement("nats jetstream", nats.Nats,
                                lambda server, seconds: server.jetstream(size=100, seconds=seconds)))
        made.append(Measurement("nats core", nats.Nats,
                                lambda server, seconds: server.core(size=100, seconds=seconds)))
    if "redis" in peers:
        for kind in ("stream", "list"):
            made.append(Measurement(
                f"redis {kind}", redis.Redis,
                lambda server, seconds, kind=kind: server.measure(kind, size=100, pipeline=100, seconds=seconds)))
    return made


@dataclasses.dataclass
class Row:
    """One figure against its target. Starred ones decide `--check`."""
    figure: str
    starred: bool
    value: float | None
    target: float
    at_least: bool  # else at most
    unit: str = "x"
    void: bool = False

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        if self.void:
            return "void"
        return "ok" if (self.value >= self.target) == self.at_least or self.value == self.target else "MISSED"


class Figures:
    def __init__(self, samples: dict[str, list]):
        self._samples = samples
        self.medians: dict[str, Median] = {name: median(one) for name, one in samples.items()}

    def get(self, name: str) -> Median:
        return self.medians.get(name, Median())

    def ratio(self, figure: str, starred: bool, ours: str, theirs: str, target: float, *, of: str = "rate",
              at_least: bool = True) -> Row:
        a, b = self.get(ours), self.get(theirs)
        x, y = getattr(a, of), getattr(b, of)
        value = x / y if x is not None and y else None
        return Row(figure, starred, value, target, at_least, void=a.void or b.void)

    def plain(self, figure: str, starred: bool, name: str, target: float, unit: str, *, of: str) -> Row:
        median_of = self.get(name)
        return Row(figure, starred, getattr(median_of, of), target, False, unit, median_of.void)

    def memory(self, figure: str, name: str, target: float) -> Row:
        values = [value for sample in self._samples.get(name, [])
                  if (value := sample.extra["bytes_per_queued_message"]) is not None]
        return Row(figure, True, statistics.median(values) if values else None, target, False, "bytes")


def relay_rows(figures: Figures) -> list[Row]:
    """Whether the relay is as good as the one that performance.md measured; else ratios to it say nothing."""
    return [Row(f"relay, {name}: messages per server CPU second", True,
                figures.get(f"capped relay {name}").per_cpu, ANCHOR_SHARE * anchor, True, "/s",
                figures.get(f"capped relay {name}").void)
            for name, anchor in _ANCHORS.items()]


def rows(figures: Figures) -> list[Row]:
    r = figures.ratio
    main = "kelpmq batch 64"
    return [
        r("consumed and acked per second, batch 64: of the bare relay", True, main, "relay batch 64", 0.6),
        r("    of RabbitMQ", True, main, "rabbitmq 100 B", 40),
        r("    of NATS JetStream, memory", True, main, "nats jetstream", 15),
        r("    of Redis streams, pipeline 100", True, main, "redis stream", 5),
        r("    of NATS core, which acks nothing", True, main, "nats core", 1.2),
        r("    of Redis lists, pipeline 100, which ack nothing", False, main, "redis list", 1),
        r("messages per server CPU second: of the bare relay", True, main, "relay batch 64", 0.55, of="per_cpu"),
        r("    of RabbitMQ", True, main, "rabbitmq 100 B", 40, of="per_cpu"),
        r("1 KiB: of the bare relay", True, "kelpmq 1 KiB", "relay 1 KiB", 0.6),
        r("    of RabbitMQ", True, "kelpmq 1 KiB", "rabbitmq 1 KiB", 20),
        r("4 producers and 4 consumers: of 1 and 1", False, "kelpmq 4 producers, 4 consumers", main, 1),
        r("1,000 queues with 10,000 bindings: of one queue", False, "kelpmq 1,000 queues", main, 0.7),
        r("fan-out to 10 queues, copies: of 1 and 1", False, "kelpmq fan-out to 10", main, 1.5),
        r("one message per request: of the bare relay", True, "kelpmq batch 1", "relay batch 1", 0.85),
        r("    of RabbitMQ", True, "kelpmq batch 1", "rabbitmq 100 B", 2),
        r("unary Publish, 64 in flight: of a bare echo", True, "kelpmq unary", "relay unary", 0.85),
        r("latency at 5,000/s, p50: of the bare relay", False, "kelpmq 5,000/s", "relay 5,000/s", 1.2, of="p50_ms",
          at_least=False),
        r("    p99: of the bare relay", False, "kelpmq 5,000/s", "relay 5,000/s", 2, of="p99_ms", at_least=False),
        figures.plain("    server CPU per message", False, "kelpmq 5,000/s", 100, "us", of="cpu_us"),
        figures.plain("one call each second, p99", False, "kelpmq one call a second", 2, "ms", of="p99_ms"),
        figures.plain("p99 at full load, prefetch 500", False, main, 10, "ms", of="p99_ms"),
        figures.memory("memory per queued message, 100 B", "kelpmq memory 100", 160),
        figures.memory("    12 B", "kelpmq memory 12", 64),
    ]


def start_rows(count: int) -> list[Row]:
    measured = [first_call.measure() for _ in range(count)]
    return [
        Row("process start to first answered RPC", False, statistics.median(ms for ms, _ in measured), 10, False, "ms"),
        Row("idle memory", True, statistics.median(rss for _, rss in measured) / 1e6, 12, False, "MB"),
    ]
