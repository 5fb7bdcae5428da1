"""Random ops on messages and consumers."""
from .names import CHANNELS, KEYS, QUEUES


class RandomMessages:
    def _publish(self):
        self._bodies += 1
        properties = {}
        if self._chance(30):
            properties["priority"] = self._random.randint(0, 6)
        exchange = self._exchange() if self._exchanges and self._chance(50) else ""
        if headers := self._headers() if exchange == "xh" or self._chance(10) else {}:
            properties["headers"] = headers
        if self._chance(6):
            properties.setdefault("headers", {})[self._one("CC", "BCC")] = [self._one(*QUEUES, "a.b")]
        self._add("basic.publish", exchange=exchange, body=f"m{self._bodies}",
                  routing_key=self._one(*KEYS) if exchange else self._queue(),
                  **({"mandatory": True} if self._chance(15) else {}),
                  **({"properties": properties} if properties else {}))

    def _publish_some(self):
        for _ in range(self._random.randint(2, 4)):
            self._publish()

    def _confirm(self):
        self._add("confirm.select")

    def _get(self):
        channel, auto_ack = self._one(*CHANNELS), self._chance(20)
        self._gets += 1
        self._add("basic.get", channel, queue=self._queue(), auto_ack=auto_ack, **{"as": f"g{self._gets}"})
        self._sources[channel].add("get")
        if not auto_ack or self._chance(4):
            self._held.append((f"g{self._gets}", channel))

    def _qos(self):
        channel = self._one(*CHANNELS)
        everywhere = channel in self._global or ("get" not in self._sources[channel] and self._chance(30))
        if everywhere:
            self._global.add(channel)
        self._add("basic.qos", channel, prefetch_count=self._random.randint(0, 4), **{"global": everywhere})

    def _consume(self):
        if len(self._consumers) == 3:
            return
        channel, consumer = self._one(*CHANNELS), f"c{len(self._consumers)}"
        auto_ack = self._chance(20)
        queue = self._consumed.setdefault(channel, self._queue())
        if channel not in self._global and self._chance(70):
            self._add("basic.qos", channel, prefetch_count=self._random.randint(1, 3))
        self._add("basic.consume", channel, consumer=consumer, queue=queue, consumer_tag=consumer,
                  auto_ack=auto_ack, exclusive=self._chance(6),
                  **({"arguments": {"x-priority": self._one(1, 5)}} if self._chance(25) else {}))
        self._consumers[consumer] = channel
        self._sources[channel].add(consumer)
        if not auto_ack or self._chance(4):
            self._held += [(f"{consumer}.{n}", channel) for n in range(1, 5)]

    def _collect(self):
        if self._consumers:
            self._ops.append({"op": "collect", "consumers": sorted(self._consumers), "n": 0, "quiet_ms": 70})

    def _cancel(self):
        if self._consumers:
            consumer = self._one(*sorted(self._consumers))
            self._add("basic.cancel", self._consumers[consumer], consumer=consumer)
