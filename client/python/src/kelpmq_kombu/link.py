"""The way to the broker: a gRPC channel, a session, and the threads that read its streams."""
from __future__ import annotations

import atexit
import os
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping, Optional, cast

import grpc

from kelpmq._address import Address, open_channel
from kelpmq.v1 import messaging_pb2 as pb
from kelpmq.v1 import messaging_pb2_grpc, session_pb2, session_pb2_grpc, topology_pb2_grpc

from . import errors, forking, values
from .forking import gate
from .inbox import Inbox
from .publishing import Publisher

if TYPE_CHECKING:
    from .deliveries import DeliveryStream

# An answer that takes longer than this will not come; what makes one late is a machine that swaps.
CALL_SECONDS = 30.0
# How long a program that ends waits until what it has published and acknowledged counts.
EXIT_SECONDS = 10.0

# Links of a parent process. gRPC's objects must not be destroyed in a child: that would take locks
# which a thread held at the fork, and that thread is not here to let go of them.
_of_parents: list[Any] = []
_open: set[Link] = set()


class Link:
    """What a Connection has in common with the threads that work for it.

    It knows neither the Connection nor, for longer than a message is on its way, its channels:
    threads live as long as the link, and would keep a forgotten connection alive.

    Thread-safe. In a forked child only `shut` may be called.
    """

    def __init__(self, address: Address, on_blocked: Optional[Callable[[str], None]] = None,
                 on_unblocked: Optional[Callable[[], None]] = None):
        self.pid = os.getpid()
        self.vhost = address.vhost
        self.session_id = ""
        self.inbox = Inbox()
        self.publisher = Publisher(self)
        self.streams: set[DeliveryStream] = set()  # those that are open
        self.failure: Optional[Exception] = None
        self.failure_was_raised = False
        self.closed = False
        self.is_closing = False
        self._address = address
        self._metadata = address.metadata()
        self._blocked = False
        self._on_blocked = on_blocked
        self._on_unblocked = on_unblocked
        self._lock = threading.Lock()
        self._grpc: Optional[grpc.Channel] = None

    # Opening and closing.

    def connect(self, timeout: Optional[float], properties: Mapping[str, Any],
                old_session: str = "") -> None:
        """Opens the session, after closing one that was left behind, which may lock queues.

        Raises ConnectionRefusedError, socket.timeout, amqp's AccessRefused or NotAllowed.
        """
        try:
            self._grpc = open_channel(self._address)
            self._sessions = session_pb2_grpc.SessionServiceStub(self._grpc)
            if old_session:
                self.close_session(old_session, timeout)
            request = session_pb2.OpenSessionRequest(
                vhost=self.vhost, bound_to_watch=True,
                client_name=str(properties.get("connection_name", "kombu")))
            values.put_table(properties, request.client_properties)
            try:
                with gate:
                    opened = self._sessions.OpenSession(
                        request, timeout=timeout, metadata=self._metadata)
            except grpc.RpcError as exc:
                raise errors.for_connect(exc) from None
        except BaseException:
            self.shut()
            raise
        self.session_id = opened.session_id
        with gate:
            self._watch = self._sessions.WatchSession(
                session_pb2.WatchSessionRequest(session_id=self.session_id),
                metadata=self._metadata)
        self.topology = topology_pb2_grpc.TopologyServiceStub(self._grpc)
        self._consume = messaging_pb2_grpc.MessagingServiceStub(self._grpc).Consume
        # Raw: its requests are serialized by those who publish.
        self._publish: Any = self._grpc.stream_stream(
            "/kelpmq.v1.MessagingService/PublishStream", request_serializer=None,
            response_deserializer=pb.PublishStreamResponse.FromString)
        _open.add(self)
        forking.install()
        _janitor.start()
        self.start_thread(self._read_watch, "session")

    def close_session(self, session_id: str, timeout: Optional[float] = CALL_SECONDS) -> None:
        """Ends a session: its deliveries are back, its exclusive queues gone."""
        try:
            with gate:
                self._sessions.CloseSession(
                    session_pb2.CloseSessionRequest(session_id=session_id),
                    timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as exc:
            if exc.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise errors.for_connect(exc) from None
            # Otherwise the session is gone, which is what was wanted.

    def shut(self) -> None:
        """Lets go of everything at once, without a word to the broker. It sees the end, too."""
        if self.closed:
            return
        self.closed = True
        if not self.is_ours():
            _of_parents.append(self)
            self.inbox.close_sockets()
            return
        _open.discard(self)
        self.publisher.end()
        self.inbox.close()
        if self._grpc is not None:
            self._grpc.close()

    def forgotten(self) -> None:
        """Nobody has the Connection any more: what it has to say is still sent."""
        if self.closed or not self.is_ours():
            return self.shut()
        # Not here: this may run in the middle of anything, by the garbage collector.
        _janitor.shut(self)

    def flush(self, timeout: float) -> bool:
        """Waits until what was published and acknowledged has counted. False: not in time."""
        deadline = time.monotonic() + timeout
        done = self.publisher.flush(timeout)
        for stream in list(self.streams):
            done = stream.flush(max(deadline - time.monotonic(), 0)) and done
        return done

    def is_ours(self) -> bool:
        """Whether this process made it."""
        return self.pid == os.getpid()

    def _read_watch(self) -> None:
        error: Optional[grpc.RpcError] = None
        try:
            for response in self._watch:
                if response.WhichOneof("event") == "flow":
                    self.flow_changed(response.flow)
        except grpc.RpcError as exc:
            error = exc
        self.stream_ended(error)

    def idle_call(self) -> Callable[[], object]:
        """Starts a call that ends only when what is returned is called."""
        watch = self._sessions.WatchSession(
            session_pb2.WatchSessionRequest(session_id=self.session_id), metadata=self._metadata)
        return cast(Callable[[], object], watch.cancel)

    # Losing it.

    def lost(self, failure: Exception) -> None:
        """It is of no more use. The first reason counts."""
        with self._lock:
            if self.failure is not None or self.closed:
                return
            self.failure = failure
        self.publisher.end()
        self.inbox.fail(failure)

    def stream_ended(self, error: Optional[grpc.RpcError]) -> None:
        """A stream ended that should not: gRPC's error, or None for the status OK."""
        if self.closed or self.is_closing:
            return
        failure: Exception = errors.lost("the broker ended the connection")
        if error is not None:
            failure = errors.for_rpc(error)
            if not errors.is_for_connection(failure):
                failure = errors.lost(str(failure))
        self.lost(failure)

    def loss(self) -> Exception:
        """What to raise when it cannot be used."""
        if self.failure is not None:
            self.failure_was_raised = True
            return self.failure.with_traceback(None)
        return errors.lost("the connection is closed")

    def check(self) -> None:
        """Raises if this is lost, closed or another process's."""
        if self.failure is not None or self.closed:
            raise self.loss()
        if not self.is_ours():
            raise errors.lost("this connection belongs to the parent process")

    # Using it.

    def call(self, method: Any, request: Any, signature: Any = None) -> Any:
        """A unary call. Raises amqp's exceptions."""
        self.check()
        try:
            with gate:
                return method(request, timeout=CALL_SECONDS, metadata=self._metadata)
        except grpc.RpcError as exc:
            failure = errors.for_rpc(exc, signature)
        except ValueError:  # gRPC's: another thread has closed the channel.
            raise self.loss() from None
        if errors.is_for_connection(failure):
            self.lost(failure)
            raise self.loss()
        raise failure

    def open_publish_stream(self, requests: Iterator[bytes]) -> Any:
        return self._open_stream(self._publish, requests)

    def open_consume_stream(self, requests: Iterator[Any]) -> Any:
        return self._open_stream(self._consume, requests)

    def _open_stream(self, method: Any, requests: Iterator[Any]) -> Any:
        try:
            with gate:
                return method(requests, metadata=self._metadata)
        except ValueError:  # As in `call`.
            raise self.loss() from None

    def start_thread(self, work: Callable[[], None], name: str) -> None:
        threading.Thread(target=work, name=f"kelpmq-{name}", daemon=True).start()

    def take(self, timeout: Optional[float], enough: Optional[Callable[[], bool]] = None) -> None:
        """Handles one event of the inbox in this thread; see Inbox.take."""
        try:
            event = self.inbox.take(timeout, enough)
        except Exception as exc:
            if exc is self.failure:
                self.failure_was_raised = True
            raise
        if event is not None:
            event[0](event[1])

    def flow_changed(self, notice: Any) -> None:
        """The broker stops reading publishes, or goes on. Said by more than one stream."""
        with self._lock:
            if notice.blocked == self._blocked:
                return
            self._blocked = notice.blocked
        self.inbox.put(self._tell_flow, notice)

    def _tell_flow(self, notice: Any) -> None:
        if notice.blocked and self._on_blocked is not None:
            self._on_blocked(notice.reason)
        elif not notice.blocked and self._on_unblocked is not None:
            self._on_unblocked()


class _Janitor:
    """Shuts forgotten links in a thread of its own, one for a process."""

    def __init__(self) -> None:
        self._links: queue.SimpleQueue[Link] = queue.SimpleQueue()
        self._pid = 0

    def start(self) -> None:
        """Not left to `shut`: to start a thread takes locks."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._links = queue.SimpleQueue()
            threading.Thread(target=self._work, name="kelpmq-janitor", daemon=True).start()

    def shut(self, link: Link) -> None:
        """Called by the garbage collector, in whatever it has interrupted: takes no lock that a
        thread may hold there."""
        self._links.put(link)

    def _work(self) -> None:
        while True:
            link = self._links.get()
            try:
                link.flush(EXIT_SECONDS)
            except Exception:  # Lost, and there is nobody left to tell.
                pass
            link.shut()
            del link


_janitor = _Janitor()


def flush_all(timeout: float = EXIT_SECONDS, acknowledged: bool = False) -> bool:
    """Waits until everything that this process has published is confirmed, and also counts what it
    has acknowledged.

    False: not in time, or a connection is lost.
    """
    done = True
    for link in list(_open):
        if link.is_ours() and link.failure is None:
            try:
                flush = link.flush if acknowledged else link.publisher.flush
                done = flush(timeout) and done
            except Exception:  # Whoever uses the connection is told, too.
                done = False
    return done


def _open_idle_calls() -> list[Callable[[], object]]:
    return [link.idle_call() for link in list(_open)
            if link.is_ours() and link.failure is None and not link.closed]


atexit.register(flush_all, acknowledged=True)
forking.open_idle_calls = _open_idle_calls
