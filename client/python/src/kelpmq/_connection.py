"""One gRPC channel to a broker: unary calls with typed errors, and streams.

The base of every front end of this package. It does not reconnect what has state: its streams end
with the connection, and who opened them opens new ones; the channel itself connects anew whenever
it is used.
"""
from __future__ import annotations

import os
import threading
import time
from typing import Any, Callable, Optional, TypeVar

import grpc

from kelpmq import _calls
from kelpmq._address import Address, open_channel
from kelpmq._forking import channel_made, entering, free, tell_child
from kelpmq.errors import ClientClosed, ForkedClient, KelpmqError, from_rpc_error
from kelpmq.v1 import messaging_pb2

Response = TypeVar("Response")

FORKED = "this was made before a fork; make a new client in the child"


def connection_lost(error: KelpmqError) -> bool:
    """Whether it says that the way to the broker, or the broker, is gone for now."""
    return error.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


class Connection:
    """A channel and what goes along with each call on it.

    Thread-safety: any thread. It belongs to the process that made it: in a forked child every call
    raises ForkedClient, and close() merely lets go.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._pid = os.getpid()
        self._channel: Optional[grpc.Channel] = open_channel(address)
        self._metadata = address.metadata()
        self._callables: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._limits: Optional[messaging_pb2.Limits] = None
        self._waiting: set[Any] = set()  # futures
        tell_child(self)
        channel_made()

    def connect(self, timeout: float) -> messaging_pb2.GetServerInfoResponse:
        """Waits until the broker answers, at most `timeout` seconds.

        Unavailable: nothing listens there. Unauthenticated: it does not know us.
        """
        info = self.call(_calls.GET_SERVER_INFO, messaging_pb2.GetServerInfoRequest(), timeout)
        self._limits = info.limits
        return info

    def limits(self, timeout: float = 5.0) -> messaging_pb2.Limits:
        """The broker's limits, asked for once."""
        if self._limits is None:
            self.connect(timeout)
        assert self._limits is not None
        return self._limits

    def call(self, method: _calls.Unary[Response], request: Any,
             timeout: Optional[float]) -> Response:
        """Makes a unary call. `timeout` in seconds. Raises a KelpmqError."""
        callable_ = self._callables.get(method.path)
        if callable_ is None or os.getpid() != self._pid or self._channel is None:
            callable_ = self._callables.setdefault(method.path, method.bind(self.channel()))
        try:
            # A future, since a thread that waits for one waits in Python, where a fork by another
            # thread finds it harmless; a plain call waits inside gRPC.
            with entering():
                future = callable_.future(request, timeout=timeout, metadata=self._metadata)
            self._waiting.add(future)
            try:
                response: Response = future.result()
            finally:
                self._waiting.discard(future)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
        except ValueError:
            if self.closed:  # gRPC says so only when the call is made
                raise ClientClosed("the client is closed") from None
            raise
        return response

    def open_stream(self, path: str, frames: Any, parse: Callable[[bytes], Any]) -> Any:
        """Opens a stream that sends the bytes that the iterator `frames` gives."""
        stream: Any = self.channel().stream_stream(
            path, request_serializer=None, response_deserializer=parse)
        return self._opened(lambda: stream(frames, metadata=self._metadata))

    def open_server_stream(self, path: str, request: Any, parse: Callable[[bytes], Any]) -> Any:
        """Opens a stream of responses to one request."""
        stream: Any = self.channel().unary_stream(
            path, request_serializer=None, response_deserializer=parse)
        return self._opened(
            lambda: stream(request.SerializeToString(), metadata=self._metadata))

    def _opened(self, begin: Callable[[], Any]) -> Any:
        try:
            with entering():
                return begin()
        except ValueError:  # gRPC's way to say that the channel was closed just now
            raise ClientClosed("the client is closed") from None

    def channel(self) -> grpc.Channel:
        """The channel, for calls that this class does not know. ForkedClient, ClientClosed."""
        self.check_process()
        channel = self._channel
        if channel is None:
            raise ClientClosed("the client is closed")
        return channel

    @property
    def metadata(self) -> Any:
        """What has to go along with a call on channel()."""
        return self._metadata

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._channel is None

    @property
    def forked(self) -> bool:
        """Whether this is another process than that which made it."""
        return os.getpid() != self._pid

    def check_process(self) -> None:
        """ForkedClient: this process is a fork of the one that it belongs to."""
        if os.getpid() != self._pid:
            raise ForkedClient(FORKED)

    def after_fork(self) -> None:
        """In a forked child: lets gRPC close it there."""
        self._lock = threading.Lock()
        for future in self._waiting:
            free(future, None)
        free(None, self._channel)

    def close(self) -> None:
        """Ends all calls. Idempotent."""
        with self._lock:
            channel, self._channel = self._channel, None
        self._callables = {}
        if channel is not None and not self.forked:
            channel.close()


def deadline_after(timeout: Optional[float]) -> Optional[float]:
    """The monotonic time at which `timeout` seconds are over; None: never."""
    return None if timeout is None else time.monotonic() + timeout


def seconds_left(deadline: Optional[float]) -> Optional[float]:
    """What is left until then; not negative."""
    return None if deadline is None else max(deadline - time.monotonic(), 0.0)
