"""Publishing many messages without waiting for each."""
from __future__ import annotations

import datetime
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Callable, Optional, Union

from kelpmq._publishing import Confirm, PublishPump
from kelpmq._wire import Body, body_bytes, encode_properties, encode_route
from kelpmq.errors import DeadlineExceeded, KelpmqError, PublishFailed

_ROUTES_KEPT = 1024
_FAILURES_KEPT = 1000


class Publisher:
    """Publishes; flush() waits until all of it is confirmed, and so does the end of a ``with``
    block.

        with client.publisher(exchange="events") as publisher:
            for event in events:
                publisher.publish(event, routing_key="order.paid")

    publish() does not wait for the broker, unless too many messages (8,192, or 32 MiB) are
    unconfirmed. All publishers of a client share one stream, on which order is kept.

    Thread-safety: any thread, in the process that made the client.
    """

    def __init__(self, pump: Callable[[], PublishPump], *, exchange: str, routing_key: str,
                 mandatory: bool, properties: Mapping[str, Any], timeout: Optional[float],
                 on_failure: Optional[Callable[[Confirm, KelpmqError], None]]) -> None:
        self._pump = pump
        self._exchange = exchange
        self._routing_key = routing_key
        self._mandatory = mandatory
        self._properties = encode_properties(**properties)
        self._timeout = timeout
        self._on_failure = on_failure
        self._route = encode_route(exchange, routing_key, mandatory)
        self._routes: dict[tuple[str, str, bool], bytes] = {}
        self._lock = threading.Lock()
        self._failures: list[KelpmqError] = []

    def publish(self, body: Body, routing_key: Optional[str] = None, *,
                exchange: Optional[str] = None, mandatory: Optional[bool] = None,
                deliver_at: Optional[datetime.datetime] = None, **properties: Any) -> Confirm:
        """Publishes and returns at once; the Confirm tells what became of it.

        What is not given is as the publisher was made with. deliver_at: the broker routes it then
        (without a time zone: UTC). properties: `headers`, `content_type`, `delivery_mode`,
        `priority`, `correlation_id`, `reply_to`, `expiration` (a decimal string of milliseconds, or
        seconds as a number), `message_id`, `timestamp`, `type`, `user_id`, `app_id`.

        DeadlineExceeded: too many publishes are unconfirmed for too long. TypeError, ValueError: a
        property or header that AMQP does not have.
        """
        confirm = self._hand_over(
            body, routing_key, exchange, mandatory, deliver_at, properties, True)
        assert confirm is not None
        return confirm

    def _hand_over(self, body: Body, routing_key: Optional[str], exchange: Optional[str],
                   mandatory: Optional[bool], deliver_at: Optional[datetime.datetime],
                   properties: Mapping[str, Any], block: bool) -> Optional[Confirm]:
        if routing_key is None and exchange is None and mandatory is None and deliver_at is None:
            route = self._route
        else:
            route = self._route_of(
                self._exchange if exchange is None else exchange,
                self._routing_key if routing_key is None else routing_key,
                self._mandatory if mandatory is None else mandatory, deliver_at)
        encoded = self._properties
        if properties:
            encoded += encode_properties(**properties)
        return self._pump().publish(
            body if type(body) is bytes else body_bytes(body), encoded, route, self,
            self._timeout, block)

    def _route_of(self, exchange: str, routing_key: str, mandatory: bool,
                  deliver_at: Optional[datetime.datetime]) -> bytes:
        if deliver_at is not None:
            return encode_route(exchange, routing_key, mandatory, deliver_at)
        key = (exchange, routing_key, mandatory)
        route = self._routes.get(key)
        if route is None:
            if len(self._routes) >= _ROUTES_KEPT:
                self._routes.clear()
            route = self._routes[key] = encode_route(exchange, routing_key, mandatory)
        return route

    def flush(self, timeout: Union[float, None] = None) -> None:
        """Waits until all that was published before is confirmed or has failed, at most `timeout`
        seconds (None: the client's timeout).

        PublishFailed: some have failed since the last call; its `failures` say why. With an
        on_failure callback, that was told instead. DeadlineExceeded.
        """
        seconds = self._timeout if timeout is None else timeout
        if not self._pump().flush(seconds):
            raise DeadlineExceeded(f"not all publishes were confirmed in {seconds:g} s")
        self._raise_failures()

    def _raise_failures(self) -> None:
        with self._lock:
            failures, self._failures = self._failures, []
        if failures:
            raise PublishFailed(failures)

    def note_failure(self, confirm: Confirm, error: KelpmqError) -> None:
        """For the client: a publish has failed."""
        if self._on_failure is not None:
            self._on_failure(confirm, error)
            return
        with self._lock:
            if len(self._failures) < _FAILURES_KEPT:
                self._failures.append(error)

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if kind is None:
            self.flush()
