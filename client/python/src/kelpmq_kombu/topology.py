"""Declaring, binding and deleting, as methods of an AMQP channel."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional

from amqp.protocol import queue_declare_ok_t

from kelpmq.v1 import topology_pb2 as pb

from . import values

if TYPE_CHECKING:
    from .link import Link

_EXCHANGE_DECLARE, _EXCHANGE_DELETE = (40, 10), (40, 20)
_EXCHANGE_BIND, _EXCHANGE_UNBIND = (40, 30), (40, 40)
_QUEUE_DECLARE, _QUEUE_BIND, _QUEUE_UNBIND = (50, 10), (50, 20), (50, 50)
_QUEUE_PURGE, _QUEUE_DELETE = (50, 30), (50, 40)

Arguments = Optional[Mapping[str, Any]]


class Topology:
    """The exchange and queue methods of a channel.

    `nowait` saves a reply in AMQP; here the reply is waited for, so that errors show where they
    are made, and None is returned.
    """

    _link: Link
    _last_queue = ""

    def call(self, name: str, request: Any, signature: Any) -> Any:
        """A unary call, in order with what this channel has sent before."""
        raise NotImplementedError

    def _in_session(self) -> dict[str, Any]:
        return {"vhost": self._link.vhost, "session_id": self._link.session_id}

    def _in_vhost(self) -> dict[str, Any]:
        return {"vhost": self._link.vhost}

    def queue_name(self, queue: str) -> str:
        """An empty name means the queue that this channel declared last."""
        return queue or self._last_queue

    def exchange_declare(self, exchange: str, type: str, passive: bool = False,
                         durable: bool = False, auto_delete: bool = True, nowait: bool = False,
                         arguments: Arguments = None, argsig: str = "") -> None:
        self.check_open()
        request = pb.DeclareExchangeRequest(
            name=exchange, type=type or "", passive=passive, durable=durable,
            auto_delete=auto_delete, **self._in_vhost())
        values.put_table(arguments or {}, request.arguments)
        self.call("DeclareExchange", request, _EXCHANGE_DECLARE)

    def exchange_delete(self, exchange: str, if_unused: bool = False, nowait: bool = False,
                        argsig: str = "") -> None:
        self.check_open()
        self.call("DeleteExchange", pb.DeleteExchangeRequest(
            name=exchange, if_unused=if_unused, **self._in_vhost()), _EXCHANGE_DELETE)

    def exchange_bind(self, destination: str, source: str = "", routing_key: str = "",
                      nowait: bool = False, arguments: Arguments = None,
                      argsig: str = "") -> None:
        self.check_open()
        request = pb.BindExchangeRequest(destination=destination, source=source,
                                         routing_key=routing_key, **self._in_vhost())
        values.put_table(arguments or {}, request.arguments)
        self.call("BindExchange", request, _EXCHANGE_BIND)

    def exchange_unbind(self, destination: str, source: str = "", routing_key: str = "",
                        nowait: bool = False, arguments: Arguments = None,
                        argsig: str = "") -> None:
        self.check_open()
        request = pb.UnbindExchangeRequest(destination=destination, source=source,
                                           routing_key=routing_key, **self._in_vhost())
        values.put_table(arguments or {}, request.arguments)
        self.call("UnbindExchange", request, _EXCHANGE_UNBIND)

    def queue_declare(self, queue: str = "", passive: bool = False, durable: bool = False,
                      exclusive: bool = False, auto_delete: bool = True, nowait: bool = False,
                      arguments: Arguments = None, argsig: str = "") -> Any:
        """(name, message_count, consumer_count); the broker makes a name if there is none."""
        self.check_open()
        request = pb.DeclareQueueRequest(
            name=queue, passive=passive, durable=durable, exclusive=exclusive,
            auto_delete=auto_delete, **self._in_session())
        values.put_table(arguments or {}, request.arguments)
        declared = self.call("DeclareQueue", request, _QUEUE_DECLARE).queue
        self._last_queue = declared.name
        if nowait:
            return None
        return queue_declare_ok_t(declared.name, declared.messages_ready, declared.consumer_count)

    def queue_bind(self, queue: str, exchange: str = "", routing_key: str = "",
                   nowait: bool = False, arguments: Arguments = None, argsig: str = "") -> None:
        self.check_open()
        if not queue and not routing_key:
            routing_key = self._last_queue
        request = pb.BindQueueRequest(queue=self.queue_name(queue), exchange=exchange,
                                      routing_key=routing_key, **self._in_session())
        values.put_table(arguments or {}, request.arguments)
        self.call("BindQueue", request, _QUEUE_BIND)

    def queue_unbind(self, queue: str, exchange: str, routing_key: str = "",
                     nowait: bool = False, arguments: Arguments = None, argsig: str = "") -> None:
        self.check_open()
        request = pb.UnbindQueueRequest(queue=self.queue_name(queue), exchange=exchange,
                                        routing_key=routing_key, **self._in_session())
        values.put_table(arguments or {}, request.arguments)
        self.call("UnbindQueue", request, _QUEUE_UNBIND)

    def queue_purge(self, queue: str = "", nowait: bool = False, argsig: str = "") -> int:
        """How many messages were dropped: all that were ready."""
        self.check_open()
        purged = self.call("PurgeQueue", pb.PurgeQueueRequest(
            name=self.queue_name(queue), **self._in_session()), _QUEUE_PURGE)
        return int(purged.message_count)

    def queue_delete(self, queue: str = "", if_unused: bool = False, if_empty: bool = False,
                     nowait: bool = False, argsig: str = "") -> int:
        """How many messages were ready in it; 0 if there is no such queue."""
        self.check_open()
        deleted = self.call("DeleteQueue", pb.DeleteQueueRequest(
            name=self.queue_name(queue), if_unused=if_unused, if_empty=if_empty,
            **self._in_session()), _QUEUE_DELETE)
        return int(deleted.message_count)

    def check_open(self) -> None:
        """Raises RecoverableConnectionError if the channel or the connection is closed."""
        raise NotImplementedError
