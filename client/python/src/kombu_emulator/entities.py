"""Exchanges and queues."""
from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Optional, Union

from kombu_emulator.message import Message

if TYPE_CHECKING:
    from kombu_emulator.channel import Channel


def name_of(entity: Union[Exchange, Queue, str, None]) -> str:
    """The name of an exchange or queue that may be given by it."""
    return entity if isinstance(entity, str) else entity.name if entity is not None else ""


class _Entity:
    """What is declared when it is first used, on the channel that it was made with, else on one
    of a Connection() that such objects share."""

    def __init__(self, name: str, channel: Optional[Channel]) -> None:
        self.name = name
        self._channel = channel
        self._declared = False
        self._lock = threading.RLock()

    def declare(self, channel: Optional[Channel] = None) -> Channel:
        """Makes it at the broker, unless this object has done so; one that is there already and
        equal is fine. Returns the channel that it belongs to.

        kelpmq.FailedPrecondition: there is one that differs.
        """
        with self._lock:
            if self._channel is None:
                if channel is None:
                    from kombu_emulator.connection import shared_channel
                    channel = shared_channel()
                self._channel = channel
            if not self._declared:
                self._declare(channel or self._channel)
                self._declared = True
            return self._channel

    def was_declared(self) -> None:
        """For channels: it is at the broker."""
        self._declared = True

    def _declare(self, channel: Channel) -> None:
        raise NotImplementedError


class Exchange(_Entity):
    """An exchange: ``direct``, ``topic``, ``fanout``, ``headers``, or any other that the broker
    has. Declared when it is first used. Thread-safety: any thread."""

    def __init__(self, name: str = "", type: str = "direct", durable: bool = False,
                 auto_delete: bool = False, channel: Optional[Channel] = None) -> None:
        super().__init__(name, channel)
        self.type = type
        self.durable = durable
        self.auto_delete = auto_delete

    def _declare(self, channel: Channel) -> None:
        if self.name:  # The default exchange is there anyway.
            channel.exchange_declare(self.name, self.type, self.durable, self.auto_delete)

    def bind_to(self, queue_name: Union[str, Queue], routing_key: str = "") -> None:
        """Lets messages with this key (of a topic: this pattern) into a queue, which is declared
        if it is not there."""
        channel = self.declare()
        channel.bind_or_declare(name_of(queue_name), self.name, routing_key)

    def get_bound_queues(self, routing_key: str = "") -> list[str]:
        """The names of the queues that a message with this key gets to from here. What other
        exchanges lead on to is not followed, and headers are not looked at."""
        found = self.declare().list_bindings(self.name)
        return sorted({binding.destination for binding in found if not binding.to_exchange
                       and _fits(self.type, binding.routing_key, routing_key)})

    def __repr__(self) -> str:
        return f"Exchange({self.name!r}, type={self.type!r})"


class Queue(_Entity):
    """A queue. Declared when it is first used, and bound to `exchange` with `routing_key`, if it
    has one. Without a name it gets one. Thread-safety: any thread."""

    def __init__(self, name: str = "", exchange: Union[Exchange, str, None] = None,
                 routing_key: str = "", durable: bool = False, exclusive: bool = False,
                 auto_delete: bool = False, channel: Optional[Channel] = None) -> None:
        super().__init__(name, channel)
        self.exchange = exchange
        self.routing_key = routing_key
        self.durable = durable
        self.exclusive = exclusive
        self.auto_delete = auto_delete

    def _declare(self, channel: Channel) -> None:
        self.name = channel.queue_declare(
            self.name, self.durable, self.exclusive, self.auto_delete).name
        if isinstance(self.exchange, Exchange):
            self.exchange.declare(channel)
        if name_of(self.exchange):
            channel.queue_bind(self.name, name_of(self.exchange), self.routing_key)

    def put(self, message: Any) -> None:
        """Adds a Message, or any body, at the end."""
        self.declare().basic_publish(message, routing_key=self.name)

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Optional[Message]:
        """Takes the first message off, for good: it needs no ack().

        None: it is empty; with `block`, it still was after `timeout` seconds (None: wait for ever).
        """
        wait = 0.0 if not block else float("inf") if timeout is None else timeout
        return self.declare().take(self.name, no_ack=True, wait=wait)

    def qsize(self) -> int:
        """How many messages wait. Those that were received and not settled do not count."""
        return self.declare().count_ready(self.name)

    def empty(self) -> bool:
        """Whether none waits."""
        return self.qsize() == 0

    def __repr__(self) -> str:
        return f"Queue({self.name!r})"


def _fits(type: str, pattern: str, routing_key: str) -> bool:
    if type == "direct":
        return pattern == routing_key
    if type == "topic":
        return _matches(pattern.split("."), routing_key.split(".") if routing_key else [])
    return True


def _matches(pattern: list[str], words: list[str]) -> bool:
    """`*` is one word, `#` any number of them."""
    reached = {0}  # how many words each way of matching has used up
    for part in pattern if pattern != [""] else []:
        if part == "#":
            reached = set(range(min(reached), len(words) + 1)) if reached else reached
        else:
            reached = {at + 1 for at in reached
                       if at < len(words) and part in ("*", words[at])}
    return len(words) in reached
