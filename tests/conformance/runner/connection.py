"""A gRPC channel with its stubs, and sessions used as AMQP connections."""
import base64
import threading

import stubs  # noqa: F401
import grpc
from kelpmq.v1 import (admin_pb2_grpc, messaging_pb2_grpc, session_pb2, session_pb2_grpc,
                       topology_pb2_grpc)

from .errors import AmqpError

UNARY_SECONDS = 20


class Api:
    """The stubs of one gRPC channel. Unary calls raise AmqpError."""

    def __init__(self, address: str):
        self._channel = grpc.insecure_channel(
            address, options=[("grpc.use_local_subchannel_pool", 1)])
        self.messaging = messaging_pb2_grpc.MessagingServiceStub(self._channel)
        self.session = session_pb2_grpc.SessionServiceStub(self._channel)
        self.topology = topology_pb2_grpc.TopologyServiceStub(self._channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(self._channel)

    @staticmethod
    def call(method, request, metadata=None):
        try:
            return method(request, timeout=UNARY_SECONDS, metadata=metadata)
        except grpc.RpcError as error:
            raise AmqpError.of(error) from None

    def close(self) -> None:
        self._channel.close()


class Connection:
    """A session and the stream that keeps it alive."""

    def __init__(self, api: Api, vhost: str, user: str | None, password: str | None):
        self.vhost = vhost
        self.metadata = None
        if user:
            secret = base64.b64encode(f"{user}:{password}".encode()).decode()
            self.metadata = (("authorization", f"Basic {secret}"),)
        self._api = api
        self._closed = False
        self.session_id = self.call(api.session.OpenSession, session_pb2.OpenSessionRequest(
            vhost=vhost, bound_to_watch=True)).session_id
        self._watch = api.session.WatchSession(
            session_pb2.WatchSessionRequest(session_id=self.session_id), metadata=self.metadata)
        threading.Thread(target=self._read_watch, daemon=True).start()

    def _read_watch(self) -> None:
        try:
            for _ in self._watch:
                pass
        except grpc.RpcError:
            pass
        self._closed = True

    def call(self, method, request):
        return self._api.call(method, request, self.metadata)

    @property
    def closed(self) -> bool:
        """Also true once the broker has ended the session."""
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.call(self._api.session.CloseSession,
                      session_pb2.CloseSessionRequest(session_id=self.session_id))
            self._watch.cancel()
