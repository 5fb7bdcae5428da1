"""Producers and consumers."""
from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable
from typing import Any, Optional, Union

from kombu_emulator.channel import Callback, Channel
from kombu_emulator.entities import Exchange, Queue, name_of
from kombu_emulator.message import Message

_OF_MESSAGE = ("content_type", "content_encoding", "headers")


class Producer:
    """Publishes, by default to this exchange, with this routing key and serializer.

    exchange: default: the one that leads to the queue that the routing key names. An Exchange is
        declared when it is first published to.
    serializer: ``json`` or ``pickle``, for bodies that are neither bytes nor text.

    Thread-safety: any thread.
    """

    def __init__(self, channel: Channel, exchange: Union[Exchange, str, None] = None,
                 routing_key: str = "", serializer: str = "json") -> None:
        self.channel = channel
        self.exchange = exchange
        self.routing_key = routing_key
        self.serializer = serializer

    def publish(self, body: Any, routing_key: Optional[str] = None,
                exchange: Union[Exchange, str, None] = None, **kwargs: Any) -> None:
        """Publishes any body, or a Message, and returns when the broker has it.

        kwargs: `headers`, `properties`, `content_type`, `content_encoding`, `serializer`,
        `mandatory`; everything else is a property by its name, such as `priority`, `expiration`
        (seconds as a number) or `correlation_id`.

        kelpmq.NotFound: no such exchange. kelpmq.NoRoute: `mandatory`, and it fits no queue.
        TypeError: the serializer cannot take such a body.
        """
        target = self.exchange if exchange is None else exchange
        if isinstance(target, Exchange):
            target.declare(self.channel)
        serializer = kwargs.pop("serializer", None)
        mandatory = kwargs.pop("mandatory", False)
        if isinstance(body, Message):
            message = Message(body.body, body.content_type, body.content_encoding, body.headers,
                              body.properties)
        else:
            message = Message(body)
            serializer = serializer or self.serializer
        for name in _OF_MESSAGE:
            if kwargs.get(name) is not None:
                setattr(message, name, kwargs[name])
            kwargs.pop(name, None)
        message.properties.update(kwargs.pop("properties", None) or {})
        message.properties.update(kwargs)
        self.channel.basic_publish(
            message, name_of(target), self.routing_key if routing_key is None else routing_key,
            mandatory, serializer)


class Consumer:
    """Calls callbacks with the messages of queues.

    queues: one or several, as objects, which are declared, or by name.
    callbacks: each is called with the message, in this order; one of them has to settle it, unless
        `no_ack`. When one raises, that is logged, and the message requeued once and then rejected.

    Callbacks run in threads of this consumer, for one message at a time. When the program ends,
    what waits in the queues is still delivered, for at most five seconds.

    Thread-safety: any thread; callbacks may use all of it, too.
    """

    def __init__(self, channel: Channel,
                 queues: Union[Iterable[Union[Queue, str]], Queue, str, None] = None,
                 callbacks: Optional[Iterable[Callback]] = None, no_ack: bool = False) -> None:
        self.channel = channel
        self.queues: list[Union[Queue, str]] = (
            [queues] if isinstance(queues, (Queue, str)) else list(queues or ()))
        self.callbacks = list(callbacks or ())
        self.no_ack = no_ack
        self._tags: dict[str, str] = {}  # by queue
        self._changed = threading.Condition()
        self._busy = False  # whether callbacks run
        self._ended = False

    def register_callback(self, callback: Callback) -> None:
        """Adds a callback, to be called after the others; also while consuming."""
        with self._changed:
            self.callbacks.append(callback)
            self._changed.notify_all()

    def consume(self, no_ack: Optional[bool] = None) -> None:
        """Starts consuming all queues, and returns; of those that are consumed already, nothing
        changes. Messages wait until there is a callback. A queue that was deleted can be consumed
        again when it is there again.

        kelpmq.NotFound: no such queue.
        """
        no_ack = self.no_ack if no_ack is None else no_ack
        with self._changed:
            self._ended = False
            if self._end not in self.channel.on_close:
                self.channel.on_close.append(self._end)
        for queue in self.queues:
            if isinstance(queue, Queue):
                queue.declare(self.channel)
            self._consume(name_of(queue), no_ack)

    def cancel(self) -> None:
        """Ends consuming; what was received and not settled goes back. Idempotent."""
        self._end()
        with self._changed:
            tags, self._tags = self._tags, {}
            if self._end in self.channel.on_close:
                self.channel.on_close.remove(self._end)
        for tag in tags.values():
            self.channel.basic_cancel(tag)

    def _consume(self, queue: str, no_ack: bool) -> None:
        tag = f"ctag-{uuid.uuid4().hex}"  # known before the first callback, which may cancel it
        with self._changed:
            before = self._tags.get(queue, "")
            if before and self.channel.is_consuming(before):
                return
            self._tags[queue] = tag
        if before:
            self.channel.basic_cancel(before)
        try:
            self.channel.basic_consume(queue, self._take, no_ack, tag)
        except BaseException:
            self._tags.pop(queue, None)
            raise
        if self._tags.get(queue) != tag:  # cancelled before the channel knew of it
            self.channel.basic_cancel(tag)

    def _take(self, message: Message) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or (not self._busy and bool(self.callbacks)))
            if self._ended:
                return
            self._busy = True
        try:
            for callback in list(self.callbacks):
                callback(message)
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
