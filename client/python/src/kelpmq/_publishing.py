"""Publishing over one PublishStream: many publishers, few frames.

What is published while a frame is on its way gathers in a batch, and the batch is the next frame.
One frame has one sequence number, so a confirm settles a batch at a time, whatever it holds.
"""
from __future__ import annotations

import functools
import logging
import threading
from collections import deque
from typing import Any, Callable, Optional

from kelpmq import _calls
from kelpmq._connection import Connection, connection_lost, deadline_after, seconds_left
from kelpmq._recovery import Recovery
from kelpmq._stream import Stream
from kelpmq._wire import encode_item
from kelpmq.errors import (
    ClientClosed,
    DeadlineExceeded,
    InvalidArgument,
    KelpmqError,
    OutcomeUnknown,
    from_failure,
)
from kelpmq.v1 import messaging_pb2

_LOG = logging.getLogger("kelpmq")

# Unconfirmed publishes before publish() waits. The broker stops reading at 10,000 or 64 MiB; less
# than that keeps its confirms flowing.
WINDOW_MESSAGES = 8_192
WINDOW_BYTES = 32 << 20

# A frame takes what has gathered, up to this. More gains nothing, and delays its first message. A
# message that is larger goes alone: beside others it could exceed what the broker takes at once.
_FRAME_MESSAGES = 1_000
_FRAME_BYTES = 256 << 10

# Above this the broker's limit is asked for, since exceeding it would end the stream for all.
_SURELY_SMALL = 1 << 20
_ENVELOPE_BYTES = 64 << 10

OnFailure = Callable[["Confirm", KelpmqError], None]


class _Batch:
    """The messages of one frame, and what became of them. Guarded by the pump's lock."""

    __slots__ = ("callbacks", "count", "done", "error", "event", "failures", "parts", "size",
                 "tokens")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.tokens: list[Any] = []
        self.count = 0
        self.size = 0
        self.done = False
        self.error: Optional[KelpmqError] = None  # of all
        self.failures: Optional[dict[int, KelpmqError]] = None  # of some
        self.event: Optional[threading.Event] = None
        self.callbacks: Optional[list[tuple[Callable[[Confirm], Any], Confirm]]] = None


class Confirm:
    """What becomes of one publish: like a future, but it costs little.

    Thread-safety: any thread. Callbacks run in the pump's reading thread and must not block; what
    they raise is logged.
    """

    __slots__ = ("_batch", "_index", "_pump")

    def __init__(self, pump: PublishPump, batch: _Batch, index: int) -> None:
        self._pump = pump
        self._batch = batch
        self._index = index

    def done(self) -> bool:
        """Whether the broker has answered, or never will."""
        return self._batch.done

    def result(self, timeout: Optional[float] = None) -> None:
        """Waits for the confirm, at most `timeout` seconds.

        Raises what exception() returns, or DeadlineExceeded: the outcome is still open.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error

    def exception(self, timeout: Optional[float] = None) -> Optional[KelpmqError]:
        """Waits, and returns None for a confirmed publish, else why it is not.

        NoRoute, QueueFull, NotFound (no such exchange), ...: the broker does not have it.
        OutcomeUnknown: the connection was lost before the answer came.
        """
        batch = self._batch
        if not batch.done:
            self._pump.wait_for(batch, timeout)
        if batch.error is not None:
            return batch.error
        return batch.failures.get(self._index) if batch.failures else None

    def add_done_callback(self, callback: Callable[[Confirm], Any]) -> None:
        """Calls `callback(self)` when it is done; at once if it is already."""
        self._pump.call_when_done(self._batch, callback, self)

    @property
    def token(self) -> Any:
        """What publish() was given to remember."""
        return self._batch.tokens[self._index]


class PublishPump:
    """One PublishStream for any number of publishers, with a window and confirms.

    recovery: brings a lost connection back, and then the stream. Without it, a lost stream stays
        lost.
    on_failure: called for each publish that fails, in the pump's thread, before its Confirm is
        done. It must not block.
    on_blocked: told when the broker holds publishers back (a text), and when no longer ("").

    A publish whose frame was written when the stream was lost ends as OutcomeUnknown; those that
    were still gathering go out on the next stream.

    Thread-safety: any thread, in the process that made it.
    """

    def __init__(self, connection: Connection, *, vhost: str = "",
                 recovery: Optional[Recovery] = None,
                 on_failure: Optional[OnFailure] = None,
                 on_blocked: Optional[Callable[[str], None]] = None,
                 window_messages: int = WINDOW_MESSAGES,
                 window_bytes: int = WINDOW_BYTES) -> None:
        self._connection = connection
        self._vhost = vhost
        self._recovery = recovery
        self._on_failure = on_failure
        self._on_blocked = on_blocked
        self._window_messages = window_messages
        self._window_bytes = window_bytes
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)  # for the writer
        self._room = threading.Condition(self._lock)  # for publishers
        self._open: Optional[_Batch] = None  # takes further messages; the last of _waiting
        self._waiting: deque[_Batch] = deque()
        self._written: dict[int, _Batch] = {}
        self._messages = 0
        self._bytes = 0
        self._writer_idle = False
        self._publishers_waiting = 0
        self._room_callbacks: list[Callable[[], Any]] = []
        self._stream: Optional[_PublishStream] = None
        self._recovering = False
        self._broken: Optional[KelpmqError] = None
        self._closing = False
        #: Why the broker holds publishers back; empty if it does not.
        self.blocked = ""

    # Publishing.

    def publish(self, body: bytes, properties: bytes = b"", route: bytes = b"",
                token: Any = None, timeout: Optional[float] = None,
                block: bool = True) -> Optional[Confirm]:
        """Hands a message over; the arguments are those of encode_item().

        Waits for room in the window, at most `timeout` seconds (None: for ever); with `block`
        False it returns None instead when there is no room.

        DeadlineExceeded: no room in time; it was not sent. InvalidArgument MESSAGE_TOO_LARGE.
        ClientClosed, ForkedClient; Unavailable: the stream is lost for good.
        """
        item = encode_item(body, properties, route)
        size = len(item)
        if size > _SURELY_SMALL:
            self._check_size(size)
        self._connection.check_process()
        with self._lock:
            if self._messages >= self._window_messages or self._bytes >= self._window_bytes:
                if not block:
                    return None
                self._wait_for_room(timeout)
            if self._closing:
                raise ClientClosed("the publisher is closed")
            if self._broken is not None:
                raise self._broken
            if self._stream is None and not self._recovering:
                self._open_stream()
            batch = self._open
            if batch is None or batch.count >= _FRAME_MESSAGES or (
                    batch.size + size > _FRAME_BYTES):
                batch = self._open = _Batch()
                self._waiting.append(batch)
            index = batch.count
            batch.parts.append(item)
            batch.tokens.append(token)
            batch.count = index + 1
            batch.size += size
            self._messages += 1
            self._bytes += size
            if self._writer_idle:
                self._writer_idle = False
                self._work.notify()
        return Confirm(self, batch, index)

    def when_room(self, callback: Callable[[], Any]) -> None:
        """Calls `callback` once, from any thread, when there is room or the pump has ended."""
        with self._lock:
            if (self._messages >= self._window_messages or self._bytes >= self._window_bytes) \
                    and not self._closing and self._broken is None:
                self._room_callbacks.append(callback)
                return
        callback()

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Waits until all that was published before is done; False: not in `timeout` seconds."""
        deadline = deadline_after(timeout)
        self._connection.check_process()
        with self._lock:
            batches = [*self._written.values(), *self._waiting]
        try:
            for batch in batches:
                self.wait_for(batch, seconds_left(deadline))
        except DeadlineExceeded:
            return False
        return True

    def close(self, timeout: Optional[float] = None) -> None:
        """Waits for confirms, at most `timeout` seconds, and ends the stream. Idempotent.

        What is not confirmed then ends as OutcomeUnknown, or ClientClosed if it was never sent.
        """
        if self._connection.forked:
            return
        with self._lock:
            self._closing = True
            self._work.notify_all()
            self._room.notify_all()
            stream = self._stream
            recovering = self._recovering
        if not recovering:
            self.flush(timeout)
        if stream is not None:
            stream.stop()
        self._settle_all(ClientClosed("the client was closed before it was sent"))

    # Confirm's side.

    def wait_for(self, batch: _Batch, timeout: Optional[float]) -> None:
        """DeadlineExceeded: not done in time."""
        self._connection.check_process()
        with self._lock:
            if batch.done:
                return
            event = batch.event
            if event is None:
                event = batch.event = threading.Event()
        if not event.wait(timeout):
            raise DeadlineExceeded(
                f"no confirm in {timeout:g} s" + (f": {self.blocked}" if self.blocked else ""))

    def call_when_done(self, batch: _Batch, callback: Callable[[Confirm], Any],
                       confirm: Confirm) -> None:
        """See Confirm.add_done_callback."""
        self._connection.check_process()
        with self._lock:
            if not batch.done:
                if batch.callbacks is None:
                    batch.callbacks = []
                batch.callbacks.append((callback, confirm))
                return
        _call_all([functools.partial(callback, confirm)])

    # Inside.

    def _check_size(self, size: int) -> None:
        limits = self._connection.limits()
        if size > limits.max_message_bytes + _ENVELOPE_BYTES // 2:
            raise InvalidArgument(
                f"message size {size} is larger than configured max size "
                f"{limits.max_message_bytes}", reason="MESSAGE_TOO_LARGE", amqp_code=406)

    def _wait_for_room(self, timeout: Optional[float]) -> None:
        self._publishers_waiting += 1
        try:
            if not self._room.wait_for(
                    lambda: (self._messages < self._window_messages
                             and self._bytes < self._window_bytes)
                    or self._closing or self._broken is not None, timeout):
                raise DeadlineExceeded(
                    "too many publishes wait for their confirm"
                    + (f": {self.blocked}" if self.blocked else ""))
        finally:
            self._publishers_waiting -= 1

    def _open_stream(self) -> None:
        """With the lock held. While the connection is coming back, the stream waits for that."""
        recovery = self._recovery
        if recovery is not None and recovery.recovering:
            self._recovering = True
            threading.Thread(
                target=self._come_back, args=(recovery.wait_while_recovering,),
                name="kelpmq-publish", daemon=True).start()
            return
        self._stream = _PublishStream(
            self, self._connection, self._vhost, recovery.epoch if recovery else 0)
        self._stream.start()

    def next_batch(self, stream: _PublishStream, sequence: int) -> Optional[_Batch]:
        """For the stream's writer: what has gathered, or None when it is over."""
        with self._lock:
            while not self._waiting:
                if self._stream is not stream or self._closing:
                    return None
                self._writer_idle = True
                self._work.wait()
            self._writer_idle = False
            if self._stream is not stream:
                return None
            batch = self._waiting.popleft()
            if batch is self._open:
                self._open = None
            self._written[sequence] = batch
            return batch

    def take(self, response: messaging_pb2.PublishStreamResponse) -> None:
        """For the stream's reader: a response."""
        if response.failures:
            self._note_failures(response.failures)
        done: list[_Batch] = []
        with self._lock:
            for tags in response.confirmed:
                for sequence in range(tags.first, tags.last + 1):
                    batch = self._written.pop(sequence, None)
                    if batch is not None:
                        done.append(batch)
            callbacks = self._mark_done(done)
        _call_all(callbacks)
        if response.HasField("flow"):
            self.blocked = response.flow.reason or "blocked" if response.flow.blocked else ""
            if self._on_blocked is not None:
                self._on_blocked(self.blocked)

    def _note_failures(self, failures: Any) -> None:
        for failure in failures:
            with self._lock:
                batch = self._written.get(failure.sequence)
            if batch is None:
                continue
            error = from_failure(failure)
            if batch.failures is None:
                batch.failures = {}
            batch.failures[failure.index] = error
            if self._on_failure is not None:
                self._tell_failure(Confirm(self, batch, failure.index), error)

    def _tell_failure(self, confirm: Confirm, error: KelpmqError) -> None:
        assert self._on_failure is not None
        try:
            self._on_failure(confirm, error)
        except Exception:
            _LOG.exception("the callback for failed publishes failed")

    def _mark_done(self, batches: list[_Batch]) -> list[Callable[[], Any]]:
        """Settles batches, with the lock held. Returns what to call without it."""
        calls: list[Callable[[], Any]] = []
        for batch in batches:
            batch.done = True
            batch.parts = []
            self._messages -= batch.count
            self._bytes -= batch.size
            if batch.event is not None:
                batch.event.set()
            for callback, confirm in batch.callbacks or ():
                calls.append(functools.partial(callback, confirm))
            batch.callbacks = None
        if batches:
            if self._publishers_waiting:
                self._room.notify_all()
            if self._room_callbacks:
                calls += self._room_callbacks
                self._room_callbacks = []
        return calls

    def _fail(self, batches: list[_Batch], error: KelpmqError) -> None:
        for batch in batches:
            batch.error = error
            if self._on_failure is not None:
                for index in range(batch.count):
                    self._tell_failure(Confirm(self, batch, index), error)
        with self._lock:
            calls = self._mark_done(batches)
        _call_all(calls)

    def _settle_all(self, unsent: KelpmqError) -> None:
        with self._lock:
            written, self._written = list(self._written.values()), {}
            waiting = list(self._waiting)
            self._waiting.clear()
            self._open = None
        self._fail(written, OutcomeUnknown("the client was closed before the confirm came"))
        self._fail(waiting, unsent)

    def stream_ended(self, stream: _PublishStream, error: Optional[KelpmqError]) -> None:
        """For the stream's reader, whose thread then waits for the broker to come back."""
        with self._lock:
            if self._stream is not stream:
                return
            self._stream = None
            self._writer_idle = False
            self._work.notify_all()
            written, self._written = list(self._written.values()), {}
            lost = error is None or connection_lost(error)
            self._recovering = lost and self._recovery is not None and not self._closing
            waiting: list[_Batch] = []
            if not self._recovering:
                waiting = list(self._waiting)
                self._waiting.clear()
                self._open = None
                if lost and not self._closing:
                    self._broken = error
                    self._room.notify_all()
        reason = str(error) if error else "the broker ended the stream"
        if error is not None and not lost and not stream.heard:
            self._fail(written, error)  # It refused the stream itself.
        else:
            self._fail(written, OutcomeUnknown(f"the confirm was lost: {reason}"))
        self._fail(waiting, error or OutcomeUnknown(reason))
        if self._recovering:
            assert self._recovery is not None
            self._come_back(functools.partial(self._recovery.recover, stream.epoch))

    def _come_back(self, recover: Callable[[], None]) -> None:
        failure: KelpmqError = ClientClosed("the client was closed before it was sent")
        again = False
        try:
            recover()
            again = True
        except KelpmqError as error:
            failure = error
        with self._lock:
            self._recovering = False
            self.blocked = ""
            if again and not self._closing:
                if self._waiting:
                    self._open_stream()
                return
        self._settle_all(failure)


def _call_all(callbacks: list[Callable[[], Any]]) -> None:
    """One that fails keeps neither the others nor the stream from going on."""
    for callback in callbacks:
        try:
            callback()
        except Exception:
            _LOG.exception("the callback of a confirm failed")


class _PublishStream(Stream):
    """One life of the stream of a PublishPump."""

    def __init__(self, pump: PublishPump, connection: Connection, vhost: str,
                 epoch: int) -> None:
        super().__init__(connection, "kelpmq-publish")
        self.epoch = epoch
        self._pump = pump
        self._sequence = 0
        self._first = messaging_pb2.PublishStreamRequest(
            vhost=vhost, confirms=messaging_pb2.CONFIRM_MODE_ALL).SerializeToString()
        #: Whether the broker has answered anything.
        self.heard = False

    def start(self) -> None:
        self._open(_calls.PUBLISH_STREAM, messaging_pb2.PublishStreamResponse.FromString)

    def stop(self) -> None:
        """Ends the stream; its writer half-closes it if it can."""
        if not self._join(1.0):
            self._cancel()

    def _next_frame(self) -> Optional[bytes]:
        self._sequence += 1
        batch = self._pump.next_batch(self, self._sequence)
        if batch is None:
            return None
        frame = b"".join(batch.parts)
        if self._first:
            frame, self._first = self._first + frame, b""
        return frame

    def _take(self, response: Any) -> None:
        self.heard = True
        self._pump.take(response)

    def _ended(self, error: Optional[KelpmqError]) -> None:
        self._pump.stream_ended(self, error)
