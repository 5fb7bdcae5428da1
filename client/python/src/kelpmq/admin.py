"""Looking at a broker as a whole, and at its virtual hosts: for tests and tools.

    admin = kelpmq.admin.Admin(client)
    print([queue.name for queue in admin.list_queues()])
"""
from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from typing import Any, Callable

from google.protobuf.duration_pb2 import Duration

from kelpmq import _calls
from kelpmq._values import from_map
from kelpmq.client import Client, Queue
from kelpmq.errors import FailedPrecondition, Unimplemented
from kelpmq.v1 import admin_pb2, testing_pb2, topology_pb2

_PUT_VHOST = _calls.Unary("AdminService", "PutVhost", admin_pb2.PutVhostResponse)
_DELETE_VHOST = _calls.Unary("AdminService", "DeleteVhost", admin_pb2.DeleteVhostResponse)
_LIST_EXCHANGES = _calls.Unary("TopologyService", "ListExchanges",
                               topology_pb2.ListExchangesResponse)
_ADVANCE_CLOCK = _calls.Unary("TestingService", "AdvanceClock", testing_pb2.AdvanceClockResponse)

_PAGE = 1000


@dataclasses.dataclass(frozen=True)
class Exchange:
    """An exchange, as the broker has it."""

    name: str
    type: str
    durable: bool
    auto_delete: bool
    internal: bool
    arguments: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Binding:
    """What leads messages of `source` to `destination`, a queue or (to_exchange) an exchange."""

    source: str
    destination: str
    to_exchange: bool
    routing_key: str
    arguments: dict[str, Any]


class Admin:
    """Questions and orders about all that is in a client's virtual host, and the virtual hosts.

    Thread-safety: any thread. Errors: KelpmqError, as the client's.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._vhost = client.address.vhost

    def list_queues(self, prefix: str = "") -> list[Queue]:
        """The queues whose names begin so, by name."""
        return list(self._pages(
            _calls.LIST_QUEUES, topology_pb2.ListQueuesRequest(
                vhost=self._vhost, page_size=_PAGE, name_prefix=prefix),
            lambda response: (Queue(
                queue.name, queue.durable, queue.exclusive, queue.auto_delete,
                from_map(queue.arguments), queue.messages_ready, queue.messages_unacked,
                queue.consumer_count) for queue in response.queues)))

    def list_exchanges(self) -> list[Exchange]:
        """All exchanges, also those that are there from the beginning."""
        return list(self._pages(
            _LIST_EXCHANGES, topology_pb2.ListExchangesRequest(vhost=self._vhost, page_size=_PAGE),
            lambda response: (Exchange(
                exchange.name, exchange.type, exchange.durable, exchange.auto_delete,
                exchange.internal, from_map(exchange.arguments))
                for exchange in response.exchanges)))

    def list_bindings(self, source: str) -> list[Binding]:
        """What an exchange leads to. An exchange that is not there leads nowhere."""
        return list(self._pages(
            _calls.LIST_BINDINGS, topology_pb2.ListBindingsRequest(
                vhost=self._vhost, page_size=_PAGE, source=source),
            lambda response: (Binding(
                binding.source, binding.destination,
                binding.destination_type == topology_pb2.DESTINATION_TYPE_EXCHANGE,
                binding.routing_key, from_map(binding.arguments))
                for binding in response.bindings)))

    def put_vhost(self, name: str) -> bool:
        """Makes a virtual host; one that is there is fine. Returns whether this call made it."""
        request = admin_pb2.PutVhostRequest(vhost=admin_pb2.Vhost(name=name))
        return self._client._call(_PUT_VHOST, lambda: request).created

    def delete_vhost(self, name: str) -> bool:
        """Deletes it with all in it, and ends its sessions. Returns whether it was there."""
        request = admin_pb2.DeleteVhostRequest(name=name)
        return self._client._call(_DELETE_VHOST, lambda: request).deleted

    def advance_clock(self, seconds: float) -> datetime.datetime:
        """Moves the time of a broker that was started with ``--manual-clock``, and returns what it
        is then. All that fell due has happened by now: expiry, delays, leases.

        FailedPrecondition: the broker runs on real time.
        """
        by = Duration()
        by.FromTimedelta(datetime.timedelta(seconds=seconds))
        request = testing_pb2.AdvanceClockRequest(by=by)
        try:
            response = self._client._call(_ADVANCE_CLOCK, lambda: request, repeatable=False)
        except Unimplemented:
            raise FailedPrecondition(
                "this broker runs on real time; start it with --manual-clock to move it") from None
        return response.current_time.ToDatetime(datetime.timezone.utc)

    def _pages(self, method: Any, request: Any,
               items: Callable[[Any], Iterator[Any]]) -> Iterator[Any]:
        while True:
            response = self._client._call(method, lambda: request)
            yield from items(response)
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token
