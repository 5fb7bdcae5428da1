"""Consuming: deliveries by iteration or by callback, over reconnections."""
from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Callable, Optional

import grpc

from kelpmq._connection import (
    FORKED,
    Connection,
    connection_lost,
    deadline_after,
    seconds_left,
)
from kelpmq._consuming import ConsumeStream
from kelpmq._forking import tell_child
from kelpmq._recovery import Recovery
from kelpmq.errors import ClientClosed, ConsumerCancelled, ForkedClient, KelpmqError
from kelpmq.message import Delivery
from kelpmq.v1 import messaging_pb2, types_pb2

_LOG = logging.getLogger("kelpmq")

# Deliveries of an auto_ack consumer that may wait here before the broker is held back; others are
# bounded by their prefetch.
_AUTO_ACK_INBOX = 4_096

# How soon a reader that is held back notices that its consumer is forgotten.
_LOOK_AGAIN_SECONDS = 0.2

OnMessage = Callable[[Delivery], Any]


class _Life:
    """One life of a consumer's stream: from its start to its loss."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.stream: Optional[ConsumeStream] = None
        self.started = False
        self.ended = False
        self.error: Optional[KelpmqError] = None
        # Not set: the inbox is full, and the reader holds the broker back. It is here because a
        # reader that waited in the consumer would keep it alive.
        self.room = threading.Event()
        self.room.set()
        self.forgotten = False

    def wait_for_room(self) -> None:
        # Not set by the finalizer, which may run while this very thread holds the event's lock.
        while not self.room.wait(_LOOK_AGAIN_SECONDS) and not self.forgotten:
            pass


class Consumer:
    """A consumer of one queue: iterate over it, or give it a callback.

        for delivery in client.consume("jobs"):
            work(delivery.body)
            delivery.ack()

    It ends with close(), with its ``with`` block, when nobody refers to it any more, or with the
    client; then iteration stops. One with a callback lives until it is closed. When the broker
    cancels it (its queue was deleted), iteration raises ConsumerCancelled after what had arrived.

    When the connection is lost, what was not acknowledged goes back to the queue: what had arrived
    and was not yet iterated over is dropped here, acknowledging what was iterated over has no
    effect, and consuming goes on with a new stream.

    Thread-safety: any thread may iterate, close, and settle deliveries; each delivery comes once.
    """

    def __init__(self, connection: Connection, recovery: Optional[Recovery],
                 spec: messaging_pb2.ConsumerSpec,
                 options: Callable[[], messaging_pb2.StreamOptions],
                 on_message: Optional[OnMessage] = None,
                 closed: Optional[Callable[[Consumer], None]] = None) -> None:
        self._connection = connection
        self._recovery = recovery
        self._spec = spec
        self._options = options
        self._on_closed = closed
        prefetch = spec.prefetch_count or 2 * 64
        self._settle_soon = max(1, min(64, prefetch // 2))
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._inbox: deque[Delivery] = deque()
        self._waiters = 0
        self._held_back = False
        self._life = _Life(0)
        self._closed = False
        self._failure: Optional[KelpmqError] = None
        self._thread: Optional[threading.Thread] = None
        self._on_message = on_message
        #: Called, from any thread, when something has arrived or ended; for event loops.
        self.on_arrival: Optional[Callable[[], None]] = None
        #: The queue; the broker named it if it is a temporary one.
        self.queue = spec.queue
        #: The consumer's tag, given by the broker unless it was chosen.
        self.tag = spec.consumer_tag
        tell_child(self)

    # Iterating.

    def __iter__(self) -> Iterator[Delivery]:
        return self

    def __next__(self) -> Delivery:
        try:
            delivery = self._inbox.popleft()
        except IndexError:
            found = self._wait(None)
            if found is None:
                raise StopIteration from None
            return found
        if self._held_back:
            self._let_go_on()
        return delivery

    def receive(self, timeout: Optional[float] = None) -> Optional[Delivery]:
        """The next delivery, or None: nothing came in `timeout` seconds, or it was closed.

        Errors: as in iteration."""
        try:
            delivery = self._inbox.popleft()
        except IndexError:
            return self._wait(timeout)
        if self._held_back:
            self._let_go_on()
        return delivery

    def poll(self) -> Optional[Delivery]:
        """The next delivery, or None: nothing is here now. Errors: as in iteration."""
        try:
            delivery = self._inbox.popleft()
        except IndexError:
            stream = self._life.stream
            if stream is not None:
                stream.urge()
            if self._failure is not None and not self._inbox:
                raise self._failure from None
            return None
        if self._held_back:
            self._let_go_on()
        return delivery

    def _wait(self, timeout: Optional[float]) -> Optional[Delivery]:
        self._connection.check_process()
        stream = self._life.stream
        if stream is not None:
            stream.urge()
        deadline = deadline_after(timeout)
        with self._lock:
            self._waiters += 1
            try:
                while not self._inbox:
                    if self._failure is not None:
                        raise self._failure
                    left = seconds_left(deadline)
                    if self._closed or left == 0.0:
                        return None
                    self._changed.wait(left)
                return self._inbox.popleft()
            finally:
                self._waiters -= 1

    def _let_go_on(self) -> None:
        with self._lock:
            if len(self._inbox) <= _AUTO_ACK_INBOX // 2:
                self._held_back = False
                self._life.room.set()

    # Lifetime.

    def start(self, timeout: Optional[float]) -> None:
        """Called once by the client. Raises why it could not start."""
        self._begin(deadline_after(timeout))
        if self._on_message is not None:
            self._thread = threading.Thread(
                target=self._call_back, name="kelpmq-callback", daemon=True)
            self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether it was closed, or has failed."""
        return self._closed or self._failure is not None

    @property
    def idle(self) -> bool:
        """Whether somebody waits for the next delivery: all that has arrived was iterated over, or
        the callback is done with it."""
        with self._lock:
            return self._waiters > 0 and not self._inbox

    def flush(self, timeout: Optional[float] = None) -> None:
        """Waits until all acknowledgements so far have taken effect at the broker."""
        stream = self._life.stream
        if stream is not None and not stream.over:
            stream.ping(timeout)

    def close(self, timeout: Optional[float] = 5.0) -> None:
        """Sends what was acknowledged and ends; what was not goes back to its queue.

        Waits at most `timeout` seconds. Idempotent. Iteration stops, and a callback is not called
        any more.
        """
        if self._connection.forked:
            return
        with self._lock:
            self._closed = True
            self._inbox.clear()
            self._changed.notify_all()
            self._life.room.set()
            stream = self._life.stream
        self._arrived()
        if stream is not None:
            stream.close(timeout)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        if self._on_closed is not None:
            self._on_closed(self)

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def after_fork(self) -> None:
        """In a forked child: what had arrived is the parent's."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._inbox.clear()
        self._held_back = False
        self._failure = ForkedClient(FORKED)

    def __del__(self) -> None:
        self._life.forgotten = True
        stream = self._life.stream
        if stream is not None and not self._closed:
            stream.abandon()

    # Inside.

    def _begin(self, deadline: Optional[float]) -> None:
        """Opens a stream and starts consuming, again if the broker is lost meanwhile."""
        while True:
            if self._recovery is not None:
                self._recovery.wait_while_recovering(seconds_left(deadline))
            life = _Life(self._recovery.epoch if self._recovery else 0)
            with self._lock:
                if self._closed:
                    raise ClientClosed("the consumer is closed")
                self._life = life
            try:
                options = self._options()
                life.stream = ConsumeStream(
                    self._connection, _weak_sink(weakref.ref(self), life), options=options,
                    settle_soon=self._settle_soon)
                started = life.stream.start(self._spec, seconds_left(deadline))
            except KelpmqError as error:
                if life.stream is not None:
                    life.stream.cancel()
                if self._recovery is None or not _comes_back(error):
                    raise
                self._recovery.recover(life.epoch, seconds_left(deadline))
                continue
            self.queue = started.queue
            self.tag = started.consumer_tag
            with self._lock:
                life.started = True
                ended = life.ended
            if not ended:
                return
            if self._recovery is None or life.error is None or not _comes_back(life.error):
                self._fail(life.error or ClientClosed("the broker ended the stream"))
                return
            self._recovery.recover(life.epoch, seconds_left(deadline))

    def take(self, life: _Life, kind: str, event: Any) -> None:
        """The sink of the stream, called in its reading thread."""
        if kind == "deliveries":
            self._take_deliveries(life, event)
        elif kind == "ended":
            self._take_end(life, event)
        elif kind == "cancelled":
            if event.reason not in (types_pb2.CANCEL_REASON_START_FAILED,
                                    types_pb2.CANCEL_REASON_CLIENT_REQUEST):
                reason = types_pb2.CancelReason.Name(event.reason)[len("CANCEL_REASON_"):]
                self._fail(ConsumerCancelled(
                    event.error.message or f"the broker cancelled the consumer of {self.queue!r}",
                    reason=reason, amqp_code=event.error.amqp_code))
        elif kind == "settled" and event.failures:
            _LOG.warning("acknowledgements of queue %r had no effect: %s", self.queue, ", ".join(
                f"{f.tags.first}-{f.tags.last} "
                f"{messaging_pb2.SettleFailureReason.Name(f.reason)[len('SETTLE_FAILURE_REASON_'):]}"
                for f in event.failures))

    def _take_deliveries(self, life: _Life, batch: Any) -> None:
        stream = None if self._spec.auto_ack else life.stream
        deliveries = [Delivery(raw, stream) for raw in batch.deliveries]
        with self._lock:
            if self._closed or life is not self._life:
                return
            self._inbox.extend(deliveries)
            if self._waiters:
                self._changed.notify(len(deliveries))
        self._arrived()
        if self._spec.auto_ack and len(self._inbox) > _AUTO_ACK_INBOX:
            with self._lock:
                self._held_back = len(self._inbox) > _AUTO_ACK_INBOX and not self._closed
                if self._held_back:
                    life.room.clear()

    def _take_end(self, life: _Life, error: Optional[KelpmqError]) -> None:
        with self._lock:
            life.ended = True
            life.error = error
            if not life.started or self._closed or self._failure is not None \
                    or life is not self._life:
                return
            revive = self._recovery is not None and (error is None or _comes_back(error))
            if revive:
                self._inbox.clear()  # It will be delivered again.
        if not revive:
            self._fail(error or ConsumerCancelled("the broker ended the stream"))
            return
        assert self._recovery is not None
        try:
            self._recovery.recover(life.epoch)
            self._begin(None)
        except KelpmqError as failure:
            if not self._closed:
                self._fail(failure)

    def _fail(self, error: KelpmqError) -> None:
        with self._lock:
            self._failure = error
            self._changed.notify_all()
        self._arrived()

    def _arrived(self) -> None:
        callback = self.on_arrival
        if callback is not None:
            callback()

    def _call_back(self) -> None:
        assert self._on_message is not None
        try:
            for delivery in self:
                try:
                    self._on_message(delivery)
                except BaseException:  # also SystemExit, which would end this thread alone
                    _LOG.exception("the callback of queue %r failed", self.queue)
                    if not delivery.settled:  # once more, then it is not tried for ever
                        delivery.nack(requeue=not delivery.redelivered)
        except KelpmqError as error:
            _LOG.error("consuming queue %r has ended: %s", self.queue, error)


def _weak_sink(consumer: weakref.ref[Consumer], life: _Life) -> Callable[[str, Any], None]:
    """A sink that does not keep the consumer alive."""
    def sink(kind: str, event: Any) -> None:
        target = consumer()
        if target is not None:
            target.take(life, kind, event)
            del target
        life.wait_for_room()

    return sink


def _comes_back(error: KelpmqError) -> bool:
    """Whether a new stream is worth trying after this one."""
    return connection_lost(error) or error.code is grpc.StatusCode.ABORTED
