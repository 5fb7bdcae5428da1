"""What a client has declared, to be declared again when the broker has lost it."""
from __future__ import annotations

import logging
import threading
from typing import Any, Callable, Union

from kelpmq import _calls
from kelpmq._connection import connection_lost
from kelpmq.errors import KelpmqError
from kelpmq.v1 import topology_pb2

_LOG = logging.getLogger("kelpmq")

Binding = Union[topology_pb2.BindQueueRequest, topology_pb2.BindExchangeRequest]


class Topology:
    """Requests that succeeded and were not undone, in the order in which they were made.

    Thread-safety: any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exchanges: dict[str, topology_pb2.DeclareExchangeRequest] = {}
        self._queues: dict[str, topology_pb2.DeclareQueueRequest] = {}
        self._bindings: dict[bytes, Binding] = {}

    def add_exchange(self, request: topology_pb2.DeclareExchangeRequest) -> None:
        with self._lock:
            self._exchanges[request.name] = request

    def remove_exchange(self, name: str) -> None:
        """Its bindings go with it."""
        with self._lock:
            self._exchanges.pop(name, None)
            self._drop(lambda binding: name == (
                binding.exchange if isinstance(binding, topology_pb2.BindQueueRequest)
                else binding.source) or (
                isinstance(binding, topology_pb2.BindExchangeRequest)
                and name == binding.destination))

    def add_queue(self, request: topology_pb2.DeclareQueueRequest) -> None:
        with self._lock:
            self._queues[request.name] = request

    def remove_queue(self, name: str) -> None:
        """Its bindings go with it."""
        with self._lock:
            self._queues.pop(name, None)
            self._drop(lambda binding: isinstance(binding, topology_pb2.BindQueueRequest)
                       and binding.queue == name)

    def add_binding(self, request: Binding) -> None:
        with self._lock:
            self._bindings[_key(request)] = request

    def remove_binding(self, request: Binding) -> None:
        with self._lock:
            self._bindings.pop(_key(request), None)

    def _drop(self, matches: Callable[[Binding], bool]) -> None:
        for key in [key for key, binding in self._bindings.items() if matches(binding)]:
            del self._bindings[key]

    def restore(self, call: Callable[[Any, Any], Any], session_id: str) -> None:
        """Declares everything again with `call`.

        What the broker refuses (somebody else declared it in another way) is logged and left
        out; a lost connection is raised.
        """
        with self._lock:
            requests: list[tuple[Any, Any]] = [
                *((_calls.DECLARE_EXCHANGE, request) for request in self._exchanges.values()),
                *((_calls.DECLARE_QUEUE, request) for request in self._queues.values()),
                *((_calls.BIND_QUEUE if isinstance(request, topology_pb2.BindQueueRequest)
                   else _calls.BIND_EXCHANGE, request) for request in self._bindings.values()),
            ]
        for method, request in requests:
            if hasattr(request, "session_id"):
                request.session_id = session_id
            try:
                call(method, request)
            except KelpmqError as error:
                if connection_lost(error) or isinstance(error, TimeoutError):
                    raise
                _LOG.error("not restored: %s: %s", method.path.rpartition("/")[2], error)


def _key(request: Binding) -> bytes:
    copy = type(request)()
    copy.CopyFrom(request)  # type: ignore[arg-type]
    if isinstance(copy, topology_pb2.BindQueueRequest):
        copy.session_id = ""
    return type(request).__name__.encode() + copy.SerializeToString(deterministic=True)
