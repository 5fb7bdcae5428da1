"""Connections, and what happens at the end of the process."""
from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
import weakref
from types import TracebackType
from typing import Optional

import kelpmq
from kelpmq.admin import Admin

from kombu_emulator import private
from kombu_emulator.channel import Channel

# How long callbacks may go on with what is there when the program ends.
_END_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.002

_PRIVATE = ("memory", "memory://")


class Connection:
    """A connection to a broker.

    hostname: a host, ``unix:/PATH``, or a URL as kelpmq.parse_address() takes it. port: default
        50672. Without both: $KELPMQ_ADDRESS; without that, or with transport ``memory``, a broker
        that this process starts, shares between all its connections, and ends with itself.
    userid, password, virtual_host: default: what the broker has for everybody.
    transport: ``memory``, or anything else, which makes no difference.

    It is connected when it is first used, if connect() was not called. It comes back when the
    broker was away, and declares again what was declared.

    Thread-safety: any thread. A forked child makes a connection of its own.
    """

    def __init__(self, hostname: Optional[str] = None, port: Optional[int] = None,
                 userid: Optional[str] = None, password: Optional[str] = None,
                 virtual_host: Optional[str] = None, transport: Optional[str] = None) -> None:
        self.hostname = hostname
        self.port = port
        self.userid = userid
        self.password = password
        self.virtual_host = virtual_host
        self.transport = transport
        self._lock = threading.RLock()
        self._client: Optional[kelpmq.Client] = None
        self._private = False
        self._process = 0  # that which connected
        self._channels: list[Channel] = []

    @property
    def connected(self) -> bool:
        """Whether connect() has succeeded, and disconnect() was not called since."""
        return self._client is not None

    def connect(self) -> Connection:
        """Connects, unless it is connected. Returns itself.

        kelpmq.Unavailable: no broker is there. kelpmq.Unauthenticated: wrong user or password.
        kelpmq.BrokerStartError: the private broker could not be started.
        """
        with self._lock:
            if self._client is None:
                self._client = self._connected()
                self._process = os.getpid()
                _connections.add(self)
                # Once more, so that it is called before what ends the private broker.
                atexit.unregister(_at_end)
                atexit.register(_at_end)
        return self

    def disconnect(self) -> None:
        """Closes its channels and itself, at once. Idempotent; connect() opens it again.

        In a forked child it does nothing: the connection is its parent's.
        """
        if self._client is not None and self._process != os.getpid():
            return
        with self._lock:
            client, self._client = self._client, None
            channels, self._channels = self._channels, []
        for channel in channels:
            channel.close()
        if client is not None:
            client.close()

    def release(self) -> None:
        """The same as disconnect()."""
        self.disconnect()

    def channel(self) -> Channel:
        """A new channel."""
        with self._lock:
            self.connect()
            assert self._client is not None
            channel = Channel(self, self._client, trusted=self._private)
            self._channels.append(channel)
            return channel

    def forget(self, channel: Channel) -> None:
        """For channels: it is closed."""
        with contextlib.suppress(ValueError):
            self._channels.remove(channel)

    def __enter__(self) -> Connection:
        return self.connect()

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.disconnect()

    def __repr__(self) -> str:
        where = self._client.address.url() if self._client is not None else "not connected"
        return f"<Connection: {where}>"

    def finish(self, deadline: float) -> None:
        """Lets callbacks have what is in their queues, at most until this monotonic time."""
        client = self._client
        if client is None or self._process != os.getpid():
            return
        try:
            while not self._quiet(client) and time.monotonic() < deadline:
                time.sleep(_LOOK_AGAIN_SECONDS)
        except kelpmq.KelpmqError:
            pass  # The broker is gone; there is nothing to wait for.

    def _quiet(self, client: kelpmq.Client) -> bool:
        """Whether nothing waits, nothing is on its way, and no callback runs, which could put
        something back."""
        handled = self._handled()
        consumers = [each for channel in list(self._channels) for each in channel.consumers()]
        if not all(consumer.idle for consumer in consumers):
            return False
        for consumer in consumers:
            consumer.flush(_END_SECONDS)
            if client.get_queue(consumer.queue).messages_ready:
                return False
            consumer.flush(_END_SECONDS)
        return all(consumer.idle for consumer in consumers) and handled == self._handled()

    def _handled(self) -> int:
        return sum(channel.handled for channel in list(self._channels))

    def _connected(self) -> kelpmq.Client:
        address = self.hostname or ""
        if self.transport == "memory" or address in _PRIVATE or not (
                address or self.port or os.environ.get("KELPMQ_ADDRESS")):
            self._private = True
            client = kelpmq.Client(private.address(), vhost=self.virtual_host or "")
            if self.virtual_host:
                Admin(client).put_vhost(self.virtual_host)
            return client
        if self.port:
            address = f"{address or '127.0.0.1'}:{self.port}"
        return kelpmq.Client(address, user=self.userid or "", password=self.password or "",
                             vhost=self.virtual_host or "")


_connections: weakref.WeakSet[Connection] = weakref.WeakSet()
# By process, since children make their own, and by where the environment leads.
_shared: dict[tuple[int, str], tuple[Connection, Channel]] = {}
_shared_lock = threading.Lock()


def shared_channel() -> Channel:
    """The channel of entities that were made without one, on a Connection() that they share."""
    key = os.getpid(), os.environ.get("KELPMQ_ADDRESS", "")
    with _shared_lock:
        connection, channel = _shared.get(key, (None, None))
        if connection is None or channel is None or not connection.connected:
            connection = Connection()
            channel = connection.channel()
            _shared[key] = connection, channel
        return channel


def _at_end() -> None:
    deadline = time.monotonic() + _END_SECONDS
    for connection in list(_connections):
        connection.finish(deadline)
    for connection in list(_connections):
        connection.disconnect()
