"""KelpMQ: a message broker with RabbitMQ's semantics over gRPC.

    with kelpmq.Client("127.0.0.1:50672") as client:
        client.declare_queue("jobs")
        client.publish(b"hello", routing_key="jobs")
        for delivery in client.consume("jobs"):
            print(delivery.body)
            delivery.ack()
"""
from kelpmq._address import Address, Tls, parse_address
from kelpmq._binary import BinaryNotFound
from kelpmq._publishing import Confirm
from kelpmq._values import (
    Float32,
    Int8,
    Int16,
    Int32,
    RawString,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
)
from kelpmq._version import __version__
from kelpmq.aio import AsyncClient, AsyncConsumer, AsyncPublisher
from kelpmq.broker import BrokerStartError, PrivateBroker
from kelpmq.client import Client, Queue, ServerInfo
from kelpmq.consumer import Consumer
from kelpmq.errors import (
    Aborted,
    AlreadyExists,
    Cancelled,
    ClientClosed,
    ConsumerCancelled,
    DeadlineExceeded,
    FailedPrecondition,
    ForkedClient,
    InternalError,
    InvalidArgument,
    KelpmqError,
    NoRoute,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    PublishFailed,
    QueueFull,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from kelpmq.message import Delivery
from kelpmq.publisher import Publisher

__all__ = [
    "__version__", "Aborted", "Address", "AlreadyExists", "AsyncClient", "AsyncConsumer",
    "AsyncPublisher", "BinaryNotFound", "BrokerStartError", "Cancelled", "Client", "ClientClosed",
    "Confirm", "Consumer", "ConsumerCancelled", "DeadlineExceeded", "Delivery",
    "FailedPrecondition", "Float32", "ForkedClient", "Int16", "Int32", "Int8", "InternalError",
    "InvalidArgument", "KelpmqError", "NoRoute", "NotFound", "OutcomeUnknown", "parse_address",
    "PermissionDenied", "PrivateBroker", "Publisher", "PublishFailed", "Queue", "QueueFull",
    "RawString", "ResourceExhausted", "ServerInfo", "Timestamp", "Tls", "UInt16", "UInt32", "UInt8",
    "Unauthenticated", "Unavailable", "Unimplemented",
]
