"""An AMQP channel on a Consume stream, a share of the PublishStream, and unary calls."""
from __future__ import annotations

import collections
import logging
import secrets
import threading
from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional

from amqp.exceptions import ConsumerCancelled, MessageNacked
from kombu.transport import base

from kelpmq.v1 import messaging_pb2 as pb
from kelpmq.v1 import types_pb2

from . import deliveries, errors, values
from .deliveries import DeliveryStream
from .link import CALL_SECONDS
from .message import Message as ReceivedMessage
from .message import Outgoing
from .publish_batch import PublishBatch
from .publishing import Publication
from .topology import Arguments, Topology

if TYPE_CHECKING:
    from .connection import Connection
    from .link import Link

log = logging.getLogger(__name__)

_CHANNEL_FLOW = (20, 20)
_BASIC_QOS, _BASIC_CONSUME, _BASIC_CANCEL = (60, 10), (60, 20), (60, 30)
_BASIC_PUBLISH, _BASIC_RETURN, _BASIC_GET = (60, 40), (60, 50), (60, 70)
_BASIC_ACK, _BASIC_REJECT, _BASIC_RECOVER = (60, 80), (60, 90), (60, 110)
_TX_SELECT = (90, 10)


class Channel(Topology, base.StdChannel):
    """One AMQP channel.

    An error that makes AMQP close the channel leaves this object usable, as py-amqp does: it is
    opened anew without consumers, unacknowledged deliveries are back in their queues, delivery
    tags start at 1.

    Thread-safe.
    """

    Message = ReceivedMessage

    def __init__(self, connection: Connection, channel_id: int):
        #: None once the channel is closed.
        self.connection: Optional[Connection] = connection
        self._link = connection.link
        self._confirms_each = connection.confirm_publish
        self.channel_id = channel_id
        self.is_open = True
        #: Callbacks for "basic_return", and for "basic_ack" and "basic_nack" after confirm_select.
        self.events: dict[str, set[Callable[..., Any]]] = collections.defaultdict(set)
        #: The number of the last message published here, among all of the connection.
        self.last_published = 0
        self._failures: list[Exception] = []
        self._lock = threading.Lock()
        self._publish_count = 0
        self._start()

    def _start(self) -> None:
        """As a new channel is."""
        self.callbacks: dict[str, Callable[[ReceivedMessage], Any]] = {}
        self.cancel_callbacks: dict[str, Callable[[str], Any]] = {}
        self.no_ack_consumers: set[str] = set()
        self.tells_confirms = False
        self._publish_count = 0
        self._unacked: dict[int, None] = {}  # Delivered here and not settled; in order.
        self._prefetch = 0
        self._channel_prefetch: Optional[int] = None
        self._stream: Optional[DeliveryStream] = None
        self._failures.clear()

    # Opening, closing, failing.

    def check_open(self) -> None:
        self.open_link()
        if self._failures:
            self._raise_failure(self._failures[0])

    def open_link(self) -> Link:
        """Raises RecoverableConnectionError if there is none any more."""
        if self.connection is None:
            raise errors.lost("the channel is closed")
        self._link.check()
        return self._link

    def open(self) -> None:
        """A channel is open from the start."""

    def close(self, reply_code: int = 0, reply_text: str = "", method_sig: Any = None) -> None:
        """Unacknowledged deliveries are back in their queues when this returns."""
        connection = self.connection
        if connection is None:
            return
        try:
            if connection.connected:
                self._link.publisher.wait(self.last_published, CALL_SECONDS)
                self._end_stream()
        finally:
            connection.channels.pop(self.channel_id, None)
            self.collect()

    def collect(self) -> None:
        """Lets go of everything."""
        self.connection = None
        self.is_open = False
        self._start()

    def _end_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _closed_by(self, failure: Exception) -> Exception:
        """Does what AMQP does at such an error; returns what to raise."""
        if self.connection is None:
            return failure
        if errors.is_for_connection(failure):
            self._link.lost(failure)
            return self._link.loss()
        self._end_stream()
        self._start()
        return failure

    def _fail_later(self, failure: Exception) -> None:
        """Raised by the next call, or the next time somebody drains events."""
        if self.connection is not None:
            self._failures.append(failure)
            self._link.inbox.put(self._raise_failure, failure)

    def _raise_failure(self, failure: Exception) -> None:
        if failure in self._failures:
            raise self._closed_by(failure)

    # Order: AMQP has one for all that happens on a channel.

    def _wait_for_confirms(self, link: Link) -> None:
        """Until the broker has taken, or refused, what was published here."""
        if not link.publisher.confirmed(self.last_published):
            link.publisher.wait(self.last_published)

    def _before_request(self) -> Link:
        """Before anything that goes over the channel's own stream."""
        link = self.open_link()
        self._wait_for_confirms(link)
        if self._failures:
            self._raise_failure(self._failures[0])
        return link

    def call(self, name: str, request: Any, signature: Any) -> Any:
        link = self._before_request()
        stream = self._stream
        if stream is not None and stream.unanswered_settles:
            if not stream.flush(None):
                raise link.loss()
            self.check_open()
        try:
            return link.call(getattr(link.topology, name), request, signature)
        except Exception as exc:
            raise self._closed_by(exc) from None

    def _open_stream(self, link: Link) -> DeliveryStream:
        with self._lock:
            if self._stream is None:
                self._stream = DeliveryStream(self, link, self._channel_prefetch)
            return self._stream

    # Publishing.

    def prepare_message(self, body: Any, priority: Optional[int] = None,
                        content_type: Optional[str] = None,
                        content_encoding: Optional[str] = None,
                        headers: Optional[Mapping[str, Any]] = None,
                        properties: Optional[Mapping[str, Any]] = None) -> Outgoing:
        """What basic_publish takes."""
        fields = dict(properties) if properties else {}
        fields["priority"] = priority
        fields["content_type"] = content_type
        fields["content_encoding"] = content_encoding
        return Outgoing(body, fields, headers)

    def prepare_queue_arguments(self, arguments: Any, **kwargs: Any) -> Any:
        return base.to_rabbitmq_queue_arguments(arguments, **kwargs)

    def basic_publish(self, message: Any, exchange: str = "", routing_key: str = "",
                      mandatory: bool = False, immediate: bool = False,
                      timeout: Optional[float] = None, confirm_timeout: Optional[float] = None,
                      argsig: str = "") -> None:
        """Sends a message; with the option `confirm_publish` waits until the broker has taken it.

        Without it, what goes wrong is raised by a later call on the channel or by drain_events.
        Blocks while the broker does not take any more; `timeout` limits that.
        """
        link = self.open_link()
        if self._failures:
            self._raise_failure(self._failures[0])
        publication = self.publication(message, exchange, routing_key, mandatory, immediate,
                                        self._confirms_each)
        link.publisher.publish(publication, timeout)
        if publication.watched:
            link.publisher.result(publication, confirm_timeout or timeout)
            self.conclude(publication)

    def publication(self, message: Any, exchange: str, routing_key: str, mandatory: bool,
                     immediate: bool, watched: bool) -> Publication:
        """A message ready to be sent; if `watched`, somebody waits for it and concludes."""
        if immediate:
            raise self._closed_by(
                errors.for_code(540, "NOT_IMPLEMENTED - immediate=true", _BASIC_PUBLISH))
        if type(message) is not Outgoing:  # One of py-amqp's.
            message = Outgoing(message.body, message.properties)
        item = message.item
        item.exchange = exchange
        item.routing_key = routing_key
        if mandatory:
            item.mandatory = True
        self._publish_count += 1
        return Publication(self, message.request.SerializeToString(), self._publish_count, watched)

    basic_publish_confirm = basic_publish

    def create_publish_batch(self, max_size: int) -> PublishBatch:
        """For kombu.Producer.batch()."""
        return PublishBatch(self, max_size)

    def conclude(self, publication: Publication) -> None:
        """In the thread that waited: raises what became of a message, if it was not taken."""
        failure = publication.failure
        if failure is None:
            return
        if errors.is_nack(failure):
            raise MessageNacked()
        if failure.amqp_code == errors.NO_ROUTE:
            self._returned(publication)
        else:
            raise self._closed_by(errors.for_operation(failure, _BASIC_PUBLISH))

    def publish_failed(self, publication: Publication) -> None:
        """In the thread that reads confirms."""
        failure = publication.failure
        if self.connection is None:
            return
        if failure.amqp_code == errors.NO_ROUTE:
            self._link.inbox.put(self._returned, publication)
        elif not errors.is_nack(failure):  # Without confirms RabbitMQ says nothing of those.
            self._fail_later(errors.for_operation(failure, _BASIC_PUBLISH))

    def _returned(self, publication: Publication) -> None:
        error = errors.for_code(errors.NO_ROUTE, "NO_ROUTE", _BASIC_RETURN)
        handlers = self.events.get("basic_return")
        if not handlers:
            raise error
        item = publication.item
        for handler in list(handlers):
            handler(error, item.exchange, item.routing_key, ReceivedMessage.returned(item, self))

    def publish_confirmed(self, publication: Publication) -> None:
        """In the thread that reads confirms, after confirm_select."""
        if self.connection is not None:
            self._link.inbox.put(self._tell_confirm, publication)

    def _tell_confirm(self, publication: Publication) -> None:
        failure = publication.failure
        event = "basic_nack" if failure is not None and errors.is_nack(failure) else "basic_ack"
        for handler in list(self.events.get(event, ())):
            handler(publication.tag, False)

    def confirm_select(self, nowait: bool = False) -> None:
        """From now on "basic_ack" and "basic_nack" in `events` are called for each message."""
        self.check_open()
        self.tells_confirms = True

    # Consuming.

    def basic_qos(self, prefetch_size: int, prefetch_count: int, a_global: bool,
                  argsig: str = "") -> None:
        """Global: bounds all consumers of the channel together, at once. Else: each later one."""
        self._before_request()
        if prefetch_size:
            raise self._closed_by(errors.for_code(
                540, f"NOT_IMPLEMENTED - prefetch_size!=0 ({prefetch_size})", _BASIC_QOS))
        if not a_global:
            self._prefetch = prefetch_count
            return
        self._channel_prefetch = prefetch_count
        if self._stream is not None:
            self._stream.send(pb.ConsumeRequest(flow=pb.SetFlow(
                whole_stream=True, prefetch_count=prefetch_count)))

    def basic_consume(self, queue: str = "", consumer_tag: str = "", no_local: bool = False,
                      no_ack: bool = False, exclusive: bool = False, nowait: bool = False,
                      callback: Optional[Callable[[ReceivedMessage], Any]] = None,
                      arguments: Arguments = None,
                      on_cancel: Optional[Callable[[str], Any]] = None, argsig: str = "") -> str:
        """Starts a consumer and returns its tag.

        on_cancel: called with the tag when the broker ends the consumer, because its queue was
        deleted. Without it, that raises amqp.exceptions.ConsumerCancelled.
        """
        link = self._before_request()
        if nowait and not consumer_tag:
            raise ValueError("with nowait a consumer needs a tag")
        tag = consumer_tag or "amq.ctag-" + secrets.token_urlsafe(16)
        spec = pb.ConsumerSpec(
            queue=self.queue_name(queue), consumer_tag=tag, auto_ack=no_ack, exclusive=exclusive,
            prefetch_count=self._prefetch)
        values.put_table(arguments or {}, spec.arguments)
        stream = self._open_stream(link)
        consumer = stream.new_consumer(tag, no_ack)
        spec.consumer_id = consumer.id
        if callback is not None:
            self.callbacks.setdefault(tag, callback)
        if on_cancel is not None:
            self.cancel_callbacks[tag] = on_cancel
        if no_ack:
            self.no_ack_consumers.add(tag)
        request = pb.ConsumeRequest(start=spec)
        if nowait:
            stream.send(request)
            return tag
        consumer.started = deliveries.Answer()
        answer = stream.wait(request, consumer.started)
        if answer is None:
            raise link.loss()
        if isinstance(answer, pb.ConsumerCancelled):
            raise self._closed_by(errors.for_operation(answer.error, _BASIC_CONSUME))
        return tag

    def basic_cancel(self, consumer_tag: str, nowait: bool = False, argsig: str = "") -> None:
        """Ends a consumer. Deliveries that were on the way are handled before this returns."""
        if self.connection is None:
            return
        link = self._before_request()
        stream = self._stream
        if stream is None:
            return
        consumer = stream.consumer(consumer_tag)
        if consumer is None:
            return
        stream.send(pb.ConsumeRequest(cancel=pb.CancelConsumer(consumer_id=consumer.id)))
        if nowait:
            self._forget(consumer_tag)
        else:
            while not consumer.gone and stream is self._stream:
                link.take(None, lambda: consumer.gone or stream is not self._stream)

    def _forget(self, consumer_tag: str) -> Optional[Callable[[str], Any]]:
        self.callbacks.pop(consumer_tag, None)
        self.no_ack_consumers.discard(consumer_tag)
        return self.cancel_callbacks.pop(consumer_tag, None)

    def consumer_gone(self, consumer: deliveries.Consumer, cancelled: Any) -> None:
        """In the thread that drains, after the last delivery."""
        on_cancel = self._forget(consumer.tag)
        if cancelled.reason == types_pb2.CANCEL_REASON_CLIENT_REQUEST:
            return
        if cancelled.reason == types_pb2.CANCEL_REASON_START_FAILED:
            raise self._closed_by(errors.for_operation(cancelled.error, _BASIC_CONSUME))
        if on_cancel is None:
            raise ConsumerCancelled(consumer.tag, _BASIC_CANCEL)
        on_cancel(consumer.tag)

    def deliver(self, stream: DeliveryStream, consumer: Optional[deliveries.Consumer],
                delivery: Any) -> None:
        """In the thread that drains."""
        if stream is not self._stream:
            return  # The channel was closed and opened since; the message is back in its queue.
        callback = self.callbacks.get(consumer.tag) if consumer is not None else None
        if consumer is None or callback is None:
            if consumer is None or not consumer.no_ack:
                log.warning("a message without a consumer goes back to its queue: %s %r",
                            delivery.exchange, delivery.routing_key)
                stream.settle(deliveries.REQUEUE, delivery.delivery_tag, False, 0)
            return
        if not consumer.no_ack:
            self._unacked[delivery.delivery_tag] = None
        callback(ReceivedMessage.delivered(delivery, self, consumer.tag))

    def basic_get(self, queue: str = "", no_ack: bool = False,
                  argsig: str = "") -> Optional[ReceivedMessage]:
        """The next message of a queue, or None."""
        link = self._before_request()
        got = self._open_stream(link).ask(
            get=pb.StreamGet(queue=self.queue_name(queue), auto_ack=no_ack))
        if got is None:
            raise link.loss()
        if got.HasField("error"):
            raise self._closed_by(errors.for_operation(got.error, _BASIC_GET))
        if not got.deliveries:
            return None
        delivery = got.deliveries[0]
        if not no_ack:
            self._unacked[delivery.delivery_tag] = None
        message = ReceivedMessage.delivered(delivery, self, None)
        message.delivery_info["message_count"] = got.message_count
        return message

    def message_to_python(self, raw_message: ReceivedMessage) -> ReceivedMessage:
        """Messages are made once, so there is nothing to convert."""
        return raw_message

    # Settling: these return at once.

    def basic_ack(self, delivery_tag: int, multiple: bool = False, argsig: str = "") -> None:
        self._settle(deliveries.ACK, delivery_tag, multiple, _BASIC_ACK)

    def basic_reject(self, delivery_tag: int, requeue: bool, argsig: str = "") -> None:
        action = deliveries.REQUEUE if requeue else deliveries.DISCARD
        self._settle(action, delivery_tag, False, _BASIC_REJECT)

    def basic_nack(self, delivery_tag: int, multiple: bool = False,
                   requeue: bool = True) -> None:
        """RabbitMQ's own; py-amqp does not have it."""
        action = deliveries.REQUEUE if requeue else deliveries.DISCARD
        self._settle(action, delivery_tag, multiple, _BASIC_REJECT)

    def _settle(self, action: Any, tag: int, multiple: bool, method: Any) -> None:
        link = self.open_link()
        unacked = self._unacked
        if multiple and not tag:
            unacked.clear()
            if self._stream is None:
                return
        elif tag not in unacked:
            self._fail_later(errors.for_code(
                406, f"PRECONDITION_FAILED - unknown delivery tag {tag}", method))
            return
        elif multiple:
            for other in list(unacked):
                if other <= tag:
                    unacked.pop(other, None)
        else:
            unacked.pop(tag, None)
        stream = self._stream
        if stream is None:  # Another thread has just closed the channel.
            raise errors.lost("the channel is closed")
        after = self.last_published
        stream.settle(action, tag, multiple,
                      0 if link.publisher.confirmed(after) else after)

    def settle_failed(self, stream: DeliveryStream, failure: Any) -> None:
        """In the thread that reads the stream."""
        if stream is self._stream:
            self._fail_later(errors.for_code(
                406, f"PRECONDITION_FAILED - unknown delivery tag {failure.tags.first}",
                _BASIC_ACK))

    def basic_recover(self, requeue: bool = False) -> None:
        """Puts all that is unacknowledged back into the queues."""
        self._before_request()
        if not requeue:
            raise self._closed_by(
                errors.for_code(540, "NOT_IMPLEMENTED - requeue=false", _BASIC_RECOVER))
        self._unacked.clear()
        stream = self._stream
        if stream is not None:
            stream.settle(deliveries.REQUEUE, 0, True, 0)

    basic_recover_async = basic_recover

    def flow(self, active: bool) -> None:
        """Only True, as with RabbitMQ."""
        self.check_open()
        if not active:
            raise self._closed_by(
                errors.for_code(540, "NOT_IMPLEMENTED - active=false", _CHANNEL_FLOW))

    # Transactions do not exist.

    def tx_select(self) -> None:
        self.check_open()
        raise self._closed_by(errors.for_code(540, "NOT_IMPLEMENTED - transactions", _TX_SELECT))

    tx_commit = tx_rollback = tx_select
