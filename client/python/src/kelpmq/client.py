"""The client: a connection to a broker, and everything that it is asked for."""
from __future__ import annotations

import dataclasses
import datetime
import functools
import logging
import os
import secrets
import sys
import threading
import weakref
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Callable, Optional, TypeVar, Union

from google.protobuf.duration_pb2 import Duration

from kelpmq import _calls
from kelpmq._address import Address, Tls, parse_address
from kelpmq._connection import Connection, deadline_after, seconds_left
from kelpmq._exit import finish_at_exit
from kelpmq._leases import Lease
from kelpmq._publishing import Confirm, PublishPump
from kelpmq._recovery import Recovery
from kelpmq._session import Session
from kelpmq._topology import Topology
from kelpmq._values import from_map, to_map
from kelpmq._wire import Body, body_bytes, encode_properties, encode_route
from kelpmq.consumer import Consumer, OnMessage
from kelpmq.errors import ClientClosed, KelpmqError, Unavailable
from kelpmq.message import Delivery
from kelpmq.publisher import Publisher
from kelpmq.v1 import messaging_pb2, topology_pb2

_LOG = logging.getLogger("kelpmq")

DEFAULT_TIMEOUT = 30.0
DEFAULT_CONNECT_TIMEOUT = 5.0
DEFAULT_PREFETCH = 250

_LONGEST_WAIT = 60.0  # of get() in one call, by the API
_ENVELOPE_BYTES = 64 << 10

Response = TypeVar("Response")
Arguments = Optional[Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Queue:
    """A queue, as the broker has it at the moment."""

    name: str
    durable: bool
    exclusive: bool
    auto_delete: bool
    arguments: dict[str, Any]
    messages_ready: int
    messages_unacked: int
    consumer_count: int


@dataclasses.dataclass(frozen=True)
class ServerInfo:
    """The broker, and what it can do."""

    version: str
    engine: str
    node_id: str
    max_message_bytes: int
    features: tuple[str, ...]


class Client:
    """A connection to a broker, in a virtual host.

    address: see parse_address(); default: $KELPMQ_ADDRESS, else 127.0.0.1:50672.
    tls, user, password, token, vhost: count more than what the address says.
    timeout: seconds that a call may take, and a publish may wait for its confirm.
    connect_timeout: seconds within which the broker must answer first.
    reconnect: whether to come back when the connection is lost, for as long as it takes, with
        exchanges, queues, bindings and consumers as they were declared by this client. Calls that
        can be repeated without harm wait for that, up to their timeout.
    name: what the broker's lists of sessions and consumers show; default: the program's name.

    Unavailable: there is no broker. Unauthenticated: it does not know the user.

    All that fails raises a KelpmqError. A publish whose confirm was lost with the connection raises
    OutcomeUnknown; it is not published again by itself.

    A program that ends without close() still waits for confirms and acknowledgements that are under
    way, for five seconds at most.

    Thread-safety: any thread. It belongs to the process that made it: after a fork the child makes
    a client of its own, and this one raises ForkedClient there, and goes on in the parent.
    """

    def __init__(self, address: Union[str, Address, None] = None, *,
                 tls: Union[Tls, bool, None] = None, user: str = "", password: str = "",
                 token: str = "", vhost: str = "", timeout: float = DEFAULT_TIMEOUT,
                 connect_timeout: float = DEFAULT_CONNECT_TIMEOUT, reconnect: bool = True,
                 name: str = "") -> None:
        if not isinstance(address, Address):
            address = parse_address(address, tls=tls, user=user, password=password, token=token,
                                    vhost=vhost)
        self._timeout = timeout
        self._vhost = address.vhost
        self._connection = Connection(address)
        self._topology = Topology()
        self._recovery = Recovery(self._connection, self._restore)
        self._reconnect = reconnect
        self._session = Session(
            self._connection, self._vhost, name or os.path.basename(sys.argv[0] or "python"),
            lambda: self._recovery.opening_epoch, self._session_ended)
        self._lock = threading.Lock()
        self._pump: Optional[PublishPump] = None
        self._consumers: weakref.WeakSet[Consumer] = weakref.WeakSet()
        try:
            self._connection.connect(connect_timeout)
        except BaseException:
            self._connection.close()
            raise
        finish_at_exit(self)

    @property
    def address(self) -> Address:
        """Where the broker is."""
        return self._connection.address

    def server_info(self) -> ServerInfo:
        """What the broker says of itself."""
        info = self._call(_calls.GET_SERVER_INFO, messaging_pb2.GetServerInfoRequest)
        return ServerInfo(info.version, info.engine, info.node_id, info.limits.max_message_bytes,
                          tuple(info.features))

    # Exchanges, queues, bindings.

    def declare_exchange(self, name: str, type: str = "direct", *, durable: bool = False,
                         auto_delete: bool = False, internal: bool = False,
                         alternate_exchange: str = "", passive: bool = False,
                         arguments: Arguments = None) -> bool:
        """Makes an exchange; an equal one that is there already is fine.

        passive: only look whether it is there. Returns whether it was made by this call.
        FailedPrecondition: there is one that differs. NotFound: passive, and not there.
        """
        request = topology_pb2.DeclareExchangeRequest(
            vhost=self._vhost, name=name, type=type, passive=passive, durable=durable,
            auto_delete=auto_delete, internal=internal, alternate_exchange=alternate_exchange,
            arguments=to_map(arguments or {}))
        self._prepare_to_restore()
        response = self._call(_calls.DECLARE_EXCHANGE, lambda: request)
        if not passive:
            self._topology.add_exchange(request)
        return response.created

    def delete_exchange(self, name: str, *, if_unused: bool = False) -> bool:
        """Returns whether it was there."""
        request = topology_pb2.DeleteExchangeRequest(
            vhost=self._vhost, name=name, if_unused=if_unused)
        deleted = self._call(_calls.DELETE_EXCHANGE, lambda: request).deleted
        self._topology.remove_exchange(name)
        return deleted

    def declare_queue(self, name: str = "", *, durable: bool = False, exclusive: bool = False,
                      auto_delete: bool = False, passive: bool = False,
                      arguments: Arguments = None) -> Queue:
        """Makes a queue; an equal one that is there already is fine. Without a name it gets one
        that nobody else has, and keeps it over reconnections.

        exclusive: only this client may use it, and it goes with the client.
        passive: only look whether it is there.
        FailedPrecondition: there is one that differs, or RESOURCE_LOCKED: it is another client's.
        NotFound: passive, and not there.
        """
        request = topology_pb2.DeclareQueueRequest(
            vhost=self._vhost, name=name, passive=passive, durable=durable, exclusive=exclusive,
            auto_delete=auto_delete, arguments=to_map(arguments or {}))
        if not name and not passive:
            request.name = f"kelpmq.gen-{secrets.token_urlsafe(16)}"
        self._prepare_to_restore(needed=exclusive)
        response = self._call(_calls.DECLARE_QUEUE, lambda: self._in_session(request))
        if not passive:
            self._topology.add_queue(request)
        return _queue(response.queue)

    def delete_queue(self, name: str, *, if_unused: bool = False, if_empty: bool = False) -> int:
        """Deletes it with its messages. Returns how many; a queue that is not there had none."""
        request = topology_pb2.DeleteQueueRequest(
            vhost=self._vhost, name=name, if_unused=if_unused, if_empty=if_empty)
        response = self._call(_calls.DELETE_QUEUE, lambda: self._in_session(request))
        self._topology.remove_queue(name)
        return response.message_count

    def purge_queue(self, name: str) -> int:
        """Drops the messages that are not with a consumer. Returns how many."""
        request = topology_pb2.PurgeQueueRequest(vhost=self._vhost, name=name)
        return self._call(_calls.PURGE_QUEUE, lambda: self._in_session(request)).message_count

    def get_queue(self, name: str) -> Queue:
        """How a queue is now. NotFound: it is not there."""
        request = topology_pb2.GetQueueRequest(vhost=self._vhost, name=name)
        return _queue(self._call(_calls.GET_QUEUE, lambda: request).queue)

    def bind_queue(self, queue: str, exchange: str, routing_key: str = "", *,
                   arguments: Arguments = None) -> bool:
        """Lets messages of an exchange into a queue. Returns whether this call made the binding.
        NotFound: no such queue or exchange."""
        request = topology_pb2.BindQueueRequest(
            vhost=self._vhost, queue=queue, exchange=exchange, routing_key=routing_key,
            arguments=to_map(arguments or {}))
        self._prepare_to_restore()
        response = self._call(_calls.BIND_QUEUE, lambda: self._in_session(request))
        self._topology.add_binding(request)
        return response.created

    def unbind_queue(self, queue: str, exchange: str, routing_key: str = "", *,
                     arguments: Arguments = None) -> bool:
        """Returns whether the binding was there."""
        values = to_map(arguments or {})
        request = topology_pb2.UnbindQueueRequest(
            vhost=self._vhost, queue=queue, exchange=exchange, routing_key=routing_key,
            arguments=values)
        deleted = self._call(_calls.UNBIND_QUEUE, lambda: self._in_session(request)).deleted
        self._topology.remove_binding(topology_pb2.BindQueueRequest(
            vhost=self._vhost, queue=queue, exchange=exchange, routing_key=routing_key,
            arguments=values))
        return deleted

    def bind_exchange(self, destination: str, source: str, routing_key: str = "", *,
                      arguments: Arguments = None) -> bool:
        """Lets messages of `source` on to another exchange. Returns whether it made the binding."""
        request = topology_pb2.BindExchangeRequest(
            vhost=self._vhost, destination=destination, source=source, routing_key=routing_key,
            arguments=to_map(arguments or {}))
        self._prepare_to_restore()
        response = self._call(_calls.BIND_EXCHANGE, lambda: request)
        self._topology.add_binding(request)
        return response.created

    def unbind_exchange(self, destination: str, source: str, routing_key: str = "", *,
                        arguments: Arguments = None) -> bool:
        """Returns whether the binding was there."""
        values = to_map(arguments or {})
        request = topology_pb2.UnbindExchangeRequest(
            vhost=self._vhost, destination=destination, source=source, routing_key=routing_key,
            arguments=values)
        deleted = self._call(_calls.UNBIND_EXCHANGE, lambda: request).deleted
        self._topology.remove_binding(topology_pb2.BindExchangeRequest(
            vhost=self._vhost, destination=destination, source=source, routing_key=routing_key,
            arguments=values))
        return deleted

    # Publishing.

    def publish(self, body: Body, routing_key: str = "", *, exchange: str = "",
                mandatory: bool = False, deliver_at: Optional[datetime.datetime] = None,
                timeout: Optional[float] = None, **properties: Any) -> None:
        """Publishes, and returns when the broker has confirmed it.

        With the default exchange, "", the routing key is the name of a queue. mandatory: NoRoute if
        it fits no queue. For many messages, a publisher() is a hundred times as fast. Further
        arguments are as in Publisher.publish().

        NotFound: no such exchange. QueueFull. OutcomeUnknown: the connection was lost before the
        confirm came. DeadlineExceeded: it did not come in `timeout` seconds, which leaves the
        outcome open as well.
        """
        seconds = self._timeout if timeout is None else timeout
        deadline = deadline_after(seconds)
        confirm = self._publish_pump().publish(
            body_bytes(body), encode_properties(**properties),
            encode_route(exchange, routing_key, mandatory, deliver_at), None, seconds)
        assert confirm is not None
        confirm.result(seconds_left(deadline))

    def publisher(self, exchange: str = "", routing_key: str = "", *, mandatory: bool = False,
                  on_failure: Optional[Callable[[Confirm, KelpmqError], None]] = None,
                  **properties: Any) -> Publisher:
        """A publisher that does not wait for each confirm; arguments are defaults for its
        publish().

        on_failure: called in the client's reading thread for each publish that failed; it must not
        block, and what it raises is logged. Without it, flush() and the end of the ``with`` block
        raise PublishFailed.
        """
        return Publisher(
            self._publish_pump, exchange=exchange, routing_key=routing_key, mandatory=mandatory,
            properties=properties, timeout=self._timeout, on_failure=on_failure)

    # Receiving.

    def consume(self, queue: str, on_message: Optional[OnMessage] = None, *,
                prefetch: int = DEFAULT_PREFETCH, auto_ack: bool = False, exclusive: bool = False,
                priority: int = 0, consumer_tag: str = "",
                arguments: Arguments = None) -> Consumer:
        """Starts a consumer; iterate over it, or give it a callback.

        on_message: called for each delivery, one after another, in a thread of the consumer. When
            it raises, that is logged, and the message requeued once and then discarded.
        prefetch: how many deliveries may be unacknowledged at a time; 0: as many as the broker
            allows (65,535).
        auto_ack: deliveries need no acknowledgement, and are lost when the program crashes.
        exclusive: nobody else may consume the queue. priority: higher ones are served first.

        NotFound: no such queue. FailedPrecondition: locked, or consumed exclusively.
        """
        return self._consume(messaging_pb2.ConsumerSpec(
            queue=queue, consumer_tag=consumer_tag, auto_ack=auto_ack, exclusive=exclusive,
            prefetch_count=prefetch, priority=priority, arguments=to_map(arguments or {})),
            on_message)

    def subscribe(self, exchange: str, routing_key: str = "",
                  on_message: Optional[OnMessage] = None, *, prefetch: int = DEFAULT_PREFETCH,
                  auto_ack: bool = False, arguments: Arguments = None) -> Consumer:
        """Consumes what is published to an exchange from now on, through a queue of its own that
        goes with the consumer. Nothing has to be declared but the exchange.

        arguments: of the binding (for a headers exchange).
        """
        binding = messaging_pb2.TemporaryBinding(
            exchange=exchange, routing_key=routing_key, arguments=to_map(arguments or {}))
        return self._consume(messaging_pb2.ConsumerSpec(
            temporary_queue=messaging_pb2.TemporaryQueue(bindings=[binding]),
            auto_ack=auto_ack, prefetch_count=prefetch), on_message)

    def get(self, queue: str, *, wait: float = 0.0, auto_ack: bool = False,
            lease: Optional[float] = None) -> Optional[Delivery]:
        """Takes one message, or returns None if there is none within `wait` seconds.

        lease: seconds after which a message that was not settled goes back; default: the broker's,
        300. For more than the odd message, consume().
        """
        found = self.get_many(queue, 1, wait=wait, auto_ack=auto_ack, lease=lease)
        return found[0] if found else None

    def get_many(self, queue: str, max_messages: int, *, wait: float = 0.0, auto_ack: bool = False,
                 lease: Optional[float] = None) -> list[Delivery]:
        """Takes up to so many messages (1,000); as get()."""
        deadline = deadline_after(wait)
        while True:
            seconds = min(seconds_left(deadline) or 0.0, _LONGEST_WAIT)
            request = messaging_pb2.GetRequest(
                vhost=self._vhost, queue=queue, max_messages=max_messages, auto_ack=auto_ack,
                max_bytes=self._largest_response(), wait=_duration(seconds) if seconds else None,
                lease_duration=None if lease is None else _duration(lease))
            response = self._call(
                _calls.GET, functools.partial(self._in_session, request), repeatable=False,
                timeout=self._timeout + seconds)
            settler = None if auto_ack else Lease(self._call_once, response.lease_id)
            if response.deliveries or not seconds_left(deadline):
                return [Delivery(raw, settler) for raw in response.deliveries]

    # Lifetime.

    def close(self, timeout: Optional[float] = None) -> None:
        """Sends what is to be sent, waits for confirms, and ends. Idempotent.

        timeout: seconds, default the client's. What is not confirmed then is OutcomeUnknown.
        Unacknowledged messages go back to their queues, exclusive queues go.
        """
        if self._connection.closed:
            return
        if self._connection.forked:
            self._connection.close()
            return
        deadline = deadline_after(self._timeout if timeout is None else timeout)
        with self._lock:
            consumers = list(self._consumers)
            pump = self._pump
        if pump is not None:
            pump.flush(seconds_left(deadline))
        self._recovery.stop()
        for consumer in consumers:
            consumer.close(seconds_left(deadline))
        if pump is not None:
            pump.close(seconds_left(deadline))
        self._session.close()
        self._connection.close()

    def finish(self, deadline: float) -> None:
        """At the end of the program: see _exit. It stays open, for threads that still use it."""
        self._recovery.quiet = True  # The broker may end with this program, and before it.
        if self._connection.closed or self._connection.forked:
            return
        try:
            if self._pump is not None:
                self._pump.flush(seconds_left(deadline))
            for consumer in list(self._consumers):
                consumer.flush(seconds_left(deadline))
        except KelpmqError as error:
            _LOG.warning("at the end of the program: %s", error)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    # Inside.

    def _call(self, method: _calls.Unary[Response], build: Callable[[], Any], *,
              repeatable: bool = True, timeout: Optional[float] = None) -> Response:
        """A unary call, again after a reconnection if it can be repeated without harm."""
        return self._patiently(
            lambda left: self._connection.call(method, build(), left), repeatable, timeout)

    def _patiently(self, attempt: Callable[[Optional[float]], Response], repeatable: bool = True,
                   timeout: Optional[float] = None) -> Response:
        deadline = deadline_after(self._timeout if timeout is None else timeout)
        self._connection.check_process()
        while True:
            if self._reconnect:
                self._recovery.wait_while_recovering(seconds_left(deadline))
            epoch = self._recovery.epoch
            try:
                return attempt(seconds_left(deadline))
            except Unavailable as error:
                if not self._reconnect or not (repeatable or error.reason):
                    raise
            self._recovery.recover(epoch, seconds_left(deadline))

    def _call_once(self, method: _calls.Unary[Response], build: Callable[[], Any]) -> Response:
        return self._connection.call(method, build(), self._timeout)

    def _in_session(self, request: Any) -> Any:
        request.session_id = self._session.id
        return request

    def _largest_response(self) -> int:
        """Room for any message of this broker, which otherwise sends no more than 4 MiB."""
        return self._connection.limits().max_message_bytes + _ENVELOPE_BYTES

    def _prepare_to_restore(self, needed: bool = False) -> None:
        """What is declared has to be declared again when the connection was lost, so from now on
        somebody has to notice that."""
        if (needed or self._reconnect) and not self._session.id:
            self._patiently(self._session.ensure)

    def _session_ended(self, epoch: int) -> None:
        if self._reconnect and not self._connection.closed:
            try:
                self._recovery.recover(epoch)
            except KelpmqError as error:
                if not isinstance(error, ClientClosed):
                    _LOG.error("the session cannot be renewed: %s", error)

    def _restore(self) -> None:
        self._session.renew(self._timeout)
        self._topology.restore(
            lambda method, request: self._connection.call(method, request, self._timeout),
            self._session.id)

    def _publish_pump(self) -> PublishPump:
        pump = self._pump
        if pump is None:
            self._connection.check_process()
            with self._lock:
                pump = self._pump
                if pump is None:
                    pump = self._pump = PublishPump(
                        self._connection, vhost=self._vhost, on_failure=_tell_publisher,
                        recovery=self._recovery if self._reconnect else None)
        return pump

    def _consume(self, spec: messaging_pb2.ConsumerSpec,
                 on_message: Optional[OnMessage]) -> Consumer:
        self._connection.check_process()
        consumer = Consumer(
            self._connection, self._recovery if self._reconnect else None, spec,
            lambda: messaging_pb2.StreamOptions(
                vhost=self._vhost, session_id=self._session.id,
                max_response_bytes=self._largest_response()),
            on_message, self._consumers.discard)
        with self._lock:
            self._consumers.add(consumer)
        try:
            consumer.start(self._timeout)
        except BaseException:
            self._consumers.discard(consumer)
            raise
        return consumer


def _tell_publisher(confirm: Confirm, error: KelpmqError) -> None:
    publisher = confirm.token
    if publisher is not None:
        publisher.note_failure(confirm, error)


def _queue(queue: Any) -> Queue:
    return Queue(queue.name, queue.durable, queue.exclusive, queue.auto_delete,
                 from_map(queue.arguments), queue.messages_ready, queue.messages_unacked,
                 queue.consumer_count)


def _duration(seconds: float) -> Duration:
    whole = int(seconds)
    return Duration(seconds=whole, nanos=int((seconds - whole) * 1e9))
