"""Carries out ops over the API, doing itself only what the cases' rules allow an adapter."""
import threading

import grpc

from .admin_ops import AdminOps
from .channel import Channel, Consumer
from .connection import Api, Connection
from .errors import CLOSED, DIRECT_REPLY_TO, AmqpError, Closed, NotMappable
from .message_ops import MessageOps
from .topology_ops import TopologyOps

_BARE_OPS = {"channel.status", "inspect", "inspect_exchange"}  # Observed without "ok".
# Ops on a channel of the case; the others have one of their own, or none.
_CHANNEL_OPS = ("exchange.", "queue.", "basic.", "confirm.", "channel.")


class Adapter(TopologyOps, MessageOps, AdminOps):
    """The connections, channels, consumers and deliveries of one case, in the vhost `vhost`."""

    def __init__(self, api: Api, vhost: str, restart_command: str | None = None):
        self._api, self._vhost, self._restart_command = api, vhost, restart_command
        self._changed = threading.Condition()
        self._connections: dict[str, Connection] = {}
        self._channels: dict[str, Channel] = {}
        self._owners: dict[Channel, Connection] = {}  # Also of channels let go of.
        self._consumers: dict[str, Consumer] = {}
        self._deliveries: dict[str, object] = {}
        self._queue_names: dict[str, str] = {}
        self._users: set[str] = set()  # Made by the case.

    def run(self, op: dict) -> dict:
        """The observation of `op`."""
        op = self._resolve(op)
        handler = getattr(self, "_" + op["op"].replace(".", "_"), None)
        if handler is None:
            raise NotMappable("TX-*" if op["op"].startswith("tx.") else op["op"])
        try:
            observation = handler(op) or {}
        except Closed:
            return CLOSED
        except AmqpError as error:
            return self._broken(op, error)
        return observation if op["op"] in _BARE_OPS else {"ok": True, **observation}

    def close(self) -> None:
        """Ends all sessions, and deletes the users that the case has made."""
        for connection in self._connections.values():
            try:
                self._close_connection(connection)
            except (AmqpError, grpc.RpcError):
                pass  # Ended with its vhost.
        self._delete_users()

    # Names.

    def _resolve(self, content):
        if isinstance(content, list):
            return [self._resolve(item) for item in content]
        if not isinstance(content, dict):
            return content
        if content.keys() == {"$ref"}:
            return self._queue_names[content["$ref"]]
        if content.keys() == {"$reply_to_of"}:
            return self._deliveries[content["$reply_to_of"]].message.reply_to
        return {key: self._resolve(item) for key, item in content.items()}

    def _connection(self, op: dict) -> Connection:
        name = op.get("conn", "A")
        if name not in self._connections:
            self._connections[name] = Connection(self._api, self._vhost, None, None)
        if self._connections[name].closed:
            raise Closed()
        return self._connections[name]

    def _channel(self, op: dict) -> Channel:
        name = op.get("ch", "a")
        if name not in self._channels:
            self._channel_open(op)
        channel = self._channels[name]
        if channel.closed or channel.broken() or self._owners[channel].closed:
            raise Closed()
        return channel

    def _session_of(self, op: dict) -> Connection:
        return self._owners[self._channel(op)]

    def _queue_of(self, op: dict) -> str:
        """The queue that an op means (QNAME-02)."""
        name = op.get("queue", "")
        if name == DIRECT_REPLY_TO:
            raise NotMappable("RPC-*")
        name = name or self._channel(op).last_queue
        if not name:
            raise AmqpError(404, "NOT_FOUND - no previously declared queue")
        return name

    # Connections and channels.

    def _broken(self, op: dict, error: AmqpError) -> dict:
        if op["op"] == "connection.open":
            return error.observation("connection")
        observation = error.observation()
        channel = self._channels.get(op.get("ch", "a"))
        if channel is None or not op["op"].startswith(_CHANNEL_OPS):
            return observation
        if observation["error"]["scope"] == "connection":
            self._close_connection(self._owners[channel], error.code)
        else:
            channel.close(error.code)
        return observation

    def _connection_open(self, op):
        self._connections[op["conn"]] = Connection(
            self._api, op.get("vhost", self._vhost), op.get("user"), op.get("password"))

    def _close_connection(self, connection: Connection, code: int | None = None) -> None:
        channels = [c for c, owner in self._owners.items() if owner is connection]
        try:
            connection.close()
        finally:
            for channel in channels:
                channel.connection_closed(code)

    def _connection_close(self, op):
        self._close_connection(self._connection(op))

    def _channel_open(self, op):
        connection = self._connection(op)
        channel = Channel(
            self._api.messaging, connection.session_id, connection.metadata, self._changed)
        self._channels[op.get("ch", "a")] = channel
        self._owners[channel] = connection

    def _channel_close(self, op):
        self._channel(op).close()

    def _channel_status(self, op):
        try:
            self._channel(op)
            return {"open": True}
        except Closed:
            code = self._channels[op.get("ch", "a")].close_code
            return {"open": False} if code is None else {"open": False, "code": code}
