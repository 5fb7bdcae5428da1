"""Receiving: one Consume stream a channel, for its consumers, gets and acknowledgements."""
from __future__ import annotations

import queue
import threading
import weakref
from typing import TYPE_CHECKING, Any, Iterator, Optional

import grpc

from kelpmq.v1 import messaging_pb2 as pb
from kelpmq.v1 import types_pb2

from .forking import gate
from .inbox import Source

if TYPE_CHECKING:
    from .channel import Channel
    from .link import Link

ACK = pb.SETTLE_ACTION_ACK
REQUEUE = pb.SETTLE_ACTION_REQUEUE
DISCARD = pb.SETTLE_ACTION_DISCARD

# Settles in one request; so many wait only after a pause of the connection.
_MOST_SETTLES = 2000
# What a response may hold: whatever the broker lets in.
_MAX_RESPONSE_BYTES = (1 << 31) - 1


class Answer:
    """A reply that a thread waits for."""

    __slots__ = ("_arrived", "value")

    def __init__(self) -> None:
        self._arrived = threading.Lock()
        self._arrived.acquire()
        self.value: Any = None

    def give(self, value: Any) -> None:
        """At most once, but for None, which says that there will be none."""
        self.value = value
        try:
            self._arrived.release()
        except RuntimeError:
            pass  # It has come already.

    def wait(self, timeout: Optional[float]) -> bool:
        return self._arrived.acquire(timeout=-1 if timeout is None else timeout)

    def ready(self) -> bool:
        return not self._arrived.locked()


class Settle:
    """An acknowledgement that waits to be sent, with what has to be confirmed before."""

    __slots__ = ("action", "after", "tag", "up_to")

    def __init__(self, action: Any, tag: int, up_to: bool, after: int):
        self.action = action
        self.tag = tag
        self.up_to = up_to  # All tags up to this one; all there are if the tag is 0.
        self.after = after  # The number of a publication, 0 for none.

    def request(self) -> Any:
        """For one with `up_to`."""
        if self.tag:
            return pb.ConsumeRequest(settle=pb.Settle(action=self.action, up_to=self.tag))
        return pb.ConsumeRequest(settle=pb.Settle(action=self.action, all=True))


class Consumer:
    """What the stream has to know of a consumer."""

    __slots__ = ("gone", "id", "no_ack", "started", "tag")

    def __init__(self, consumer_id: int, tag: str, no_ack: bool):
        self.id = consumer_id
        self.tag = tag
        self.no_ack = no_ack
        self.started: Optional[Answer] = None  # Set if somebody waits for it.
        self.gone = False  # Set once its `cancelled` was taken from the inbox.


class DeliveryStream:
    """A Consume stream.

    Requests are sent in the order in which they come, but for acknowledgements in a row, which
    are put together. An acknowledgement waits for the confirms of what its channel published
    before: a worker that publishes a result and then acknowledges the task must not lose the
    result if it is killed between the two.
    """

    def __init__(self, channel: Channel, link: Link, prefetch: Optional[int]):
        # Weak: the threads of the stream are not to keep it alive.
        self._channel = weakref.ref(channel)
        self._link = link
        self._outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.source = Source()
        self._lock = threading.Lock()
        self._answers: dict[int, Answer] = {}
        self._last_request = 0
        self._last_consumer = 0
        self.consumers: dict[int, Consumer] = {}
        self.unanswered_settles = False
        self.ended = Answer()
        options = pb.StreamOptions(vhost=link.vhost, session_id=link.session_id,
                                   max_response_bytes=_MAX_RESPONSE_BYTES)
        if prefetch is not None:
            options.prefetch_count = prefetch
        self._options = options
        self._closing = False
        self._call = link.open_consume_stream(self._requests())
        link.streams.add(self)
        link.start_thread(self._read, f"channel-{channel.channel_id}")

    # What the channel asks for.

    def send(self, request: Any) -> None:
        self._outbox.put(request)

    def settle(self, action: Any, tag: int, up_to: bool, after: int) -> None:
        self.unanswered_settles = True
        self._outbox.put(Settle(action, tag, up_to, after))

    def new_consumer(self, tag: str, no_ack: bool) -> Consumer:
        with self._lock:
            self._last_consumer += 1
            consumer = Consumer(self._last_consumer, tag, no_ack)
            self.consumers[consumer.id] = consumer
            return consumer

    def consumer(self, tag: str) -> Optional[Consumer]:
        with self._lock:
            for consumer in self.consumers.values():
                if consumer.tag == tag:
                    return consumer
            return None

    def flush(self, timeout: Optional[float]) -> bool:
        """Waits until acknowledgements so far count; False: not in time, or the stream is over."""
        if not self.unanswered_settles:
            return True
        self.unanswered_settles = False
        return self.ask(timeout, ping=pb.Ping()) is not None

    def ask(self, timeout: Optional[float] = None, **request: Any) -> Any:
        """Sends a `get` or a `ping` and returns what answers it; None: nothing did in time, or the
        stream has ended."""
        answer = Answer()
        with self._lock:
            self._last_request += 1
            number = self._last_request
            self._answers[number] = answer
        (kind, message), = request.items()
        message.request_id = number
        return self.wait(pb.ConsumeRequest(**{kind: message}), answer, timeout)

    def wait(self, request: Any, answer: Answer, timeout: Optional[float] = None) -> Any:
        """Sends `request` and waits for `answer`, however many deliveries stand before it."""
        self._link.inbox.call_waits(self.source, 1)
        try:
            self._outbox.put(request)
            if self.ended.ready():
                return answer.value
            answer.wait(timeout)
            return answer.value
        finally:
            self._link.inbox.call_waits(self.source, -1)

    def close(self) -> None:
        """Half-closes and waits: what was acknowledged counts, the rest is requeued."""
        self._closing = True
        self._outbox.put(None)
        self._link.inbox.call_waits(self.source, 1)  # From now on its reader is never held back.
        self.ended.wait(None)
        self._link.inbox.drop(lambda handler: getattr(handler, "__self__", None) is self)

    # The thread that writes: gRPC's own.

    def _requests(self) -> Iterator[Any]:
        for request in self._gathered():
            with gate:  # Until gRPC asks for the next: then this one is sent.
                yield request

    def _gathered(self) -> Iterator[Any]:
        yield pb.ConsumeRequest(options=self._options)
        outbox = self._outbox
        confirmed = self._link.publisher.confirmed
        item = outbox.get()
        while item is not None:
            if type(item) is not Settle:
                yield item
                item = outbox.get()
                continue
            if not confirmed(item.after):
                try:
                    self._link.publisher.wait(item.after)
                except Exception:
                    return  # The connection is lost, and with it what was to be acknowledged.
            if item.up_to:
                yield item.request()
                item = outbox.get()
                continue
            tags = [item.tag]
            item = self._gather(item, tags)
            yield _settle_request(self._gathered_action, tags)
            if item is _NOTHING:
                item = outbox.get()

    def _gather(self, first: Settle, tags: list[int]) -> Any:
        """Adds the tags of further settles that wait; returns the first thing that is none."""
        action = self._gathered_action = first.action
        get, confirmed = self._outbox.get_nowait, self._link.publisher.confirmed
        try:
            while len(tags) < _MOST_SETTLES:
                item = get()
                if (type(item) is not Settle or item.up_to or item.action != action
                        or not confirmed(item.after)):
                    return item
                tags.append(item.tag)
        except queue.Empty:
            pass
        return _NOTHING

    _gathered_action: Any = ACK

    # The thread that reads.

    def _read(self) -> None:
        error: Optional[grpc.RpcError] = None
        try:
            for response in self._call:
                event = response.WhichOneof("event")
                getattr(self, "_on_" + event)(getattr(response, event))
        except grpc.RpcError as exc:
            error = exc
        except Exception as exc:  # A bug of ours must not leave callers waiting forever.
            self._link.lost(exc)
            raise
        finally:
            self._end(error)

    def _end(self, error: Optional[grpc.RpcError]) -> None:
        self._outbox.put(None)
        self._link.streams.discard(self)
        if error is not None or not self._closing:
            self._link.stream_ended(error)
        self.ended.give(True)  # First: who asks from now on sees it.
        with self._lock:
            waiting = list(self._answers.values())
            waiting += [consumer.started for consumer in self.consumers.values()
                        if consumer.started]
        for answer in waiting:
            answer.give(None) if not answer.ready() else None
        self._link.inbox.nudge()

    def _on_deliveries(self, batch: Any) -> None:
        if self._closing:
            return  # They are requeued.
        self._link.inbox.put_all(self.deliver, batch.deliveries, self.source)

    def deliver(self, delivery: Any) -> None:
        """In the thread that drains the connection."""
        channel = self._channel()
        if channel is not None:
            channel.deliver(self, self.consumers.get(delivery.consumer_id), delivery)

    def _on_settled(self, settled: Any) -> None:
        for failure in settled.failures:
            channel = self._channel()
            if failure.reason != pb.SETTLE_FAILURE_REASON_LOST and channel is not None:
                channel.settle_failed(self, failure)

    def _on_started(self, started: Any) -> None:
        answer = self.consumers[started.consumer_id].started
        if answer is not None:
            answer.give(started)

    def _on_cancelled(self, cancelled: Any) -> None:
        started = self.consumers[cancelled.consumer_id].started
        if cancelled.reason == types_pb2.CANCEL_REASON_START_FAILED and started is not None:
            started.give(cancelled)
            return
        self._link.inbox.put(self.cancel, cancelled)

    def cancel(self, cancelled: Any) -> None:
        """In the thread that drains the connection: after the consumer's last delivery."""
        consumer = self.consumers.pop(cancelled.consumer_id, None)
        if consumer is not None:
            consumer.gone = True
            self._link.inbox.nudge()
            channel = self._channel()
            if channel is not None:
                channel.consumer_gone(consumer, cancelled)

    def _on_got(self, got: Any) -> None:
        self._answer(got.request_id, got)

    def _on_heartbeat(self, heartbeat: Any) -> None:
        if heartbeat.request_id:
            self._answer(heartbeat.request_id, heartbeat)

    def _answer(self, request_id: int, value: Any) -> None:
        with self._lock:
            answer = self._answers.pop(request_id, None)
        if answer is not None:
            answer.give(value)

    def _on_lost(self, lost: Any) -> None:
        """Deliveries of a deleted queue. To acknowledge them does nothing, as in RabbitMQ."""

    def _on_draining(self, draining: Any) -> None:
        """The broker stops; it ends the stream when it is time to go elsewhere."""

    def _on_credit_drained(self, drained: Any) -> None:
        """Never asked for."""


_NOTHING = object()


def _settle_request(action: Any, tags: list[int]) -> Any:
    settle = pb.Settle(action=action)
    if len(tags) < 3:
        settle.delivery_tags.extend(tags)
    else:
        for first, last in _ranges(sorted(tags)):
            settle.ranges.append(types_pb2.TagRange(first=first, last=last))
    return pb.ConsumeRequest(settle=settle)


def _ranges(tags: list[int]) -> Iterator[tuple[int, int]]:
    first = last = tags[0]
    for tag in tags[1:]:
        if tag > last + 1:
            yield first, last
            first = tag
        last = tag
    yield first, last
