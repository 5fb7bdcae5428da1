"""What is behind kombu.Producer.batch()."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from .channel import Channel
    from .publishing import Publication


class PublishBatch:
    """Messages that are sent together, each of them confirmed before `flush` returns.

    Not thread-safe.
    """

    def __init__(self, channel: Channel, max_size: int):
        self.channel = channel
        self.max_size = max_size
        self._prepared: list[Publication] = []

    def publish(self, message: Any, exchange: str = "", routing_key: str = "",
                mandatory: bool = False, immediate: bool = False,
                timeout: Optional[float] = None,
                confirm_timeout: Optional[float] = None) -> None:
        """Sends `max_size` messages as soon as there are so many."""
        self._prepared.append(self.channel.publication(
            message, exchange, routing_key, mandatory, immediate, watched=True))
        if len(self._prepared) >= self.max_size:
            self.flush()

    def flush(self) -> None:
        """Sends what is there and waits for the confirms. Raises the first failure."""
        prepared, self._prepared = self._prepared, []
        if not prepared:
            return
        link = self.channel.open_link()
        for publication in prepared:
            link.publisher.publish(publication)
        link.publisher.wait(prepared[-1].number)
        for publication in prepared:
            self.channel.conclude(publication)

    def discard(self) -> None:
        """Forgets what was not sent."""
        self._prepared = []

    def close(self) -> None:
        self.discard()
