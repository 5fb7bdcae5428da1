"""Carries out ops over AMQP and says what RabbitMQ did; the counterpart of runner.adapter."""
import time

import amqp

from runner.errors import CLOSED

from .channel import Channel, Connection, Consumer
from .message_ops import MessageOps
from .topology_ops import TopologyOps

_BARE_OPS = {"channel.status", "inspect", "inspect_exchange"}
_CHANNEL_OPS = ("exchange.", "queue.", "basic.", "confirm.", "channel.")


class Meaningless(Exception):
    """The op is about a delivery or a consumer that never was."""


class _Closed(Exception):
    pass


class Recorder(TopologyOps, MessageOps):
    """One case, in a vhost that belongs to it."""

    def __init__(self, port: int, vhost: str):
        self._port, self._vhost = port, vhost
        self._connections: dict[str, Connection] = {}
        self._channels: dict[str, Channel] = {}
        self._all_channels: list[Channel] = []  # Also those let go of.
        self._consumers: dict[str, Consumer] = {}
        self._tags: dict[str, int] = {}

    def record(self, ops: list[dict]) -> tuple[list[dict], list[dict]]:
        """The ops that had a meaning, and their observations."""
        played, observed = [], []
        for op in ops:
            if op["op"] == "collect":
                op = {**op, "consumers": [c for c in _names(op) if c in self._consumers]}
                if not op["consumers"]:
                    continue
            try:
                observed.append(self.run(op))
            except Meaningless:
                continue
            played.append(op)
        return played, observed

    def run(self, op: dict) -> dict:
        """The observation of `op`."""
        handler = getattr(self, "_" + op["op"].replace(".", "_"))
        try:
            observation = handler(op) or {}
        except _Closed:
            return CLOSED
        except amqp.exceptions.AMQPError as error:
            return self._broken(op, error)
        return observation if op["op"] in _BARE_OPS else {"ok": True, **observation}

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    # Names.

    def _connection(self, op) -> Connection:
        name = op.get("conn", "A")
        if name not in self._connections:
            self._connections[name] = Connection(self._port, self._vhost)
        if self._connections[name].closed:
            raise _Closed
        return self._connections[name]

    def _channel(self, op) -> Channel:
        name = op.get("ch", "a")
        if name not in self._channels:
            self._channel_open(op)
        return self._open(self._channels[name])

    @staticmethod
    def _open(channel: Channel) -> Channel:
        if channel.closed or channel.connection.closed:
            raise _Closed
        return channel

    def _consumer(self, name: str) -> Consumer:
        if name not in self._consumers:
            raise Meaningless
        return self._consumers[name]

    def _tag(self, op) -> int:
        if "tag" in op:
            return op["tag"]
        if op["delivery"] not in self._tags:
            raise Meaningless
        return self._tags[op["delivery"]]

    # Connections and channels.

    def _sleep(self, op):
        time.sleep(op["ms"] / 1000)

    def _broken(self, op, error) -> dict:
        of_connection = isinstance(error, amqp.exceptions.ConnectionError)
        code = error.reply_code or error.code
        if op["op"].startswith(_CHANNEL_OPS):
            channel = self._channels[op.get("ch", "a")]
            if of_connection:
                channel.connection.closed = True
            for other in self._all_channels if of_connection else [channel]:
                if other.connection is channel.connection and not other.closed:
                    other.closed, other.close_code = True, code
        return {"error": {"scope": "connection" if of_connection else "channel", "code": code,
                          "text": error.reply_text}}

    def _connection_open(self, op):
        self._connections[op["conn"]] = Connection(self._port, self._vhost)

    def _connection_close(self, op):
        self._connection(op).close()

    def _channel_open(self, op):
        channel = Channel(self._connection(op))
        self._channels[op.get("ch", "a")] = channel
        self._all_channels.append(channel)

    def _channel_close(self, op):
        channel = self._channel(op)
        channel.closed = True
        channel.amqp.close()

    def _channel_status(self, op):
        try:
            self._channel(op)
            return {"open": True}
        except _Closed:
            code = self._channels[op.get("ch", "a")].close_code
            return {"open": False} if code is None else {"open": False, "code": code}


def _names(op: dict) -> list[str]:
    return op.get("consumers") or [op["consumer"]]
