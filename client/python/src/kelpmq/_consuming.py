"""One Consume stream, which is an AMQP channel: deliveries in, settles and requests out.

Acknowledgements are not written one by one. They gather, as ranges of tags, until there are many,
somebody urges, another request goes out, or a moment is over.
"""
from __future__ import annotations

import itertools
import threading
from typing import Any, Callable, Optional, Union

from kelpmq import _calls, _exit
from kelpmq._connection import FORKED, Connection, deadline_after, seconds_left
from kelpmq._forking import tell_child
from kelpmq._stream import Stream
from kelpmq.errors import (
    ClientClosed,
    DeadlineExceeded,
    ForkedClient,
    KelpmqError,
    from_failure,
)
from kelpmq.v1 import messaging_pb2, types_pb2

ACK = messaging_pb2.SETTLE_ACTION_ACK
REQUEUE = messaging_pb2.SETTLE_ACTION_REQUEUE
DISCARD = messaging_pb2.SETTLE_ACTION_DISCARD

# How long an acknowledgement waits for company, in seconds. It costs a crashed consumer this much
# more redelivery, and saves most of what acknowledging costs.
_LINGER = 0.002
_URGENT_COUNT = 64

# Called in the reading thread with the kind of an event ("deliveries", "cancelled", ...) and it; at
# the end once with "ended" and a KelpmqError or None.
Sink = Callable[[str, Any], None]


class _Settles:
    """Tags that are to be settled in the same way; tags mostly come in order."""

    __slots__ = ("action", "count", "ranges")

    def __init__(self, action: int, tag: int) -> None:
        self.action = action
        self.ranges = [[tag, tag]]
        self.count = 1

    def add(self, tag: int) -> None:
        last = self.ranges[-1]
        if last[1] + 1 == tag:
            last[1] = tag
        else:
            self.ranges.append([tag, tag])
        self.count += 1

    def frame(self) -> bytes:
        ranges = self.ranges
        if len(ranges) > 1:
            ranges = merged(ranges)
        settle = messaging_pb2.Settle(
            action=self.action,  # type: ignore[arg-type]
            ranges=[types_pb2.TagRange(first=first, last=last) for first, last in ranges])
        return messaging_pb2.ConsumeRequest(settle=settle).SerializeToString()


def merged(ranges: list[list[int]]) -> list[list[int]]:
    """The fewest ranges with the same tags, in order."""
    ranges = sorted(ranges)
    result = [ranges[0][:]]
    for first, last in ranges[1:]:
        if first <= result[-1][1] + 1:
            result[-1][1] = max(result[-1][1], last)
        else:
            result.append([first, last])
    return result


class ConsumeStream(Stream):
    """An open Consume stream.

    sink: told of every event, in the order of the stream, in the reading thread. While it blocks,
        the broker is held back.
    settle_soon: how many settles are enough not to wait for more.

    Requests may be made from any thread and take effect in the order in which they were made.
    settle() does not wait; a failure comes to the sink as a `settled` event. After the end of the
    stream it has no effect: what was unsettled is back in its queue.
    """

    def __init__(self, connection: Connection, sink: Sink, *,
                 options: Optional[messaging_pb2.StreamOptions] = None,
                 settle_soon: int = _URGENT_COUNT) -> None:
        super().__init__(connection, "kelpmq-consume")
        self._sink = sink
        self._settle_soon = settle_soon
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._pending: list[Union[_Settles, bytes]] = [
            messaging_pb2.ConsumeRequest(
                options=options or messaging_pb2.StreamOptions()).SerializeToString()]
        self._gathering: Optional[_Settles] = None  # the last of _pending, if it takes more
        self._writer_idle = False
        self._lingering = False
        self._urged = False
        self._half_closed = False
        self._over = False
        self._error: Optional[KelpmqError] = None
        self._answers: dict[tuple[str, int], _Answer] = {}
        self._ids = itertools.count(1)
        tell_child(self)
        self._open(_calls.CONSUME, messaging_pb2.ConsumeResponse.FromString)

    # Requests.

    def settle(self, action: int, tag: int) -> None:
        """Acknowledges (ACK), requeues (REQUEUE) or discards (DISCARD) a delivery. Never waits."""
        with self._lock:
            gathering = self._gathering
            if gathering is not None and gathering.action == action:
                last = gathering.ranges[-1]
                if last[1] + 1 == tag:
                    last[1] = tag
                else:
                    gathering.ranges.append([tag, tag])
                gathering.count += 1
                if gathering.count == self._settle_soon and self._lingering:
                    self._urged = True
                    self._work.notify()
                return
            if self._over:
                if isinstance(self._error, ForkedClient):
                    raise self._error
                return
            self._gathering = _Settles(action, tag)
            self._pending.append(self._gathering)
            if self._writer_idle:
                self._writer_idle = False
                self._work.notify()

    def send(self, **request: Any) -> None:
        """Sends a ConsumeRequest, given by its fields. ClientClosed or the stream's error: over."""
        frame = messaging_pb2.ConsumeRequest(**request).SerializeToString()
        with self._lock:
            self._send(frame)

    def _send(self, frame: bytes) -> None:
        if self._over or self._half_closed:
            raise self._error or ClientClosed("the stream is closed")
        self._pending.append(frame)
        self._gathering = None
        self._urged = True
        self._work.notify()

    def urge(self) -> None:
        """Lets settles wait no longer; to be called before waiting for deliveries."""
        if self._gathering is None:
            return
        with self._lock:
            if self._gathering is not None and not self._urged:
                self._urged = True
                if self._lingering:
                    self._work.notify()

    def ask(self, answer: str, key: int, timeout: Optional[float], **request: Any) -> Any:
        """Sends a request and waits for its answer, at most `timeout` seconds.

        answer: the kind of event that answers ("started", "settled", "got", "heartbeat").
        key: consumer_id of a `started`, else the request_id that is in `request`.

        The sink is told of it, too, before. What fails is raised: a `cancelled` that answers a
        start, the error of a `got`, the end of the stream; DeadlineExceeded.
        """
        self._connection.check_process()
        waiting = _Answer()
        frame = messaging_pb2.ConsumeRequest(**request).SerializeToString()
        with self._lock:
            self._answers[(answer, key)] = waiting
            try:
                self._send(frame)
            except BaseException:
                del self._answers[(answer, key)]
                raise
        if not waiting.done.wait(timeout):
            with self._lock:
                self._answers.pop((answer, key), None)
            raise DeadlineExceeded(f"no answer in {timeout:g} s")
        if waiting.error is not None:
            raise waiting.error
        return waiting.event

    def start(self, spec: messaging_pb2.ConsumerSpec,
              timeout: Optional[float]) -> messaging_pb2.ConsumerStarted:
        """Starts a consumer and waits until it has started, or raises why it could not."""
        started: messaging_pb2.ConsumerStarted = self.ask(
            "started", spec.consumer_id, timeout, start=spec)
        return started

    def ping(self, timeout: Optional[float]) -> None:
        """Waits until all that was sent before has taken effect."""
        number = self.next_id()
        self.ask("heartbeat", number, timeout, ping=messaging_pb2.Ping(request_id=number))

    def get(self, queue: str, timeout: Optional[float], *, max_messages: int = 1,
            auto_ack: bool = False) -> messaging_pb2.StreamGot:
        """Takes what is there, without waiting for messages."""
        number = self.next_id()
        got: messaging_pb2.StreamGot = self.ask("got", number, timeout, get=messaging_pb2.StreamGet(
            request_id=number, queue=queue, max_messages=max_messages, auto_ack=auto_ack))
        return got

    def next_id(self) -> int:
        """A request_id, or consumer_id, that was not used before."""
        return next(self._ids)

    def close(self, timeout: Optional[float]) -> None:
        """Sends what has gathered, half-closes, and waits until that took effect.

        Unsettled deliveries are then back in their queues. After `timeout` seconds the stream is
        broken off. Called by the sink, it does not wait. Idempotent.
        """
        if self._connection.forked:
            return
        deadline = deadline_after(timeout)
        with self._lock:
            self._half_closed = True
            self._urged = True
            self._work.notify()
        if self._reader is threading.current_thread():
            return
        if not self._join(seconds_left(deadline)):
            self._cancel()

    def abandon(self) -> None:
        """As close(), but waits for nothing; for finalizers, which may run anywhere."""
        if self._connection.forked:
            return
        _exit.leave(self)
        if self._lock.acquire(blocking=False):
            self._half_closed = True
            self._urged = True
            self._work.notify()
            self._lock.release()
        else:
            self._cancel()
        if self._over:
            _exit.done(self)

    def finish(self, deadline: float) -> None:
        """After abandon(): see _exit."""
        self._join(seconds_left(deadline))

    def cancel(self) -> None:
        """Breaks the stream off: what has gathered is not sent."""
        self._cancel()

    def after_fork(self) -> None:
        """In a forked child: it is over here."""
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._over = True
        self._error = ForkedClient(FORKED)
        self._pending = []
        self._gathering = None
        self._answers = {}
        _exit.done(self)

    @property
    def over(self) -> bool:
        """Whether the stream has ended."""
        return self._over

    # For the threads of the stream.

    def _next_frame(self) -> Optional[bytes]:
        with self._lock:
            while True:
                if self._over:
                    return None
                if self._pending:
                    if len(self._pending) > 1 or self._urged or self._half_closed or \
                            self._gathering is None or \
                            self._gathering.count >= self._settle_soon:
                        break
                    self._lingering = True
                    self._work.wait(_LINGER)
                    self._lingering = False
                    break
                if self._half_closed:
                    return None
                self._writer_idle = True
                self._work.wait()
                self._writer_idle = False
            if self._over:
                return None
            first = self._pending.pop(0)
            if first is self._gathering:
                self._gathering = None
            if not self._pending:
                self._urged = False
        return first if isinstance(first, bytes) else first.frame()

    def _take(self, response: Any) -> None:
        kind = response.WhichOneof("event")
        if kind is None:
            return
        event = getattr(response, kind)
        self._sink(kind, event)
        if kind != "deliveries" and self._answers:
            self._answer(kind, event)

    def _answer(self, kind: str, event: Any) -> None:
        error: Optional[KelpmqError] = None
        key = event.request_id if kind in ("settled", "got", "heartbeat") else \
            event.consumer_id if kind in ("started", "cancelled") else None
        if kind == "cancelled":
            if event.reason != types_pb2.CANCEL_REASON_START_FAILED:
                return
            kind, error = "started", from_failure(event.error)
        elif kind == "got" and event.HasField("error"):
            error = from_failure(event.error)
        with self._lock:
            waiting = self._answers.pop((kind, key), None)  # type: ignore[arg-type]
        if waiting is not None:
            waiting.set(event, error)

    def _ended(self, error: Optional[KelpmqError]) -> None:
        with self._lock:
            self._over = True
            self._error = error
            self._pending = []
            self._gathering = None
            self._work.notify_all()
            answers = list(self._answers.values())
            self._answers = {}
        _exit.done(self)
        for waiting in answers:
            waiting.set(None, error or ClientClosed("the stream is closed"))
        self._sink("ended", error)


class _Answer:
    """What ask() waits for."""

    __slots__ = ("done", "error", "event")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.event: Any = None
        self.error: Optional[KelpmqError] = None

    def set(self, event: Any, error: Optional[KelpmqError]) -> None:
        self.event = event
        self.error = error
        self.done.set()
