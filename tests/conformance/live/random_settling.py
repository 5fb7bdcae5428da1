"""Random ops on deliveries."""
from .names import CHANNELS


class RandomSettling:
    def _settle(self):
        if not self._held:
            return
        delivery, channel = self._one(*self._held)
        again = self._chance(3) and not self._queues_go  # It may be settled twice.
        if not again:
            self._held.remove((delivery, channel))
        op = self._one("basic.ack", "basic.nack", "basic.nack", "basic.reject")
        channel = channel if self._chance(98) else self._one(*CHANNELS)
        multiple = op != "basic.reject" and len(self._sources[channel]) == 1 and self._chance(35)
        self._add(op, channel, delivery=delivery,
                  **({} if op == "basic.ack" else {"requeue": self._chance(45)}),
                  **({"multiple": True} if multiple else {}))
        if multiple:  # It may have taken others along: settling those would be an error.
            self._forget(channel)

    def _settle_all(self):
        op, channel = self._one("basic.ack", "basic.nack"), self._one("a", "b")
        if len(self._sources[channel]) > 1:
            return
        self._forget(channel)
        self._add(op, channel, tag=0, multiple=True, **({} if op == "basic.ack" else {"requeue": self._chance(60)}))

    def _recover(self):
        channel = self._one("a", "b")
        if len(self._sources[channel]) < 2:
            self._forget(channel)
            self._add("basic.recover", channel, requeue=True)
