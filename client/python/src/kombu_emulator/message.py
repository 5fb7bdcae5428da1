"""A message, to be published or received."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from kelpmq.errors import FailedPrecondition

if TYPE_CHECKING:
    from kombu_emulator.channel import Channel


class Message:
    """A message with a body of any kind, headers and properties.

    content_type, content_encoding: default: as the body is serialised. With a type of your own
        (``image/png``) the body still comes back as it was.
    properties: AMQP's own (`priority`, `correlation_id`, `reply_to`, `expiration`, `message_id`,
        `timestamp`, `type`, `app_id`, ...) mean what they mean there; others are brought along.
    delivery_info: of a received one: `exchange`, `routing_key`, `queue`, `redelivered`,
        `delivery_tag` and, from a consumer, `consumer_tag`.

    Thread-safety: any thread may settle a received message; only one call may.
    """

    def __init__(self, body: Any = None, content_type: Optional[str] = None,
                 content_encoding: Optional[str] = None,
                 headers: Optional[Mapping[str, Any]] = None,
                 properties: Optional[Mapping[str, Any]] = None,
                 delivery_info: Optional[Mapping[str, Any]] = None) -> None:
        self.body = body
        self.content_type = content_type
        self.content_encoding = content_encoding
        self.headers = dict(headers or {})
        self.properties = dict(properties or {})
        self.delivery_info = dict(delivery_info or {})
        self._channel: Optional[Channel] = None
        self._no_ack = False
        #: Whether ack(), reject() or requeue() was called.
        self.acknowledged = False

    @property
    def delivery_tag(self) -> Optional[int]:
        """Its number in the channel that it came from; None: it was not received."""
        return self.delivery_info.get("delivery_tag")

    def ack(self) -> None:
        """It is done with. Of no effect on one that was received with no_ack.

        kelpmq.FailedPrecondition: it was settled before, or never received.
        """
        channel = self._settling("acknowledged")
        if not self._no_ack:
            channel.basic_ack(self.delivery_info["delivery_tag"])

    def reject(self, requeue: bool = False) -> None:
        """It is dropped, or goes to its queue's dead-letter exchange; with `requeue`, as
        requeue(). Errors: as ack()."""
        channel = self._settling("requeued" if requeue else "rejected")
        if not self._no_ack:
            channel.basic_reject(self.delivery_info["delivery_tag"], requeue)
        elif requeue:
            channel.basic_publish(self, routing_key=self.delivery_info["queue"])

    def requeue(self) -> None:
        """It goes back to its place in its queue. One that was received with no_ack has left it
        for good, so it is put at the end. Errors: as ack()."""
        self.reject(requeue=True)

    def came_from(self, channel: Channel, no_ack: bool) -> None:
        """For channels: it was received."""
        self._channel = channel
        self._no_ack = no_ack

    def _settling(self, what: str) -> Channel:
        if self._channel is None:
            raise FailedPrecondition(f"a message that was not received cannot be {what}")
        if self.acknowledged:
            raise FailedPrecondition("the message is settled already", reason="ALREADY_SETTLED")
        self.acknowledged = True
        return self._channel

    def __repr__(self) -> str:
        facts = "".join(f", {name}={value!r}" for name, value in (
            ("headers", self.headers), ("properties", self.properties),
            ("delivery_info", self.delivery_info)) if value)
        return f"Message({self.body!r}{facts})"
