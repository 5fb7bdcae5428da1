"""A connection as Kombu knows it."""
from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any, Callable, Optional

from kelpmq._address import Address

from . import errors
from .channel import Channel
from .link import CALL_SECONDS, Link

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    import socket

    from kombu import Connection as KombuConnection


class Wire:
    """What py-amqp calls the transport of a connection; Celery and tests reach for its socket."""

    def __init__(self, link: Link):
        self._link = link
        self.raise_on_initial_eintr = True

    @property
    def sock(self) -> socket.socket:
        """Readable as long as events wait. Carries no data."""
        return self._link.inbox.socket

    @property
    def connected(self) -> bool:
        return not self._link.closed and self._link.failure is None


class Connection:
    """One AMQP connection.

    Thread-safe, but callbacks run in whichever thread drains events. Not to be used in a forked
    child: there `connected` is False, and everything but `collect` and `close` raises.

    One that is forgotten is closed by the garbage collector.
    """

    def __init__(self, address: Address, *, client_properties: Optional[dict[str, Any]] = None,
                 confirm_publish: bool = False,
                 on_blocked: Optional[Callable[[str], None]] = None,
                 on_unblocked: Optional[Callable[[], None]] = None):
        #: The kombu.Connection that this belongs to.
        self.client: Optional[KombuConnection] = None
        self.channels: dict[int, Channel] = {}
        self.confirm_publish = confirm_publish
        self.heartbeat = 0
        self.server_properties: dict[str, Any] = {"product": "KelpMQ"}
        self.client_properties = dict(client_properties or {})
        self.link = Link(address, on_blocked, on_unblocked)
        self.transport = self._transport = Wire(self.link)
        self._lock = threading.Lock()
        self._last_channel = 0
        weakref.finalize(self, self.link.forgotten).atexit = False

    def connect(self, timeout: Optional[float], old_session: str = "") -> None:
        """See Link.connect."""
        self.link.connect(timeout, self.client_properties, old_session)

    def close(self) -> None:
        """Waits until what was published and acknowledged has counted, then ends the session."""
        link = self.link
        if link.closed:
            return
        try:
            if link.is_ours() and link.failure is None:
                link.is_closing = True
                if link.publisher.flush(CALL_SECONDS):
                    for channel in list(self.channels.values()):
                        channel.close()
                    link.close_session(link.session_id)
                else:
                    log.warning("closed with messages that the broker did not take")
        finally:
            self.collect()

    def collect(self) -> None:
        """Lets go of everything at once, without a word to the broker. It sees the end, too."""
        channels = list(self.channels.values())
        self.channels.clear()
        for channel in channels:
            channel.collect()
        self.link.shut()

    @property
    def is_closing(self) -> bool:
        return self.link.is_closing

    @property
    def connected(self) -> bool:
        """True until the loss of the connection has been raised once.

        Kombu silently opens a new connection when it finds this to be False, and then nobody
        would start the consumers of the old one again.
        """
        link = self.link
        return not link.closed and not link.failure_was_raised and link.is_ours()

    @property
    def sock(self) -> socket.socket:
        """Readable as long as events wait, for event loops."""
        return self.link.inbox.socket

    def fileno(self) -> int:
        return self.link.inbox.socket.fileno()

    def channel(self, channel_id: Optional[int] = None) -> Channel:
        """A new channel, or the one with this number."""
        self.link.check()
        with self._lock:
            if channel_id is None:
                self._last_channel += 1
                channel_id = self._last_channel
            channel = self.channels.get(channel_id)
            if channel is None:
                channel = self.channels[channel_id] = Channel(self, channel_id)
        return channel

    def drain_events(self, timeout: Optional[float] = None) -> None:
        """Handles one event in this thread; waits for it `timeout` seconds, or forever.

        Raises socket.timeout, what a callback raises, the error of a channel, or the loss of
        the connection.
        """
        link = self.link
        if link.closed or not link.is_ours():
            link.check()
        if link.inbox.socket.fileno() < 0:  # Whoever closes it means to break the connection.
            link.lost(errors.lost("the socket was closed"))
        link.take(timeout)
