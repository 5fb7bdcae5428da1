"""A two-way stream with two threads: gRPC's, which asks for the next frame whenever a write can go
out, and ours, which reads."""
from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Callable, Optional

import grpc

from kelpmq._connection import Connection
from kelpmq._forking import Reading, entering
from kelpmq.errors import KelpmqError, Unavailable, from_rpc_error


class Stream(ABC):
    """What a pump does with its stream.

    _next_frame() is called by gRPC's thread each time that the frame before is on its way, so what
    has gathered until then travels together; it blocks until there is something. _take() and
    _ended() are called by the reading thread.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._call: Any = None
        self._reading: Optional[Reading] = None
        self._reader: Optional[threading.Thread] = None

    @abstractmethod
    def _next_frame(self) -> Optional[bytes]:
        """The next frame, or None to half-close the stream."""

    @abstractmethod
    def _take(self, response: Any) -> None:
        """A response has come."""

    @abstractmethod
    def _ended(self, error: Optional[KelpmqError]) -> None:
        """The stream is over; None: it was half-closed and ended well. Called once."""

    def _open(self, path: str, parse: Callable[[bytes], Any]) -> None:
        opened = threading.Event()
        self._call = self._connection.open_stream(path, self._frames(opened), parse)
        self._reading = Reading(self._call)
        opened.set()
        self._reader = threading.Thread(target=self._read, name=self._name, daemon=True)
        self._reader.start()

    def _frames(self, opened: threading.Event) -> Iterator[bytes]:
        opened.wait()
        reading = self._reading
        assert reading is not None
        while (frame := self._next_frame()) is not None:
            reading.send()
            yield frame
            reading.sending = False

    def _read(self) -> None:
        error: Optional[KelpmqError] = None
        try:
            assert self._reading is not None
            for response in self._reading:
                self._take(response)
        except grpc.RpcError as failure:
            error = from_rpc_error(failure)
        except Exception as failure:  # ours, in _take: the stream cannot go on
            self._call.cancel()
            self._ended(Unavailable(f"defect in the client: {failure!r}"))
            raise
        self._ended(error)

    def _cancel(self) -> None:
        if self._call is not None:
            with entering():
                self._call.cancel()

    def _join(self, timeout: Optional[float]) -> bool:
        """Waits until the reading thread is done; False: it is not yet, or calls this itself."""
        reader = self._reader
        if reader is None:
            return True
        if reader is threading.current_thread():
            return False
        reader.join(timeout)
        return not reader.is_alive()
