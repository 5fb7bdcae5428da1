"""A Consume stream used as an AMQP channel."""
import itertools
import queue
import threading

import stubs  # noqa: F401
import grpc
from kelpmq.v1 import messaging_pb2 as pb

from .errors import AmqpError, Closed

REPLY_SECONDS = 15  # A broker that takes longer to answer hangs.


class Consumer:
    """What one consumer was sent so far."""

    def __init__(self, channel: "Channel", consumer_id: int, auto_ack: bool):
        self.channel, self.id, self.auto_ack = channel, consumer_id, auto_ack
        self.deliveries: list = []
        self.collected = 0  # How many of them a collect op has taken.
        self.tag = ""
        self.started = False
        self.cancelled = None  # The ConsumerCancelled.


class Channel:
    """One channel. Requests wait for their answer; events are taken by a thread."""

    def __init__(self, stub, session_id: str, metadata, changed: threading.Condition):
        self.prefetch_count = 0      # Of consumers to come (QOS-02).
        self.last_queue = ""         # QNAME-02.
        self.confirm_mode = False
        self.closed = False
        self.close_code = None       # Reply code of the error that closed it.
        self._changed = changed
        self._ids = itertools.count(1)
        self._replies: dict[int, object] = {}
        self._consumers: dict[int, Consumer] = {}
        self._outstanding: set[int] = set()
        self._error: AmqpError | None = None
        self._ended = False
        self._requests: queue.SimpleQueue = queue.SimpleQueue()
        self._requests.put(pb.ConsumeRequest(options=pb.StreamOptions(session_id=session_id)))
        self._call = stub.Consume(iter(self._requests.get, None), metadata=metadata)
        threading.Thread(target=self._read, daemon=True).start()

    # Events.

    def _read(self) -> None:
        try:
            for response in self._call:
                with self._changed:
                    event = response.WhichOneof("event")
                    getattr(self, f"_on_{event}", lambda _: None)(getattr(response, event))
                    self._changed.notify_all()
        except grpc.RpcError as error:
            trailers = dict(error.trailing_metadata() or ())
            code = int(trailers.get("kelpmq-amqp-code", 0))
            self._error = AmqpError(code, f"{error.code().name}: {error.details()}")
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _on_deliveries(self, batch) -> None:
        for delivery in batch.deliveries:
            consumer = self._consumers[delivery.consumer_id]
            consumer.deliveries.append(delivery)
            if not consumer.auto_ack:
                self._outstanding.add(delivery.delivery_tag)

    def _on_started(self, started) -> None:
        consumer = self._consumers[started.consumer_id]
        consumer.started, consumer.tag = True, started.consumer_tag

    def _on_cancelled(self, cancelled) -> None:
        self._consumers[cancelled.consumer_id].cancelled = cancelled

    def _on_reply(self, reply) -> None:
        self._replies[reply.request_id] = reply

    _on_settled = _on_got = _on_heartbeat = _on_reply

    # Requests.

    def _await(self, condition):
        with self._changed:
            if not self._changed.wait_for(lambda: condition() or self._ended, REPLY_SECONDS):
                raise TimeoutError(f"no answer in {REPLY_SECONDS} s")
            if not condition():
                raise self._error or Closed()

    def _ask(self, kind: str, request):
        self._requests.put(pb.ConsumeRequest(**{kind: request}))
        self._await(lambda: request.request_id in self._replies)
        return self._replies.pop(request.request_id)

    def get(self, queue_name: str, auto_ack: bool):
        got = self._ask("get", pb.StreamGet(
            request_id=next(self._ids), queue=queue_name, auto_ack=auto_ack))
        if got.HasField("error"):
            raise AmqpError.of_operation(got.error)
        if not auto_ack:
            self._outstanding.update(d.delivery_tag for d in got.deliveries)
        return got

    def consume(self, queue_name: str, **spec) -> Consumer:
        consumer = Consumer(self, next(self._ids), spec.get("auto_ack", False))
        self._consumers[consumer.id] = consumer
        self._requests.put(pb.ConsumeRequest(start=pb.ConsumerSpec(
            queue=queue_name, consumer_id=consumer.id, prefetch_count=self.prefetch_count, **spec)))
        self._await(lambda: consumer.started or consumer.cancelled)
        if not consumer.started:
            raise AmqpError.of_operation(consumer.cancelled.error)
        return consumer

    def cancel(self, consumer: Consumer) -> None:
        self._requests.put(
            pb.ConsumeRequest(cancel=pb.CancelConsumer(consumer_id=consumer.id)))
        self._await(lambda: consumer.cancelled)

    def set_window(self, prefetch_count: int) -> None:
        self._requests.put(pb.ConsumeRequest(
            flow=pb.SetFlow(whole_stream=True, prefetch_count=prefetch_count)))
        self._ask("ping", pb.Ping(request_id=next(self._ids)))

    def settle(self, action, tag: int, multiple: bool) -> None:
        """AMQP's view of a settle: a tag that is not outstanding is an error (TAG-01, TAG-02)."""
        if not multiple:
            which, settled = {"delivery_tags": [tag]}, {tag}
        elif tag == 0:
            which, settled = {"all": True}, set(self._outstanding)
        elif tag in self._outstanding:
            which, settled = {"up_to": tag}, {t for t in self._outstanding if t <= tag}
        else:
            raise AmqpError(406, f"PRECONDITION_FAILED - unknown delivery tag {tag}")
        answer = self._ask("settle", pb.Settle(
            action=action, request_id=next(self._ids), **which))
        self._outstanding -= settled
        failures = [f for f in answer.failures if f.reason != pb.SETTLE_FAILURE_REASON_LOST]
        if failures or answer.already_settled_count > 0:
            raise AmqpError(406, f"PRECONDITION_FAILED - unknown delivery tag {tag}")

    # End.

    def close(self, code: int | None = None) -> None:
        """Half-closes and waits for the stream's end: what was unacked is back in its queue then."""
        if self.closed:
            return
        self.closed, self.close_code = True, code
        self._requests.put(None)
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended, REPLY_SECONDS):
                self._call.cancel()
                raise TimeoutError("the stream did not end after the half-close")

    def connection_closed(self, code: int | None) -> None:
        """The session has ended, and this stream with it."""
        if not self.closed:
            self.closed, self.close_code = True, code
            self._requests.put(None)
            self._call.cancel()

    def broken(self) -> bool:
        """True if the server ended the stream, though this side had not closed it."""
        return self._ended and not self.closed
