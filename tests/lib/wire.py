"""What end-to-end tests say to a broker, over plain generated stubs."""
import base64
import collections
import contextlib
import itertools
import os
import queue
import threading
import time

import stubs  # noqa: F401
import grpc
import pytest
from google.protobuf import duration_pb2
from kelpmq.v1 import (admin_pb2, admin_pb2_grpc, messaging_pb2 as pb, messaging_pb2_grpc,
                       session_pb2, session_pb2_grpc, testing_pb2, testing_pb2_grpc,
                       topology_pb2, topology_pb2_grpc, types_pb2)

# Longer than anything takes on a busy machine with a sanitizer; a test that passes never waits so long.
PATIENCE = float(os.environ.get("KELPMQ_TEST_PATIENCE", 30))

_names = itertools.count(1)


def new_name(kind: str = "q") -> str:
    """A name that no other test of this process has."""
    return f"{kind}-{next(_names)}"


def seconds(number: float) -> duration_pb2.Duration:
    duration = duration_pb2.Duration()
    duration.FromMilliseconds(int(number * 1000))
    return duration


def message(body: bytes | str = b"", **fields) -> types_pb2.Message:
    return types_pb2.Message(body=body.encode() if isinstance(body, str) else body, **fields)


def bodies(deliveries) -> list[str]:
    return [d.message.body.decode() for d in deliveries]


def reason_of(error: grpc.RpcError) -> str:
    """The stable reason in an error's trailers; empty if it did not come from the broker."""
    return dict(error.trailing_metadata() or ()).get("kelpmq-reason", "")


@contextlib.contextmanager
def fails(code: grpc.StatusCode, reason: str):
    """The call in the `with` block fails so. Yields pytest's info about the error."""
    with pytest.raises(grpc.RpcError) as info:
        yield info
    assert (info.value.code(), reason_of(info.value)) == (code, reason), info.value.details()
    assert info.value.details(), "an error without a text"


def until(condition, what: str, patience: float = PATIENCE):
    """Asks again and again until `condition()` is true, and returns what it returned."""
    deadline = time.monotonic() + patience
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not in {patience} s: {what}"
        time.sleep(0.01)
    return result


def basic(user: str, password: str) -> str:
    """The authorization of a user."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class _Authorization(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor,
                     grpc.StreamUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):
    """Sends the metadata `authorization` with every call."""

    def __init__(self, authorization: str):
        self._metadata = ("authorization", authorization)

    def _intercept(self, proceed, details, request):
        return proceed(_Details(details, [*(details.metadata or ()), self._metadata]), request)

    intercept_unary_unary = intercept_unary_stream = _intercept
    intercept_stream_unary = intercept_stream_stream = _intercept


class _Details(grpc.ClientCallDetails):
    def __init__(self, details: grpc.ClientCallDetails, metadata: list):
        self.method, self.timeout, self.metadata = details.method, details.timeout, metadata
        self.credentials = details.credentials
        self.wait_for_ready = details.wait_for_ready
        self.compression = details.compression


class Client:
    """One gRPC channel, its stubs, and what tests do all the time."""

    def __init__(self, address: str, authorization: str | None = None,
                 tls: grpc.ChannelCredentials | None = None, server_name: str | None = None):
        # A pool of its own: clients of one process must not share a connection.
        options = [
            ("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", 16 << 20),
            ("grpc.max_send_message_length", 16 << 20)]
        if server_name:
            options.append(("grpc.ssl_target_name_override", server_name))
        self.channel = (grpc.secure_channel(address, tls, options) if tls
                        else grpc.insecure_channel(address, options))
        if authorization:
            self.channel = grpc.intercept_channel(self.channel, _Authorization(authorization))
        self.messaging = messaging_pb2_grpc.MessagingServiceStub(self.channel)
        self.topology = topology_pb2_grpc.TopologyServiceStub(self.channel)
        self.session = session_pb2_grpc.SessionServiceStub(self.channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(self.channel)
        self.testing = testing_pb2_grpc.TestingServiceStub(self.channel)

    def close(self) -> None:
        self.channel.close()

    def advance(self, by: float) -> int:
        """Moves the clock of a broker that runs with --manual-clock by so many seconds, after
        which all that fell due has taken effect. The time reached, in nanoseconds since 1970."""
        return self.testing.AdvanceClock(testing_pb2.AdvanceClockRequest(
            by=seconds(by)), timeout=PATIENCE).current_time.ToNanoseconds()

    def declare(self, name: str | None = None, **fields) -> str:
        """Declares a queue; None: with a new name."""
        name = new_name() if name is None else name
        return self.topology.DeclareQueue(topology_pb2.DeclareQueueRequest(
            name=name, **fields), timeout=PATIENCE).queue.name

    def declare_exchange(self, type: str, **fields) -> str:
        name = fields.pop("name", None) or new_name("x")
        self.topology.DeclareExchange(topology_pb2.DeclareExchangeRequest(
            name=name, type=type, **fields), timeout=PATIENCE)
        return name

    def bind(self, queue_name: str, exchange: str, routing_key: str = "", **fields) -> None:
        self.topology.BindQueue(topology_pb2.BindQueueRequest(
            queue=queue_name, exchange=exchange, routing_key=routing_key, **fields),
            timeout=PATIENCE)

    def publish(self, queue_name: str, *bodies: str | bytes) -> None:
        """To the queue, through the default exchange; confirmed on return."""
        for body in bodies:
            self.messaging.Publish(pb.PublishRequest(
                routing_key=queue_name, message=message(body), mandatory=True), timeout=PATIENCE)

    def filled(self, bodies="abcde") -> str:
        """A new queue with these messages in it."""
        name = self.declare()
        self.publish(name, *bodies)
        return name

    def get(self, queue_name: str, wait: float = 0, **fields) -> pb.GetResponse:
        return self.messaging.Get(pb.GetRequest(
            queue=queue_name, wait=seconds(wait), **fields), timeout=PATIENCE + wait)

    def ready(self, queue_name: str) -> int:
        return self.queue(queue_name).messages_ready

    def queue(self, queue_name: str) -> topology_pb2.Queue:
        return self.topology.GetQueue(
            topology_pb2.GetQueueRequest(name=queue_name), timeout=PATIENCE).queue

    def exists(self, queue_name: str) -> bool:
        try:
            self.queue(queue_name)
            return True
        except grpc.RpcError as error:
            assert reason_of(error) == "QUEUE_NOT_FOUND", error
            return False

    def open_session(self, **fields) -> str:
        return self.session.OpenSession(
            session_pb2.OpenSessionRequest(**fields), timeout=PATIENCE).session_id

    def close_session(self, session_id: str) -> session_pb2.CloseSessionResponse:
        return self.session.CloseSession(
            session_pb2.CloseSessionRequest(session_id=session_id), timeout=PATIENCE)


class Stream:
    """Any stream. What comes is read by a thread; `take` hands it out."""

    _END = object()

    def __init__(self, call, requests: queue.SimpleQueue | None = None):
        self.call = call
        self._requests = requests
        self._arrived: queue.SimpleQueue = queue.SimpleQueue()
        self._set_aside: collections.deque = collections.deque()
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()

    @classmethod
    def two_way(cls, method, *first, **options):
        """A stream of requests; `first` are sent at once."""
        requests: queue.SimpleQueue = queue.SimpleQueue()
        for request in first:
            requests.put(request)
        return cls(method(iter(requests.get, None), **options), requests)

    def _read(self) -> None:
        try:
            for response in self.call:
                self._arrived.put(response)
        except grpc.RpcError:
            pass
        self._arrived.put(self._END)

    def send(self, request) -> None:
        self._requests.put(request)

    def half_close(self) -> None:
        self._requests.put(None)

    def _next(self, patience: float):
        """The next response, or None at the end of the stream."""
        if self._ended:
            return None
        try:
            response = self._arrived.get(timeout=patience)
        except queue.Empty:
            raise AssertionError(f"nothing came in {patience} s") from None
        if response is self._END:
            self._ended = True
            return None
        return response

    def take(self, wanted=lambda response: True, patience: float = PATIENCE):
        """The first response that is `wanted`; others stay for later."""
        for response in list(self._set_aside):
            if wanted(response):
                self._set_aside.remove(response)
                return response
        while (response := self._next(patience)) is not None:
            if wanted(response):
                return response
            self._set_aside.append(response)
        raise AssertionError(f"the stream ended: {self.call.code()} {self.call.details()}")

    def end(self, patience: float = PATIENCE) -> tuple[grpc.StatusCode, str]:
        """Waits for the end: its code, and the reason if it was an error."""
        while (response := self._next(patience)) is not None:
            self._set_aside.append(response)
        return self.call.code(), dict(self.call.trailing_metadata() or ()).get("kelpmq-reason", "")

    def break_off(self) -> None:
        """Cancels the call and waits until this side knows."""
        self.call.cancel()
        self.end()


class ConsumeStream(Stream):
    """A Consume stream: an AMQP channel."""

    @classmethod
    def open(cls, client: Client, **options) -> "ConsumeStream":
        first = pb.ConsumeRequest(options=pb.StreamOptions(**options))
        return cls.two_way(client.messaging.Consume, first)

    def ask(self, **request) -> None:
        self.send(pb.ConsumeRequest(**request))

    def event(self, kind: str, patience: float = PATIENCE):
        return getattr(self.take(lambda r: r.WhichOneof("event") == kind, patience), kind)

    def start(self, queue_name: str, **spec) -> pb.ConsumerStarted:
        self.ask(start=pb.ConsumerSpec(queue=queue_name, **spec))
        return self.event("started")

    def refused_start(self, **spec) -> pb.ConsumerCancelled:
        self.ask(start=pb.ConsumerSpec(**spec))
        cancelled = self.event("cancelled")
        assert cancelled.reason == types_pb2.CANCEL_REASON_START_FAILED
        return cancelled

    def deliveries(self, number: int) -> list[pb.Delivery]:
        """Waits for exactly so many."""
        found: list[pb.Delivery] = []
        while len(found) < number:
            found += self.event("deliveries").deliveries
        assert len(found) == number, bodies(found)
        return found

    def ping(self) -> None:
        """Returns when all that was sent before has taken effect."""
        number = next(_names)
        self.ask(ping=pb.Ping(request_id=number))
        self.take(lambda r: r.WhichOneof("event") == "heartbeat"
                  and r.heartbeat.request_id == number)

    def waiting(self) -> list[pb.Delivery]:
        """Deliveries that came, and were not taken, before a ping was answered."""
        self.ping()
        found = [r for r in self._set_aside if r.WhichOneof("event") == "deliveries"]
        for response in found:
            self._set_aside.remove(response)
        return [d for response in found for d in response.deliveries.deliveries]

    def settle(self, action=pb.SETTLE_ACTION_ACK, **which) -> pb.Settled:
        number = next(_names)
        self.ask(settle=pb.Settle(action=action, request_id=number, **which))
        return self.take(lambda r: r.WhichOneof("event") == "settled"
                         and r.settled.request_id == number).settled

    def get(self, queue_name: str, **fields) -> pb.StreamGot:
        number = next(_names)
        self.ask(get=pb.StreamGet(request_id=number, queue=queue_name, **fields))
        return self.take(lambda r: r.WhichOneof("event") == "got"
                         and r.got.request_id == number).got
