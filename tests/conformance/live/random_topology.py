"""Random ops on queues, exchanges and bindings."""
from .names import CHANNELS, EXCHANGES, KEYS, PATTERNS, QUEUES


class RandomTopology:
    def _declaration(self, queue: str) -> dict:
        arguments = {}
        if self._chance(35):
            arguments["x-max-length"] = self._random.randint(0, 4)
            if self._chance(50):
                arguments["x-overflow"] = self._one("drop-head", "reject-publish", "reject-publish-dlx")
        if self._chance(25):
            arguments["x-max-priority"] = self._one(2, 5)
        if self._chance(50):
            arguments["x-dead-letter-exchange"] = self._one("", "", *EXCHANGES)
            if self._chance(70):
                arguments["x-dead-letter-routing-key"] = self._one(*QUEUES, "a", "a.b")
        op = {"op": "queue.declare", "queue": queue}
        if self._chance(15):
            op["auto_delete"] = self._queues_go = True
        return {**op, "arguments": arguments} if arguments else op

    def _binding(self, op: str, exchange: str) -> dict:
        binding = {"op": op, "queue": self._queue(), "exchange": exchange}
        if exchange == "xh":
            return {**binding, "routing_key": "", "arguments": self._match()}
        return {**binding, "routing_key": self._one(*(PATTERNS if exchange == "xt" else KEYS))}

    def _match(self) -> dict:
        return {"x-match": self._one("all", "any", "all-with-x", "any-with-x"), **self._headers()}

    def _headers(self) -> dict:
        return {name: self._one(1, 2, "s", True) for name in ("h", "i", "x-h") if self._chance(45)}

    def _declare(self):
        queue, channel = self._one(*QUEUES), self._one(*CHANNELS)
        self._ops.append({**self._declaration(queue), "ch": channel})
        if queue in self._queues:
            self._renew(channel, 90)  # Most likely it was another declaration.
        self._queues.add(queue)

    def _declare_passive(self):
        self._add("queue.declare", queue=self._queue(), passive=True)

    def _declare_exchange(self):
        exchange = self._one(*EXCHANGES)
        self._exchanges.add(exchange)
        self._add("exchange.declare", exchange=exchange, type=EXCHANGES[exchange],
                  **({"auto_delete": True} if self._chance(20) else {}))

    def _bind(self):
        op = self._one("queue.bind", "queue.bind", "queue.unbind")
        self._ops.append({**self._binding(op, self._exchange()), "ch": self._one(*CHANNELS)})

    def _bind_exchange(self):
        source, destination = self._exchange(), self._exchange()
        if destination == source:
            return
        self._add(self._one("exchange.bind", "exchange.bind", "exchange.unbind"), source=source,
                  destination=destination, routing_key=self._one(*KEYS, "#"))

    def _purge(self):
        self._add("queue.purge", queue=self._queue())

    def _delete(self):
        queue, channel = self._queue(), self._one(*CHANNELS)
        unused, empty = self._chance(40), self._chance(40)
        self._add("queue.delete", channel, queue=queue, if_unused=unused, if_empty=empty)
        self._queues_go = True
        if unused or empty:
            self._renew(channel, 80)
        else:
            self._queues.discard(queue)

    def _delete_exchange(self):
        exchange, channel = self._exchange(), self._one(*CHANNELS)
        unused = self._chance(50)
        self._add("exchange.delete", channel, exchange=exchange, if_unused=unused)
        if unused:
            self._renew(channel, 80)
        else:
            self._exchanges.discard(exchange)
