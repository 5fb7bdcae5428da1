"""The client for asyncio.

    async with kelpmq.AsyncClient() as client:
        await client.declare_queue("jobs")
        await client.publish(b"hello", "jobs")
        async for delivery in client.consume("jobs"):
            print(delivery.body)
            delivery.ack()

The same streams as those of Client carry it, with their threads (ADR 21). Calls that are rare run
in the loop's executor.
"""
from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import datetime
import functools
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Callable, Optional, TypeVar, Union

from kelpmq._address import Address, Tls
from kelpmq._publishing import Confirm
from kelpmq._wire import Body
from kelpmq.client import (
    DEFAULT_CONNECT_TIMEOUT,
    DEFAULT_PREFETCH,
    DEFAULT_TIMEOUT,
    Arguments,
    Client,
    Queue,
    ServerInfo,
)
from kelpmq.consumer import Consumer
from kelpmq.errors import ClientClosed, DeadlineExceeded, KelpmqError
from kelpmq.message import Delivery
from kelpmq.publisher import Publisher

Result = TypeVar("Result")

# How long a cancelled get() may go on taking, in seconds.
_LONGEST_WAIT = 1.0
_MOST_GETS = 64


class _Bridge:
    """Lets the threads of the pumps call into an event loop, many calls at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[Callable[[], Any]] = deque()
        self._scheduled = False

    def call(self, function: Callable[[], Any]) -> None:
        """From any thread: `function` is called in the loop, soon, in order."""
        self._calls.append(function)
        if not self._scheduled:
            self._scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._run)
            except RuntimeError:  # the loop is closed: nobody waits any more
                self._calls.clear()

    def _run(self) -> None:
        self._scheduled = False  # before the calls: what comes from now on is scheduled again
        while self._calls:
            self._calls.popleft()()


def _settle(future: asyncio.Future[None], confirm: Confirm) -> None:
    if future.done():
        return
    error = confirm.exception(0)
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


class AsyncPublisher:
    """Publishes without waiting for each confirm; the end of an ``async with`` block waits for
    all.

        async with client.publisher(exchange="events") as publisher:
            for event in events:
                await publisher.publish(event, "order.paid")

    To be used in the event loop of its client.
    """

    def __init__(self, publisher: Publisher, client: AsyncClient) -> None:
        self._publisher = publisher
        self._client = client

    async def publish(self, body: Body, routing_key: Optional[str] = None, *,
                      exchange: Optional[str] = None, mandatory: Optional[bool] = None,
                      deliver_at: Optional[datetime.datetime] = None,
                      **properties: Any) -> Confirm:
        """As Publisher.publish(): hands the message over, and waits only if too many are
        unconfirmed. Await confirmed(confirm) to learn what became of it."""
        while True:
            confirm = self._publisher._hand_over(
                body, routing_key, exchange, mandatory, deliver_at, properties, False)
            if confirm is not None:
                return confirm
            await self._client._room()

    async def confirmed(self, confirm: Confirm) -> None:
        """Waits for a confirm, and raises why there is none."""
        await self._client._confirmed(confirm, self._client._timeout)

    async def flush(self) -> None:
        """As Publisher.flush()."""
        await self._client._run(self._publisher.flush)

    async def __aenter__(self) -> AsyncPublisher:
        return self

    async def __aexit__(self, kind: Optional[type[BaseException]],
                        error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        if kind is None:
            await self.flush()


class AsyncConsumer:
    """A consumer: ``async for delivery in consumer``. It starts with the iteration, or with its
    ``async with`` block; otherwise as Consumer.

    Delivery.ack() and nack() do not wait, so they are not awaited. Several tasks may iterate; each
    delivery comes to one of them.
    """

    def __init__(self, client: AsyncClient, start: Callable[[], Consumer]) -> None:
        self._client = client
        self._start = start
        self._consumer: Optional[Consumer] = None
        self._starting = asyncio.Lock()
        self._arrivals: set[asyncio.Future[None]] = set()  # one for each task that waits

    async def _started(self) -> Consumer:
        async with self._starting:
            if self._consumer is None:
                consumer = await self._client._run(self._start)
                bridge = self._client._bridge
                consumer.on_arrival = lambda: bridge.call(self._arrived) if self._arrivals else None
                self._consumer = consumer
        return self._consumer

    def _arrived(self) -> None:
        """All of them look: the one that the first delivery was for may have been cancelled."""
        for arrival in self._arrivals:
            if not arrival.done():
                arrival.set_result(None)

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        delivery = await self.receive()
        if delivery is None:
            raise StopAsyncIteration
        return delivery

    async def receive(self, timeout: Optional[float] = None) -> Optional[Delivery]:
        """The next delivery, or None: nothing came in `timeout` seconds, or it was closed."""
        consumer = self._consumer or await self._started()
        delivery = consumer.poll()
        if delivery is not None:
            return delivery
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while not consumer.closed:
            # First the future, then a look, so that nothing can arrive unnoticed in between.
            arrival = loop.create_future()
            self._arrivals.add(arrival)
            try:
                delivery = consumer.poll()
                if delivery is not None or consumer.closed:
                    return delivery
                left = None if deadline is None else deadline - loop.time()
                if left is not None and left <= 0.0:
                    return None
                if left is None:
                    await arrival
                else:
                    await asyncio.wait({arrival}, timeout=left)
            finally:
                self._arrivals.discard(arrival)
        return consumer.poll()

    async def flush(self) -> None:
        """Waits until all acknowledgements so far have taken effect."""
        consumer = await self._started()
        await self._client._run(functools.partial(consumer.flush, self._client._timeout))

    async def close(self) -> None:
        """As Consumer.close()."""
        consumer = self._consumer
        if consumer is not None:
            await self._client._run(consumer.close)
            self._arrived()

    async def __aenter__(self) -> AsyncConsumer:
        await self._started()
        return self

    async def __aexit__(self, kind: Optional[type[BaseException]],
                        error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        await self.close()


class AsyncClient:
    """Client, for asyncio: the arguments are the same, and the methods, which are awaited.

    It connects at the beginning of its ``async with`` block, or with connect(), and belongs to the
    event loop that runs then.
    """

    def __init__(self, address: Union[str, Address, None] = None, *,
                 tls: Union[Tls, bool, None] = None, user: str = "", password: str = "",
                 token: str = "", vhost: str = "", timeout: float = DEFAULT_TIMEOUT,
                 connect_timeout: float = DEFAULT_CONNECT_TIMEOUT, reconnect: bool = True,
                 name: str = "") -> None:
        self._timeout = timeout
        self._connect = functools.partial(
            Client, address, tls=tls, user=user, password=password, token=token, vhost=vhost,
            timeout=timeout, connect_timeout=connect_timeout, reconnect=reconnect, name=name)
        self._opened: Optional[Client] = None
        # Threads of their own for those who wait: the loop's are few, and for everything else.
        self._getters = concurrent.futures.ThreadPoolExecutor(_MOST_GETS, "kelpmq-get")
        self._used_bridge: Optional[_Bridge] = None
        self._lone: Optional[AsyncPublisher] = None  # for publish()

    async def connect(self) -> None:
        """Connects. Errors as Client's."""
        self._used_bridge = _Bridge(asyncio.get_running_loop())
        self._opened = await self._run(self._connect)

    async def close(self) -> None:
        """As Client.close()."""
        client = self._opened
        if client is not None:
            await self._run(client.close)

    async def __aenter__(self) -> AsyncClient:
        await self.connect()
        return self

    async def __aexit__(self, kind: Optional[type[BaseException]],
                        error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        await self.close()

    # Exchanges, queues, bindings: as Client's.

    async def server_info(self) -> ServerInfo:
        """See Client."""
        return await self._run(self._client.server_info)

    async def declare_exchange(self, name: str, type: str = "direct", *, durable: bool = False,
                               auto_delete: bool = False, internal: bool = False,
                               alternate_exchange: str = "", passive: bool = False,
                               arguments: Arguments = None) -> bool:
        """See Client."""
        return await self._run(functools.partial(
            self._client.declare_exchange, name, type, durable=durable, auto_delete=auto_delete,
            internal=internal, alternate_exchange=alternate_exchange, passive=passive,
            arguments=arguments))

    async def delete_exchange(self, name: str, *, if_unused: bool = False) -> bool:
        """See Client."""
        return await self._run(functools.partial(
            self._client.delete_exchange, name, if_unused=if_unused))

    async def declare_queue(self, name: str = "", *, durable: bool = False,
                            exclusive: bool = False, auto_delete: bool = False,
                            passive: bool = False, arguments: Arguments = None) -> Queue:
        """See Client."""
        return await self._run(functools.partial(
            self._client.declare_queue, name, durable=durable, exclusive=exclusive,
            auto_delete=auto_delete, passive=passive, arguments=arguments))

    async def delete_queue(self, name: str, *, if_unused: bool = False,
                           if_empty: bool = False) -> int:
        """See Client."""
        return await self._run(functools.partial(
            self._client.delete_queue, name, if_unused=if_unused, if_empty=if_empty))

    async def purge_queue(self, name: str) -> int:
        """See Client."""
        return await self._run(functools.partial(self._client.purge_queue, name))

    async def get_queue(self, name: str) -> Queue:
        """See Client."""
        return await self._run(functools.partial(self._client.get_queue, name))

    async def bind_queue(self, queue: str, exchange: str, routing_key: str = "", *,
                         arguments: Arguments = None) -> bool:
        """See Client."""
        return await self._run(functools.partial(
            self._client.bind_queue, queue, exchange, routing_key, arguments=arguments))

    async def unbind_queue(self, queue: str, exchange: str, routing_key: str = "", *,
                           arguments: Arguments = None) -> bool:
        """See Client."""
        return await self._run(functools.partial(
            self._client.unbind_queue, queue, exchange, routing_key, arguments=arguments))

    async def bind_exchange(self, destination: str, source: str, routing_key: str = "", *,
                            arguments: Arguments = None) -> bool:
        """See Client."""
        return await self._run(functools.partial(
            self._client.bind_exchange, destination, source, routing_key, arguments=arguments))

    async def unbind_exchange(self, destination: str, source: str, routing_key: str = "", *,
                              arguments: Arguments = None) -> bool:
        """See Client."""
        return await self._run(functools.partial(
            self._client.unbind_exchange, destination, source, routing_key, arguments=arguments))

    # Messages.

    async def publish(self, body: Body, routing_key: str = "", *, exchange: str = "",
                      mandatory: bool = False, deliver_at: Optional[datetime.datetime] = None,
                      timeout: Optional[float] = None, **properties: Any) -> None:
        """Publishes, and returns when the broker has confirmed it; see Client."""
        if self._lone is None:
            self._lone = self.publisher(on_failure=_ignore)
        confirm = await self._lone.publish(
            body, routing_key, exchange=exchange, mandatory=mandatory, deliver_at=deliver_at,
            **properties)
        await self._confirmed(confirm, self._timeout if timeout is None else timeout)

    def publisher(self, exchange: str = "", routing_key: str = "", *, mandatory: bool = False,
                  on_failure: Optional[Callable[[Confirm, KelpmqError], None]] = None,
                  **properties: Any) -> AsyncPublisher:
        """A publisher that does not wait for each confirm; see Client."""
        return AsyncPublisher(self._client.publisher(
            exchange, routing_key, mandatory=mandatory, on_failure=on_failure, **properties), self)

    def consume(self, queue: str, *, prefetch: int = DEFAULT_PREFETCH, auto_ack: bool = False,
                exclusive: bool = False, priority: int = 0, consumer_tag: str = "",
                arguments: Arguments = None) -> AsyncConsumer:
        """A consumer to iterate over; see Client."""
        return AsyncConsumer(self, functools.partial(
            self._client.consume, queue, prefetch=prefetch, auto_ack=auto_ack,
            exclusive=exclusive, priority=priority, consumer_tag=consumer_tag,
            arguments=arguments))

    def subscribe(self, exchange: str, routing_key: str = "", *, prefetch: int = DEFAULT_PREFETCH,
                  auto_ack: bool = False,
                  arguments: Optional[Mapping[str, Any]] = None) -> AsyncConsumer:
        """Consumes an exchange through a queue of its own; see Client."""
        return AsyncConsumer(self, functools.partial(
            self._client.subscribe, exchange, routing_key, prefetch=prefetch, auto_ack=auto_ack,
            arguments=arguments))

    async def get(self, queue: str, *, wait: float = 0.0, auto_ack: bool = False,
                  lease: Optional[float] = None) -> Optional[Delivery]:
        """Takes one message, or None. Settling it is a call to the broker: use consume() in code
        that must not block; see Client. When it is cancelled, a message that it takes just then
        goes back; with auto_ack that is lost. At most 64 wait at a time; further ones wait for
        those."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        while True:
            # In pieces, since a thread that waits cannot be cancelled.
            seconds = min(max(deadline - loop.time(), 0.0), _LONGEST_WAIT)
            taking = _Taking(functools.partial(
                self._client.get, queue, wait=seconds, auto_ack=auto_ack, lease=lease))
            try:
                found = await asyncio.shield(loop.run_in_executor(self._getters, taking))
            except asyncio.CancelledError:
                taking.forget()
                raise
            if found is not None or loop.time() >= deadline:
                return found

    # Inside.

    @property
    def _client(self) -> Client:
        if self._opened is None:
            raise ClientClosed("not connected: use `async with`, or await connect()")
        return self._opened

    @property
    def _bridge(self) -> _Bridge:
        assert self._used_bridge is not None
        return self._used_bridge

    async def _run(self, function: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(None, function)

    async def _room(self) -> None:
        room = asyncio.get_running_loop().create_future()
        self._client._publish_pump().when_room(lambda: self._bridge.call(
            lambda: None if room.done() else room.set_result(None)))
        try:
            await asyncio.wait_for(room, self._timeout)
        except asyncio.TimeoutError:
            raise DeadlineExceeded("too many publishes wait for their confirm") from None

    async def _confirmed(self, confirm: Confirm, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        confirm.add_done_callback(
            lambda done: self._bridge.call(functools.partial(_settle, future, done)))
        timer = loop.call_later(timeout, _give_up, future, timeout)  # wait_for() costs more
        try:
            await future
        finally:
            timer.cancel()


def _give_up(future: asyncio.Future[None], timeout: float) -> None:
    if not future.done():
        future.set_exception(DeadlineExceeded(f"no confirm in {timeout:g} s"))


class _Taking:
    """A get() in a thread, whose message goes back when nobody waits for it any more."""

    def __init__(self, get: Callable[[], Optional[Delivery]]) -> None:
        self._get = get
        self._lock = threading.Lock()
        self._forgotten = False
        self._found: Optional[Delivery] = None

    def __call__(self) -> Optional[Delivery]:
        try:
            found = self._get()
        except KelpmqError:
            if self._forgotten:  # Such as by the end of the client.
                return None
            raise
        with self._lock:
            self._found = found
            if not self._forgotten:
                return found
        self._give_back()
        return None

    def forget(self) -> None:
        with self._lock:
            self._forgotten = True
            found = self._found
        if found is not None:  # It was taken in the moment of the cancellation.
            threading.Thread(target=self._give_back, daemon=True).start()

    def _give_back(self) -> None:
        if self._found is not None and not self._found.settled:
            with contextlib.suppress(KelpmqError):  # It goes back with the session or its lease.
                self._found.nack()


def _ignore(confirm: Confirm, error: KelpmqError) -> None:
    """The confirm is waited for."""
