"""A channel: where everything is declared, published and received."""
from __future__ import annotations

import contextlib
import itertools
import threading
import uuid
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

import kelpmq
from kelpmq.admin import Admin, Binding

from kombu_emulator.entities import Exchange, Queue, name_of
from kombu_emulator.message import Message
from kombu_emulator.properties import incoming, outgoing
from kombu_emulator.serialization import SERIALIZED, Encoded, decode, encode

if TYPE_CHECKING:
    from kombu_emulator.connection import Connection

# The broker's longest lease; a message that was got and not settled goes back with its channel.
_LEASE_SECONDS = 12 * 3600.0

# How long a callback may take to return when its consumer ends.
_CALLBACK_SECONDS = 5.0

Callback = Callable[[Message], Any]


class Channel:
    """Made by Connection.channel(). It has its own numbers of deliveries; what was received on it
    and not settled goes back to its queue when it is closed.

    Entities may be given by name or as objects. Thread-safety: any thread.
    Errors: kelpmq.KelpmqError, for example kelpmq.NotFound: no such queue or exchange.
    """

    def __init__(self, connection: Connection, client: kelpmq.Client, trusted: bool) -> None:
        self.connection = connection
        self._client = client
        self._trusted = trusted
        self._lock = threading.Lock()
        self._returned = threading.Condition(self._lock)  # told when a callback returns
        self._running: dict[int, str] = {}  # threads in callbacks, and the consumers' tags
        self._tags = itertools.count(1)
        self._unsettled: dict[int, kelpmq.Delivery] = {}
        self._got: set[int] = set()  # those of them that no consumer brings back
        self._consumers: dict[str, Optional[kelpmq.Consumer]] = {}  # None: it is starting
        self._closing = False
        self._closed = False
        #: Called when the channel closes, before its consumers are ended.
        self.on_close: list[Callable[[], None]] = []
        #: How many callbacks have returned.
        self.handled = 0

    # Declaring.

    def exchange_declare(self, exchange: str, type: str = "direct", durable: bool = False,
                         auto_delete: bool = False) -> Exchange:
        """Makes an exchange; one that is there already and equal is fine.

        kelpmq.FailedPrecondition: there is one that differs.
        """
        self._open().declare_exchange(exchange, type, durable=durable, auto_delete=auto_delete)
        made = Exchange(exchange, type, durable, auto_delete, channel=self)
        made.was_declared()
        return made

    def queue_declare(self, queue: str = "", durable: bool = False, exclusive: bool = False,
                      auto_delete: bool = False) -> Queue:
        """Makes a queue; one that is there already and equal is fine. Without a name it gets one.

        exclusive: for this connection alone, and only as long as that lasts.
        kelpmq.FailedPrecondition: there is one that differs, or it is another connection's.
        """
        name = self._open().declare_queue(
            queue, durable=durable, exclusive=exclusive, auto_delete=auto_delete).name
        made = Queue(name, None, "", durable, exclusive, auto_delete, channel=self)
        made.was_declared()
        return made

    def queue_bind(self, queue: Union[Queue, str], exchange: Union[Exchange, str],
                   routing_key: str = "") -> None:
        """Lets messages of an exchange into a queue."""
        self._open().bind_queue(name_of(queue), name_of(exchange), routing_key)

    def bind_or_declare(self, queue: str, exchange: str, routing_key: str) -> None:
        """As queue_bind(), and makes the queue if it is not there."""
        try:
            self.queue_bind(queue, exchange, routing_key)
        except kelpmq.NotFound as error:
            if error.reason != "QUEUE_NOT_FOUND":
                raise
            self.queue_declare(queue)
            self.queue_bind(queue, exchange, routing_key)

    def list_bindings(self, exchange: str) -> list[Binding]:
        """What an exchange leads to."""
        return Admin(self._open()).list_bindings(exchange)

    # Publishing.

    def basic_publish(self, message: Any, exchange: Union[Exchange, str] = "",
                      routing_key: str = "", mandatory: bool = False,
                      serializer: Optional[str] = None) -> None:
        """Publishes a Message, or any body, and returns when the broker has it. With the default
        exchange, "", the routing key is the name of a queue.

        What fits no queue is dropped; with `mandatory`: kelpmq.NoRoute.
        """
        if not isinstance(message, Message):
            message = Message(message)
        if serializer is None and message.content_type in SERIALIZED:
            serializer = message.content_type
        data, *form = encode(message.body, serializer)
        label = [message.content_type or form[0], message.content_encoding or form[1]]
        self._open().publish(
            data, routing_key, exchange=name_of(exchange), mandatory=mandatory,
            content_type=label[0], content_encoding=label[1],
            **outgoing(message.properties, message.headers,
                       {} if label == form else {"form": form}))

    # Receiving.

    def basic_get(self, queue: Union[Queue, str], no_ack: bool = False) -> Optional[Message]:
        """Takes a message, or None: there is none. It is to be settled, unless `no_ack`."""
        return self.take(name_of(queue), no_ack, 0.0)

    def take(self, queue: str, no_ack: bool, wait: float) -> Optional[Message]:
        """As basic_get(), and waits so many seconds for a message."""
        delivery = self._open().get(
            queue, wait=wait, auto_ack=no_ack, lease=None if no_ack else _LEASE_SECONDS)
        if delivery is None:
            return None
        return self._received(delivery, queue, no_ack, "")

    def count_ready(self, queue: str) -> int:
        """How many messages wait."""
        return self._open().get_queue(queue).messages_ready

    def basic_consume(self, queue: Union[Queue, str], callback: Callback, no_ack: bool = False,
                      consumer_tag: str = "") -> str:
        """Calls `callback(message)` for each message, one after another, in a thread; returns the
        consumer's tag.

        When the callback raises, that is logged, and the message requeued once and then rejected.
        kelpmq.AlreadyExists: the channel has such a tag.
        """
        tag = consumer_tag or f"ctag-{uuid.uuid4().hex}"
        name = name_of(queue)

        def take(delivery: kelpmq.Delivery) -> None:
            with self._lock:
                if tag not in self._consumers:
                    return  # It goes back when the consumer has ended.
                self._running[threading.get_ident()] = tag
            try:
                self._call_back(callback, self._received(delivery, name, no_ack, tag))
            finally:
                with self._lock:
                    del self._running[threading.get_ident()]
                    self.handled += 1
                    self._returned.notify_all()

        client = self._open()
        with self._lock:
            if self._closing:
                raise kelpmq.ClientClosed("the channel is closed")
            if tag in self._consumers:
                raise kelpmq.AlreadyExists(f"the channel has a consumer {tag!r} already",
                                           reason="CONSUMER_TAG_IN_USE", amqp_code=530)
            self._consumers[tag] = None
        try:
            # Prefetch 0: a callback that does not acknowledge does not stop what comes after.
            consumer = client.consume(
                name, take, prefetch=0, auto_ack=no_ack, consumer_tag=tag)
        except BaseException:
            with self._lock:
                self._consumers.pop(tag, None)
            raise
        with self._lock:
            wanted = tag in self._consumers
            if wanted:
                self._consumers[tag] = consumer
        if not wanted:  # cancelled, or the channel was closed
            consumer.close()
        return tag

    def basic_cancel(self, consumer_tag: str) -> None:
        """Ends a consumer; what it received and did not settle goes back. Waits until its callback
        has returned, at most five seconds, unless that calls this. Idempotent."""
        with self._lock:
            consumer = self._consumers.pop(consumer_tag, None)
            self._wait_for_callbacks({consumer_tag})
        if consumer is not None:
            consumer.close()

    def is_consuming(self, consumer_tag: str) -> bool:
        """Whether there is such a consumer, or it is starting; not when its queue was deleted."""
        with self._lock:
            if consumer_tag not in self._consumers:
                return False
            consumer = self._consumers[consumer_tag]
            return consumer is None or not consumer.closed

    def consumers(self) -> list[kelpmq.Consumer]:
        """Those that have not ended."""
        with self._lock:
            return [consumer for consumer in self._consumers.values()
                    if consumer is not None and not consumer.closed]

    def basic_ack(self, delivery_tag: int) -> None:
        """The message with this number in the channel is done with.

        kelpmq.FailedPrecondition UNKNOWN_DELIVERY_TAG: it was settled, or never delivered here.
        """
        self._unsettled_one(delivery_tag).ack()

    def basic_reject(self, delivery_tag: int, requeue: bool = False) -> None:
        """It is dropped or dead-lettered; with `requeue` it goes back to its place in the queue.
        Errors: as basic_ack()."""
        self._unsettled_one(delivery_tag).nack(requeue=requeue)

    def close(self) -> None:
        """Ends its consumers, as basic_cancel(); what is not settled goes back to its queue.
        Idempotent."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            tags = set(self._consumers)
            consumers = [each for each in self._consumers.values() if each is not None]
            self._consumers = {}
        for callback in self.on_close:
            callback()
        with self._lock:
            self._wait_for_callbacks(tags)
            self._closed = True
            got = [self._unsettled[tag] for tag in self._got if tag in self._unsettled]
            self._unsettled = {}
            self._got = set()
        for consumer in consumers:
            consumer.close()
        with contextlib.suppress(kelpmq.KelpmqError):  # The broker is gone, and all with it.
            for delivery in got:
                delivery.nack()
        self.connection.forget(self)

    def _open(self) -> kelpmq.Client:
        if self._closed:
            raise kelpmq.ClientClosed("the channel is closed")
        return self._client

    def _call_back(self, callback: Callback, message: Message) -> None:
        try:
            callback(message)
        except BaseException:
            with self._lock:  # The client settles it, unless the callback did.
                self._unsettled.pop(message.delivery_info["delivery_tag"], None)
            raise

    def _wait_for_callbacks(self, tags: set[str]) -> None:
        """With the lock held."""
        me = threading.get_ident()
        self._returned.wait_for(
            lambda: not any(tag in tags for thread, tag in self._running.items() if thread != me),
            _CALLBACK_SECONDS)

    def _received(self, delivery: kelpmq.Delivery, queue: str, no_ack: bool,
                  consumer_tag: str) -> Message:
        tag = next(self._tags)
        if not no_ack:
            with self._lock:
                self._unsettled[tag] = delivery
                if not consumer_tag:
                    self._got.add(tag)
        properties, headers, also = incoming(delivery)
        form = also.get("form", (delivery.content_type, delivery.content_encoding))
        info = {"exchange": delivery.exchange, "routing_key": delivery.routing_key,
                "queue": queue, "redelivered": delivery.redelivered, "delivery_tag": tag}
        if consumer_tag:
            info["consumer_tag"] = consumer_tag
        body = decode(Encoded(delivery.body, *form), self._trusted)
        message = Message(body, delivery.content_type, delivery.content_encoding, headers,
                          properties, info)
        message.came_from(self, no_ack)
        return message

    def _unsettled_one(self, tag: int) -> kelpmq.Delivery:
        with self._lock:
            delivery = self._unsettled.pop(tag, None)
            self._got.discard(tag)
        if delivery is None:
            if self._closed:
                raise kelpmq.ClientClosed("the channel is closed; the message is back in its queue")
            raise kelpmq.FailedPrecondition(
                f"unknown delivery tag {tag}", reason="UNKNOWN_DELIVERY_TAG", amqp_code=406)
        return delivery
