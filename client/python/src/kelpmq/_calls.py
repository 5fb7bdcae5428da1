"""The calls of the API that this package makes, with their types."""
from __future__ import annotations

from typing import Any, Generic, TypeVar

from kelpmq.v1 import messaging_pb2, session_pb2, topology_pb2

Response = TypeVar("Response")


class Unary(Generic[Response]):
    """One unary call: where it goes, and what it answers."""

    def __init__(self, service: str, name: str, response: type[Response]) -> None:
        self.path = f"/kelpmq.v1.{service}/{name}"
        self.response = response

    def bind(self, channel: Any) -> Any:
        """gRPC's callable for it."""
        return channel.unary_unary(
            self.path, request_serializer=_serialize,
            response_deserializer=self.response.FromString)  # type: ignore[attr-defined]


def _serialize(request: Any) -> bytes:
    encoded: bytes = request.SerializeToString()
    return encoded


PUBLISH_STREAM = "/kelpmq.v1.MessagingService/PublishStream"
CONSUME = "/kelpmq.v1.MessagingService/Consume"
WATCH_SESSION = "/kelpmq.v1.SessionService/WatchSession"

_M, _S, _T = "MessagingService", "SessionService", "TopologyService"
GET_SERVER_INFO = Unary(_M, "GetServerInfo", messaging_pb2.GetServerInfoResponse)
GET = Unary(_M, "Get", messaging_pb2.GetResponse)
ACK = Unary(_M, "Ack", messaging_pb2.AckResponse)
NACK = Unary(_M, "Nack", messaging_pb2.NackResponse)
EXTEND_LEASE = Unary(_M, "ExtendLease", messaging_pb2.ExtendLeaseResponse)
OPEN_SESSION = Unary(_S, "OpenSession", session_pb2.OpenSessionResponse)
CLOSE_SESSION = Unary(_S, "CloseSession", session_pb2.CloseSessionResponse)
DECLARE_EXCHANGE = Unary(_T, "DeclareExchange", topology_pb2.DeclareExchangeResponse)
DELETE_EXCHANGE = Unary(_T, "DeleteExchange", topology_pb2.DeleteExchangeResponse)
DECLARE_QUEUE = Unary(_T, "DeclareQueue", topology_pb2.DeclareQueueResponse)
DELETE_QUEUE = Unary(_T, "DeleteQueue", topology_pb2.DeleteQueueResponse)
PURGE_QUEUE = Unary(_T, "PurgeQueue", topology_pb2.PurgeQueueResponse)
GET_QUEUE = Unary(_T, "GetQueue", topology_pb2.GetQueueResponse)
LIST_QUEUES = Unary(_T, "ListQueues", topology_pb2.ListQueuesResponse)
LIST_BINDINGS = Unary(_T, "ListBindings", topology_pb2.ListBindingsResponse)
BIND_QUEUE = Unary(_T, "BindQueue", topology_pb2.BindQueueResponse)
UNBIND_QUEUE = Unary(_T, "UnbindQueue", topology_pb2.UnbindQueueResponse)
BIND_EXCHANGE = Unary(_T, "BindExchange", topology_pb2.BindExchangeResponse)
UNBIND_EXCHANGE = Unary(_T, "UnbindExchange", topology_pb2.UnbindExchangeResponse)
