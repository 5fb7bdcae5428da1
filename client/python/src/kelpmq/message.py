"""What a consumer gets: a message, where it came from, and the way to acknowledge it."""
from __future__ import annotations

import datetime
from typing import Any, Optional, Protocol, Union

from kelpmq._consuming import ACK, DISCARD, REQUEUE
from kelpmq._values import Timestamp, from_map, moment_of
from kelpmq.errors import FailedPrecondition


class Settler(Protocol):
    """What a delivery's acknowledgement goes to."""

    def settle(self, action: int, tag: int) -> None:
        """Acknowledges, requeues or discards."""


class Delivery:
    """A message that was delivered, to be settled once: ack() or nack().

    Reading it costs nothing until it is done: properties are decoded when they are asked for.
    Thread-safety: any thread may settle it; only one call may.
    """

    __slots__ = ("_headers", "_message", "_raw", "_settler")

    def __init__(self, raw: Any, settler: Optional[Settler]) -> None:
        self._raw = raw
        self._message = raw.message
        self._settler = settler
        self._headers: Optional[dict[str, Any]] = None

    def ack(self) -> None:
        """The message is done with, and goes. What a consumer acknowledges goes out together
        with other acknowledgements, and this does not wait for it."""
        self._settle(ACK)

    def nack(self, *, requeue: bool = True) -> None:
        """The message goes back to its place in the queue; with `requeue` False it is
        dead-lettered if the queue has a dead-letter exchange, else dropped."""
        self._settle(REQUEUE if requeue else DISCARD)

    def _settle(self, action: int) -> None:
        settler, self._settler = self._settler, None
        if settler is None:
            raise FailedPrecondition("the delivery is settled already", reason="ALREADY_SETTLED")
        settler.settle(action, self._raw.delivery_tag)

    @property
    def settled(self) -> bool:
        """Whether it needs no ack() or nack() any more: it had one, or was delivered with
        auto_ack."""
        return self._settler is None

    @property
    def body(self) -> bytes:
        """The payload."""
        body: bytes = self._message.body
        return body

    def text(self) -> str:
        """The payload as UTF-8."""
        return self.body.decode()

    @property
    def headers(self) -> dict[str, Any]:
        """The headers, as Python values; see the types that kelpmq has for the others."""
        if self._headers is None:
            self._headers = from_map(self._message.headers)
        return self._headers

    @property
    def delivery_tag(self) -> int:
        """Number of the delivery in its stream or lease."""
        return int(self._raw.delivery_tag)

    @property
    def exchange(self) -> str:
        """Where it was published; "" is the default exchange."""
        return str(self._raw.exchange)

    @property
    def routing_key(self) -> str:
        """What it was published with."""
        return str(self._raw.routing_key)

    @property
    def redelivered(self) -> bool:
        """Whether it was delivered before, and not acknowledged."""
        return bool(self._raw.redelivered)

    @property
    def delivery_count(self) -> int:
        """How often it was delivered before."""
        return int(self._raw.delivery_count)

    @property
    def content_type(self) -> str:
        """MIME type of the body; "" if it was not said, as with all properties."""
        return str(self._message.content_type)

    @property
    def content_encoding(self) -> str:
        """Encoding of the body, such as ``gzip``."""
        return str(self._message.content_encoding)

    @property
    def delivery_mode(self) -> int:
        """2: persistent; 1: transient; 0: not said."""
        return int(self._message.delivery_mode)

    @property
    def priority(self) -> int:
        """0 to 255."""
        return int(self._message.priority)

    @property
    def correlation_id(self) -> str:
        """Links a reply to its request."""
        return str(self._message.correlation_id)

    @property
    def reply_to(self) -> str:
        """Queue for replies."""
        return str(self._message.reply_to)

    @property
    def expiration(self) -> str:
        """Time to live as a decimal string of milliseconds."""
        return str(self._message.expiration)

    @property
    def message_id(self) -> str:
        """The application's identifier."""
        return str(self._message.message_id)

    @property
    def timestamp(self) -> Union[datetime.datetime, Timestamp, None]:
        """The application's time, in UTC; None if it gave none. A Timestamp, which is an int: it is
        beyond what a datetime can be, for example because the application sent milliseconds."""
        seconds = self._message.timestamp
        found: Union[datetime.datetime, Timestamp, None] = moment_of(seconds) if seconds else None
        return found

    @property
    def type(self) -> str:
        """The application's kind of message."""
        return str(self._message.type)

    @property
    def user_id(self) -> str:
        """The user that published it, checked by the broker."""
        return str(self._message.user_id)

    @property
    def app_id(self) -> str:
        """The application."""
        return str(self._message.app_id)

    @property
    def raw(self) -> Any:
        """The ``kelpmq.v1.Delivery``."""
        return self._raw

    def __repr__(self) -> str:
        return (f"Delivery(tag={self.delivery_tag}, exchange={self.exchange!r}, "
                f"routing_key={self.routing_key!r}, {len(self.body)} bytes)")
