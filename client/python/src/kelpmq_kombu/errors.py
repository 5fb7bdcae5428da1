"""What goes wrong, as the exceptions of py-amqp.

Programs written for RabbitMQ catch `amqp.exceptions`, and Kombu decides by their classes whether a
channel or the whole connection has to be made anew. So no `grpc.RpcError` leaves this package.
"""
from __future__ import annotations

import errno
import socket
from typing import Any, Optional, Union

import grpc
from amqp.exceptions import (
    AMQPError,
    ChannelError,
    ConnectionError,
    RecoverableConnectionError,
    error_for_code,
)

from kelpmq._unreachable import explain

Method = Union[str, tuple[int, int]]

NO_ROUTE = 312
CONNECTION_FORCED = 320
INVALID_COMMAND = 503
_NO_METHOD, _CONNECTION_OPEN = (0, 0), (10, 40)
_SESSION_GONE = frozenset(["SESSION_ENDED", "SESSION_NOT_FOUND"])
_NACK_REASONS = frozenset(["QUEUE_FULL"])


def for_code(code: int, text: str, method: Any = None) -> AMQPError:
    """The exception for an AMQP reply code.

    Codes that py-amqp has no class for become a plain ChannelError below 500 and a plain
    ConnectionError from there on, which is how AMQP divides them.
    """
    default = ChannelError if code < 500 else ConnectionError
    error: AMQPError = error_for_code(code, text, method or "", default)
    return error


def for_operation(error: Any, method: Any = None) -> AMQPError:
    """The exception for an `OperationError` or a `PublishFailure` of the API."""
    if not error.amqp_code:
        return RecoverableConnectionError(error.message, method, reply_code=CONNECTION_FORCED)
    return for_code(error.amqp_code, error.message, method)


def is_nack(failure: Any) -> bool:
    """Whether a `PublishFailure` is what RabbitMQ says by a negative confirm."""
    return failure.reason in _NACK_REASONS


def _trailer(error: grpc.RpcError, key: str) -> Optional[str]:
    trailers: Any = error.trailing_metadata()
    for name, value in trailers or ():
        if name == key:
            return str(value)
    return None


def for_connect(error: grpc.RpcError) -> Exception:
    """The exception for a call that opens a connection: nobody listens, or nobody answers.

    A login that was refused, or a vhost, reads as py-amqp shows it.
    """
    if error.code() is grpc.StatusCode.UNAVAILABLE and not _trailer(error, "kelpmq-amqp-code"):
        text = explain(error.details() or "no broker there")
        return ConnectionRefusedError(errno.ECONNREFUSED, text)
    login = error.code() is grpc.StatusCode.UNAUTHENTICATED
    return for_rpc(error, _NO_METHOD if login else _CONNECTION_OPEN)


def for_rpc(error: grpc.RpcError, method: Any = None) -> Exception:
    """The exception for a failed call.

    A call that did not reach the broker, or whose reply got lost, is a lost connection; one that
    took too long is a `socket.timeout`.
    """
    status = error.code()
    text = error.details() or status.name
    code = _trailer(error, "kelpmq-amqp-code")
    if _trailer(error, "kelpmq-reason") in _SESSION_GONE:
        return for_code(CONNECTION_FORCED, text, method)
    if code and code != "0":
        if status is grpc.StatusCode.UNAUTHENTICATED:
            text = f"ACCESS_REFUSED - {text}" if "ACCESS_REFUSED" not in text else text
        return for_code(int(code), text, method)
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return socket.timeout(f"no answer from the broker in time ({text})")
    if status in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return for_code(403, text, method)
    if status is grpc.StatusCode.RESOURCE_EXHAUSTED:  # gRPC's own limit of size.
        return for_code(406, f"PRECONDITION_FAILED - {text}", method)
    return RecoverableConnectionError(text, method, reply_code=CONNECTION_FORCED)


def lost(text: str) -> RecoverableConnectionError:
    """A connection that is no more, or never was one of this process."""
    return RecoverableConnectionError(text)


def is_for_connection(error: BaseException) -> bool:
    """Whether AMQP closes the connection over it, and not just the channel."""
    return not isinstance(error, ChannelError)
