"""A client's session: what an AMQP connection is to the broker. It owns exclusive queues, and the
stream that watches it tells when the connection is lost."""
from __future__ import annotations

import contextlib
import threading
from typing import Any, Callable, Optional

import grpc

from kelpmq import _calls
from kelpmq._connection import Connection
from kelpmq._forking import Reading, entering
from kelpmq.errors import KelpmqError
from kelpmq.v1 import session_pb2

_CLOSE_SECONDS = 5.0


class Session:
    """Opened when it is first needed; ends with its watching stream.

    ended: called in the watching thread when the stream ends and close() was not called, with what
        `epoch` returned when the session was opened.
    Thread-safety: any thread.
    """

    def __init__(self, connection: Connection, vhost: str, name: str,
                 epoch: Callable[[], int], ended: Callable[[int], None]) -> None:
        self._connection = connection
        self._request = session_pb2.OpenSessionRequest(
            vhost=vhost, client_name=name, bound_to_watch=True)
        self._epoch = epoch
        self._ended = ended
        self._lock = threading.Lock()
        self._id = ""
        self._wanted = False
        self._watch: Any = None

    @property
    def id(self) -> str:
        """Its id, or "" while there is none."""
        return self._id

    def ensure(self, timeout: Optional[float]) -> str:
        """Opens it if it is not open. Returns its id."""
        if not self._id:
            with self._lock:
                if not self._id:
                    self._open(timeout)
                    self._wanted = True
        return self._id

    def renew(self, timeout: Optional[float]) -> None:
        """A new one in place of one that was lost, which gives up its exclusive queues first."""
        with self._lock:
            if self._id:
                self._close()
            if self._wanted:
                self._open(timeout)

    def close(self) -> None:
        """Ends it; exclusive queues go. Idempotent."""
        with self._lock:
            self._wanted = False
            if self._id:
                self._close()

    def _open(self, timeout: Optional[float]) -> None:
        self._id = self._connection.call(_calls.OPEN_SESSION, self._request, timeout).session_id
        self._watch = self._connection.open_server_stream(
            _calls.WATCH_SESSION, session_pb2.WatchSessionRequest(session_id=self._id),
            session_pb2.WatchSessionResponse.FromString)
        threading.Thread(target=self._read, args=(self._watch, self._epoch()),
                         name="kelpmq-session", daemon=True).start()

    def _close(self) -> None:
        watch, self._watch = self._watch, None
        session_id, self._id = self._id, ""
        with contextlib.suppress(KelpmqError):  # It is gone, or will be: nobody watches it.
            self._connection.call(
                _calls.CLOSE_SESSION, session_pb2.CloseSessionRequest(session_id=session_id),
                _CLOSE_SECONDS)
        if watch is not None:
            with entering():
                watch.cancel()

    def _read(self, watch: Any, epoch: int) -> None:
        try:
            for _ in Reading(watch):
                pass
        except grpc.RpcError:
            pass  # Why does not matter.
        if self._watch is watch:
            self._ended(epoch)
