"""What goes wrong: one exception for each gRPC status code, each with the broker's ``reason``.

    try:
        client.declare_queue("jobs", durable=True)
    except kelpmq.FailedPrecondition as error:
        if error.reason == "INEQUIVALENT_ARGUMENT": ...

Reasons are stable, texts may change. proto/kelpmq/v1/types.proto has the rules, the comment of each
call its reasons.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import grpc

from kelpmq._unreachable import explain
from kelpmq.internal.v1 import rpc_status_pb2


class KelpmqError(Exception):
    """Any failure of the broker, or of the way to it.

    reason: stable text to branch on, such as ``QUEUE_NOT_FOUND``; empty if the broker gave none.
    amqp_code: AMQP 0-9-1 reply code such as 404; 0 if it has none.
    metadata: further facts, such as ``queue`` and ``vhost``.
    retry_after: seconds after which a retry makes sense, or None.
    """

    #: gRPC's status code.
    code: grpc.StatusCode = grpc.StatusCode.UNKNOWN

    def __init__(self, message: str = "", *, reason: str = "", amqp_code: int = 0,
                 metadata: Optional[Mapping[str, str]] = None,
                 retry_after: Optional[float] = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.amqp_code = amqp_code
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message} [{self.reason}]" if self.reason else self.message

    def __reduce__(self) -> Any:
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[KelpmqError], args: tuple[Any, ...], facts: dict[str, Any]) -> KelpmqError:
    error = kind(*args)
    error.__dict__.update(facts)
    return error


class Cancelled(KelpmqError):
    """The call was cancelled, for example because the client was closed."""

    code = grpc.StatusCode.CANCELLED


class InvalidArgument(KelpmqError):
    """The request can never succeed as it is (AMQP 502)."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class DeadlineExceeded(KelpmqError, TimeoutError):
    """No answer in time. Whether the broker acted is unknown."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class NotFound(KelpmqError):
    """An exchange, queue, virtual host, session or lease is not there (AMQP 404)."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(KelpmqError):
    """A consumer tag is in use (AMQP 530)."""

    code = grpc.StatusCode.ALREADY_EXISTS


class PermissionDenied(KelpmqError):
    """Not allowed to this user, or a reserved name (AMQP 403)."""

    code = grpc.StatusCode.PERMISSION_DENIED


class Unauthenticated(KelpmqError):
    """Wrong user, password or token (AMQP 403)."""

    code = grpc.StatusCode.UNAUTHENTICATED


class ResourceExhausted(KelpmqError):
    """An alarm, a limit or a full queue (AMQP 506)."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class FailedPrecondition(KelpmqError):
    """The state does not allow it: unequal redeclaration, locked or used queue (AMQP 405, 406)."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Aborted(KelpmqError):
    """The session has ended (AMQP 320)."""

    code = grpc.StatusCode.ABORTED


class Unimplemented(KelpmqError):
    """The broker cannot do this (AMQP 540)."""

    code = grpc.StatusCode.UNIMPLEMENTED


class InternalError(KelpmqError):
    """A defect of the broker (AMQP 541)."""

    code = grpc.StatusCode.INTERNAL


class Unavailable(KelpmqError, ConnectionError):
    """The broker cannot be reached, or is stopping.

    With a ``reason`` nothing was done and a retry is safe; without one the outcome is unknown.
    """

    code = grpc.StatusCode.UNAVAILABLE


class NoRoute(FailedPrecondition):
    """A mandatory message fits no queue (AMQP 312). It was enqueued nowhere."""


class QueueFull(ResourceExhausted):
    """A queue with overflow ``reject-publish`` refused the message."""


class OutcomeUnknown(Unavailable):
    """The confirm of a publish was lost: the broker may or may not have the message.

    Publish it again only if the consumers cope with it twice.
    """


class PublishFailed(KelpmqError):
    """Publishes have failed; `failures` holds the error of each (of the first 1,000)."""

    def __init__(self, failures: Sequence[KelpmqError] = ()) -> None:
        first = failures[0] if failures else KelpmqError()
        super().__init__(f"{len(failures)} publishes failed, the first: {first.message}",
                         reason=first.reason, amqp_code=first.amqp_code)
        self.failures = list(failures)

    def __reduce__(self) -> Any:
        return type(self), (self.failures,)


class ConsumerCancelled(KelpmqError):
    """The broker ended a consumer, for example because its queue was deleted; see ``reason``."""


class ClientClosed(KelpmqError):
    """The client, publisher or consumer was closed before, or while, this was under way."""


class ForkedClient(KelpmqError):
    """A client was used in a process that was forked from the one that made it.

    Connections do not survive a fork: make a new client in the child.
    """


_BY_CODE: dict[int, type[KelpmqError]] = {
    kind.code.value[0]: kind
    for kind in (Cancelled, InvalidArgument, DeadlineExceeded, NotFound, AlreadyExists,
                 PermissionDenied, Unauthenticated, ResourceExhausted, FailedPrecondition,
                 Aborted, Unimplemented, InternalError, Unavailable)
}
_BY_REASON: dict[str, type[KelpmqError]] = {"NO_ROUTE": NoRoute, "QUEUE_FULL": QueueFull}


def make_error(code: int, message: str, *, reason: str = "", amqp_code: int = 0,
               metadata: Optional[Mapping[str, str]] = None,
               retry_after: Optional[float] = None) -> KelpmqError:
    """The exception for a numeric gRPC status code and a reason."""
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code, KelpmqError)
    return kind(message, reason=reason, amqp_code=amqp_code, metadata=metadata,
                retry_after=retry_after)


def _facts(metadata: Mapping[str, str]) -> dict[str, str]:
    """Without what the exception says anyway."""
    return {key: value for key, value in metadata.items() if key not in ("amqp_code", "amqp_name")}


def from_failure(failure: Any) -> KelpmqError:
    """The exception for a PublishFailure or an OperationError of a stream."""
    return make_error(failure.code, failure.message, reason=failure.reason,
                      amqp_code=failure.amqp_code,
                      metadata=_facts(getattr(failure, "metadata", None) or {}))


def from_rpc_error(error: Any) -> KelpmqError:
    """The exception for a grpc.RpcError (or an ended grpc.Call), with all its details."""
    code = error.code()
    number = int((code or grpc.StatusCode.UNKNOWN).value[0])
    trailers: dict[str, Any] = {key: value for key, value in error.trailing_metadata() or ()}
    metadata: dict[str, str] = {}
    retry_after: Optional[float] = None
    status = rpc_status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
    for detail in status.details:
        kind = detail.type_url.rpartition("/")[2]
        if kind == "google.rpc.ErrorInfo":
            metadata.update(rpc_status_pb2.ErrorInfo.FromString(detail.value).metadata)
        elif kind == "google.rpc.RetryInfo":
            delay = rpc_status_pb2.RetryInfo.FromString(detail.value).retry_delay
            retry_after = delay.seconds + delay.nanos / 1e9
    return make_error(number, explain(error.details() or ""),
                      reason=trailers.get("kelpmq-reason", ""),
                      amqp_code=int(trailers.get("kelpmq-amqp-code", 0)),
                      metadata=_facts(metadata), retry_after=retry_after)
