"""Random cases in the ops language. The same seed makes the same cases.

Left out, and why:
  TTL, expiry, sleeps          depend on the clock
  exclusive and server-named queues, transactions, direct reply-to
                               other names or no counterpart (see skips.tsv)
  unknown exchange types       RabbitMQ 4 answers 406 in place of 503 (EXD-03)
  numbers of other widths, floats in headers
                               type classes in 3.10, values in 4.x (HDR-06)
  global=false after global=true
                               RabbitMQ then drops the channel's global limit; here the first is the
                               client's own matter (see the mapping of basic.qos), so both hold
  global=true on a channel that holds what it got
                               RabbitMQ counts these messages against the limit, and does not stop when they
                               are settled; here a get never counts (GET-05)
  settling a delivery of a deleted queue twice
                               406 the second time in RabbitMQ; here it stays LOST, which a client takes for
                               settled (ACK-03)
  single active consumers      when the active one leaves, 3.10 pushes nothing to the next until something
                               else happens to the queue; here it gets what is ready at once
  settling what several consumers (or a consumer and gets) hold with one op
                               RabbitMQ settles it consumer by consumer, in the order of their tags, and
                               delivers in between; KelpMQ settles it at once and in its order
  consumers of several queues on one channel
                               a message for both queues comes from two processes in RabbitMQ: which one
                               is first, and so gets the lower tag, is left to chance
  quorum queues                3.10 counts and orders returned messages in another way (QUORUM-02, -04)
  x-last-death-* headers       4.x only: the note of every case leaves them out
"""
import random

from .names import CHANNELS, EXCHANGES, QUEUES
from .random_messages import RandomMessages
from .random_settling import RandomSettling
from .random_topology import RandomTopology
from .weights import WEIGHTS

NOTE = "4.x also sets x-last-death-reason/-queue/-exchange"


class Generator(RandomTopology, RandomMessages, RandomSettling):
    """Makes one case."""

    def __init__(self, seed: int):
        self._random = random.Random(seed)
        self._seed = seed
        self._bodies = self._gets = 0
        self._held: list[tuple[str, str]] = []  # Deliveries there may be, with their channel.
        self._consumers: dict[str, str] = {}    # To their channel.
        self._queues: set[str] = set()          # What there is, unless an error came between.
        self._exchanges: set[str] = set()
        self._global: set[str] = set()          # Channels with a limit of their own.
        self._queues_go = False                 # A queue may have been deleted under deliveries.
        self._consumed: dict[str, str] = {}     # Channels to the queue that they consume.
        self._sources: dict[str, set] = {"a": set(), "b": set()}  # Of what a channel holds.
        self._ops: list[dict] = []

    def case(self) -> dict:
        for queue in QUEUES[:self._random.choice((1, 2, 2, 3))]:
            self._ops.append(self._declaration(queue))
            self._queues.add(queue)
        for exchange in self._random.sample(sorted(EXCHANGES), self._random.randint(0, 2)):
            self._ops.append({"op": "exchange.declare", "exchange": exchange, "type": EXCHANGES[exchange]})
            self._exchanges.add(exchange)
            self._ops += [self._binding("queue.bind", exchange) for _ in range(self._random.randint(1, 2))]
        self._publish_some()
        names, weights = zip(*WEIGHTS.items())
        for _ in range(self._random.randint(10, 40)):
            getattr(self, f"_{self._random.choices(names, weights)[0]}")()
        self._finish()
        return {"id": f"nightly-{self._seed}", "feature": "nightly", "rules": [], "kind": "random",
                "differs_4x": True, "note": NOTE, "ops": self._ops}

    def _finish(self) -> None:
        """Shows all that is left, and in which order unsettled messages go back."""
        self._collect()
        self._ops += [{"op": "inspect", "queue": queue} for queue in QUEUES]
        self._ops += [{"op": "channel.status", "ch": ch} for ch in ("a", "b")]
        self._ops += [{"op": "channel.close", "ch": ch} for ch in ("a", "b")]
        self._ops += [{"op": "drain", "queue": queue} for queue in QUEUES]

    # Choices.

    def _one(self, *choices):
        return self._random.choice(choices)

    def _chance(self, percent: int) -> bool:
        return self._random.random() * 100 < percent

    def _add(self, op: str, ch: str | None = None, **fields) -> None:
        self._ops.append({"op": op, "ch": ch or self._one(*CHANNELS), **fields})

    def _queue(self) -> str:
        """One there is; now and then one there is not."""
        return self._one(*sorted(self._queues)) if self._queues and self._chance(96) else self._one(*QUEUES)

    def _exchange(self) -> str:
        return self._one(*sorted(self._exchanges)) if self._exchanges and self._chance(96) else self._one(*EXCHANGES)

    def _renew(self, channel: str, percent: int) -> None:
        """After what may have closed the channel: else most of the ops after it had no effect."""
        if self._chance(percent):
            self._ops.append({"op": "channel.status", "ch": channel})
            self._ops.append({"op": "channel.open", "ch": channel})
            self._global.discard(channel)
            self._sources[channel].clear()
            self._consumed.pop(channel, None)
            self._forget(channel)

    def _forget(self, channel: str) -> None:
        """Most of what the channel holds: the rest may be settled twice."""
        again = 0 if self._queues_go else 7
        self._held = [held for held in self._held if held[1] != channel or self._chance(again)]

    # Channels.

    def _reopen(self):
        """A channel that an error may have closed; else the old one stays open, without a name."""
        channel = self._one("a", "b")
        if self._chance(30):
            self._add("channel.close", channel)
        self._renew(channel, 100)
