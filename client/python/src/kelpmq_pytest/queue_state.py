"""The state of a queue, to assert on."""
from __future__ import annotations

import time
from typing import Callable, Optional

import kelpmq
from kelpmq.admin import Admin

_LOOK_AGAIN_SECONDS = 0.002
_PEEK_LEASE_SECONDS = 60.0


class QueueState:
    """Each property asks the broker. AssertionError: there is no such queue.

        assert kelpmq_broker.queue("orders").messages_ready == 2

    Thread-safety: thread-compatible.
    """

    def __init__(self, client: kelpmq.Client, name: str, hint: Callable[[str], str]) -> None:
        self.name = name
        self._client = client
        self._hint = hint

    @property
    def exists(self) -> bool:
        """Whether it is there."""
        return self._find() is not None

    @property
    def messages_ready(self) -> int:
        """Messages that wait for delivery."""
        return self.now().messages_ready

    @property
    def messages_unacked(self) -> int:
        """Messages that are with consumers."""
        return self.now().messages_unacked

    @property
    def consumer_count(self) -> int:
        """Its consumers."""
        return self.now().consumer_count

    def now(self) -> kelpmq.Queue:
        """All that the broker tells of it at this moment."""
        found = self._find()
        if found is None:
            raise AssertionError(f"there is no queue {self.name!r}; {self._hint(self.name)}")
        return found

    def peek(self, limit: int = 1000) -> list[kelpmq.Delivery]:
        """The messages that wait, in order, which stay there; not those of other clients' exclusive
        queues.

        They are taken and given back, so the next delivery of each says `redelivered`.
        """
        self.now()
        found = self._client.get_many(self.name, limit, lease=_PEEK_LEASE_SECONDS)
        for delivery in found:
            delivery.nack()
        return found

    def bodies(self, limit: int = 1000) -> list[bytes]:
        """The bodies of peek()."""
        return [delivery.body for delivery in self.peek(limit)]

    def wait_until(self, *, messages_ready: Optional[int] = None,
                   messages_unacked: Optional[int] = None, consumer_count: Optional[int] = None,
                   timeout: float = 5.0) -> None:
        """Waits until it is there, and so. AssertionError: it was not in `timeout` seconds."""
        wanted = {name: value for name, value in (
            ("messages_ready", messages_ready), ("messages_unacked", messages_unacked),
            ("consumer_count", consumer_count)) if value is not None}
        deadline = time.monotonic() + timeout
        while True:
            found = self._find()
            if found is not None and all(
                    getattr(found, name) == value for name, value in wanted.items()):
                return
            if time.monotonic() > deadline:
                self.now()
                raise AssertionError(
                    f"waited {timeout:g} s in vain for "
                    + " and ".join(f"{name} == {value}" for name, value in wanted.items())
                    + f": {self!r}")
            time.sleep(_LOOK_AGAIN_SECONDS)

    def __repr__(self) -> str:
        try:
            found = self._find()
        except kelpmq.KelpmqError as error:
            return f"<queue {self.name!r}: {error}>"
        if found is None:
            return f"<queue {self.name!r}: does not exist>"
        return (f"<queue {self.name!r}: {found.messages_ready} ready, "
                f"{found.messages_unacked} unacked, {found.consumer_count} consumers>")

    def _find(self) -> Optional[kelpmq.Queue]:
        # Not get_queue(), which another client's exclusive queue refuses.
        return next((queue for queue in Admin(self._client).list_queues(self.name)
                     if queue.name == self.name), None)
