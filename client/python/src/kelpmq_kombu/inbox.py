"""Events of a connection, from the threads that read its streams to whoever drains it."""
from __future__ import annotations

import collections
import contextlib
import socket
import threading
import time
from typing import Any, Callable, Iterable, Optional

from .errors import lost

# What one reader may put before it waits for the program to take some: with a consumer that takes
# without acknowledging, this and HTTP/2's flow control bound the memory of a slow program.
ROOM = 2000

Handler = Callable[[Any], None]


class Source:
    """One stream that puts events into an inbox. Guarded by the inbox's lock."""

    __slots__ = ("backlog", "waiting_calls")

    def __init__(self) -> None:
        self.backlog = 0
        # Callers that wait for an answer which may stand behind any number of deliveries.
        self.waiting_calls = 0


class Inbox:
    """A queue of events, with a socket that can be read as long as there are any.

    The byte in the socket stays until the last event is taken: an event loop that polls with a
    byte gone but events left would sleep with work to do.

    Thread-safe. `fail` ends it: what is queued can still be taken, then `take` raises.
    """

    def __init__(self) -> None:
        self._events: collections.deque[tuple[Handler, Any, Optional[Source]]] = collections.deque()
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._emptied = threading.Condition(self._lock)
        self._takers = 0
        self._failure: Optional[Exception] = None
        self._closed = False
        self.socket, self._wake = socket.socketpair()
        self.socket.setblocking(False)
        self._wake.setblocking(False)

    def __len__(self) -> int:
        return len(self._events)

    def put(self, handler: Handler, argument: Any) -> None:
        """Whoever takes the event calls `handler(argument)`."""
        self.put_all(handler, (argument,), None)

    def put_all(self, handler: Handler, arguments: Iterable[Any], source: Optional[Source]) -> None:
        """One event each. Blocks while more than ROOM of `source` wait, and no call does."""
        added = [(handler, argument, source) for argument in arguments]
        with self._lock:
            if self._closed or not added:
                return
            if not self._events and self._failure is None:
                self._signal()
            self._events.extend(added)
            if self._takers:
                self._filled.notify_all()
            if source is not None:
                source.backlog += len(added)
                while source.backlog > ROOM and not source.waiting_calls and not self._ended():
                    self._emptied.wait()

    def _ended(self) -> bool:
        return self._closed or self._failure is not None

    def take(self, timeout: Optional[float], enough: Optional[Callable[[], bool]] = None
             ) -> Optional[tuple[Handler, Any]]:
        """The next event; None as soon as `enough` says so.

        Waits for at most `timeout` seconds (0: not at all, None: forever), then raises
        socket.timeout. Raises what `fail` was given once all events are taken.
        """
        with self._lock:
            if enough is not None and enough():
                return None
            if not self._events and not self._wait(timeout, enough):
                return None
            handler, argument, source = self._events.popleft()
            if not self._events and self._failure is None:
                self._clear()
            if source is not None:
                self._took_from(source)
            return handler, argument

    def _took_from(self, source: Source) -> None:
        source.backlog -= 1
        if source.backlog == ROOM // 2:
            self._emptied.notify_all()

    def _wait(self, timeout: Optional[float], enough: Optional[Callable[[], bool]]) -> bool:
        """Waits for an event: True, or for `enough`: False."""
        deadline = None if timeout is None else time.monotonic() + timeout
        self._takers += 1
        try:
            while not self._events:
                if enough is not None and enough():
                    return False
                if self._failure is not None:
                    raise self._failure
                if self._closed:
                    raise lost("the connection is closed")
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise socket.timeout("timed out")
                self._filled.wait(left)
            return True
        finally:
            self._takers -= 1

    def nudge(self) -> None:
        """Lets those who wait in `take` ask again whether it is enough."""
        with self._lock:
            self._filled.notify_all()

    def call_waits(self, source: Source, count: int) -> None:
        """Adds `count` to the calls that wait for an answer read by `source`."""
        with self._lock:
            source.waiting_calls += count
            self._emptied.notify_all()

    def fail(self, failure: Exception) -> None:
        """After what is queued, `take` raises `failure`, every time. The first one counts."""
        with self._lock:
            if self._ended():
                return
            self._failure = failure
            if not self._events:
                self._signal()
            self._filled.notify_all()
            self._emptied.notify_all()

    def drop(self, unwanted: Callable[[Handler], bool]) -> None:
        """Takes events out that nobody must see any more, by their handlers."""
        with self._lock:
            if not self._events:
                return
            kept = [entry for entry in self._events if not unwanted(entry[0])]
            for handler, _, source in self._events:
                if source is not None and unwanted(handler):
                    source.backlog -= 1
            self._events = collections.deque(kept)
            if not kept and self._failure is None:
                self._clear()
            self._emptied.notify_all()

    def close(self) -> None:
        """Drops all and lets everybody go. No locks are taken in a forked child: see Connection."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._events.clear()
            self._filled.notify_all()
            self._emptied.notify_all()
        self.close_sockets()

    def close_sockets(self) -> None:
        self.socket.close()
        self._wake.close()

    def _signal(self) -> None:
        try:
            self._wake.send(b"\0")
        except OSError:
            pass  # Closed by whoever got hold of the socket: Connection looks for that.

    def _clear(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.recv(16)
