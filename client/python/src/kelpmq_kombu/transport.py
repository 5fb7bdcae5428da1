"""Kombu's transport for KelpMQ."""
from __future__ import annotations

import dataclasses
import os
import socket
import ssl
import sys
import time
import weakref
from typing import Any, Optional

import amqp.exceptions
from kombu.transport import base

from kelpmq._address import Address, Tls
from kelpmq._version import __version__

from . import private
from .connection import Connection
from .errors import lost
from .management import Management

if "celery" in sys.modules:  # Nobody sends tasks' results without it.
    from . import celery_hooks  # noqa: F401

DEFAULT_PORT = 50672
# Sessions that a kombu.Connection has left behind, with the process: they may still hold exclusive
# queues. Not in the Transport, of which Kombu makes another when it reconnects.
_left: weakref.WeakKeyDictionary[Any, tuple[int, str]] = weakref.WeakKeyDictionary()
# What one wake-up of an event loop handles before timers and other sockets have their turn.
_LOOP_EVENTS = 200
_LOOP_SECONDS = 0.005


class Transport(base.Transport):
    """`kelpmq://[USER:PASSWORD@]HOST[:PORT][/VHOST]`, or `kelpmq://` for a private broker.

    Options, in `transport_options`:

    unix_socket: path of the broker's socket, instead of host and port.
    token: a bearer token, instead of user and password.
    confirm_publish: True to let each publish wait for its confirm and raise what went wrong.
    client_properties: a table that the broker shows for the connection.
    on_blocked, on_unblocked: called when the broker stops taking messages, and takes them again.
    """

    #: The kombu.Connection that this belongs to.
    client: Any

    default_port = DEFAULT_PORT
    driver_type = "amqp"  # Celery switches features on by it.
    driver_name = "kelpmq"
    Management = Management

    connection_errors: tuple[type[BaseException], ...] = (
        amqp.exceptions.ConnectionError, OSError)
    channel_errors: tuple[type[BaseException], ...] = (amqp.exceptions.ChannelError,)
    recoverable_connection_errors: tuple[type[BaseException], ...] = (
        amqp.exceptions.RecoverableConnectionError, amqp.exceptions.MessageNacked, OSError)
    recoverable_channel_errors: tuple[type[BaseException], ...] = (
        amqp.exceptions.RecoverableChannelError,)

    implements = base.Transport.implements.extend(
        asynchronous=True, batch_publish=True, heartbeats=False,
        exchange_type=frozenset(["direct", "topic", "fanout", "headers"]))

    def __init__(self, client: Any, default_port: Optional[int] = None, **kwargs: Any):
        super().__init__(client, **kwargs)
        self.client = client
        self.default_port = default_port or self.default_port

    def driver_version(self) -> str:
        return __version__

    def establish_connection(self) -> Connection:
        client = self.client
        for name, default in self.default_connection_params.items():
            if not getattr(client, name, None):
                setattr(client, name, default)
        options = client.transport_options or {}
        connection = Connection(
            address(client), client_properties=options.get("client_properties"),
            confirm_publish=bool(options.get("confirm_publish")),
            on_blocked=options.get("on_blocked"), on_unblocked=options.get("on_unblocked"))
        connection.client = client
        pid, session = _left.get(client, (0, ""))
        connection.connect(client.connect_timeout, session if pid == os.getpid() else "")
        _left[client] = (connection.link.pid, connection.link.session_id)
        return connection

    def close_connection(self, connection: Connection) -> None:
        client, connection.client = connection.client, None
        connection.close()
        if client is not None and connection.link.is_ours():
            _left.pop(client, None)

    def _collect(self, connection: Optional[Connection]) -> None:
        if connection is not None:
            connection.collect()

    def create_channel(self, connection: Connection) -> Any:
        return connection.channel()

    def drain_events(self, connection: Connection, **kwargs: Any) -> None:
        connection.drain_events(**kwargs)

    def verify_connection(self, connection: Connection) -> bool:
        return connection.connected

    def register_with_event_loop(self, connection: Connection, loop: Any) -> None:
        loop.add_reader(connection.sock, self.on_readable, connection, loop)

    def unregister_from_event_loop(self, connection: Connection, loop: Any) -> None:
        loop.remove_reader(connection.sock)

    def on_readable(self, connection: Connection, loop: Any) -> None:
        """Handles some events; the socket stays readable while there are more."""
        if not connection.connected:
            raise lost("the connection is closed")
        deadline = time.monotonic() + _LOOP_SECONDS
        for _ in range(_LOOP_EVENTS):
            try:
                connection.drain_events(timeout=0)
            except socket.timeout:
                return
            if time.monotonic() > deadline:
                return

    def heartbeat_check(self, connection: Connection, rate: int = 2) -> None:
        """HTTP/2 pings find dead peers."""

    def get_heartbeat_interval(self, connection: Connection) -> float:
        return 0

    def qos_semantics_matches_spec(self, connection: Connection) -> bool:
        """False: a prefetch with apply_global holds for a channel, and may change at any time.

        Celery then raises it for each task that waits for its time, so that such tasks do not
        keep others from the worker.
        """
        return False

    @property
    def default_connection_params(self) -> dict[str, Any]:
        # No host: without one it is a private broker. No user: brokers without users want none.
        return {"port": self.default_port, "virtual_host": "/", "login_method": "PLAIN"}


class SSLTransport(Transport):
    """`kelpmqs://`: with TLS."""

    def __init__(self, client: Any, **kwargs: Any):
        super().__init__(client, **kwargs)
        if not client.ssl:
            client.ssl = True


def address(client: Any) -> Address:
    """Where `client`, a kombu.Connection, wants to go."""
    options = client.transport_options or {}
    path = options.get("unix_socket")
    if path:
        target = path if path.startswith("unix:") else f"unix:{path}"
    elif client.hostname:
        host = "127.0.0.1" if client.hostname == "localhost" else client.hostname
        target = f"[{host}]:{client.port}" if ":" in host else f"{host}:{client.port}"
    else:
        target = private.address()
    found = Address(target=target, tls=_tls(client.ssl), vhost=client.virtual_host or "/")
    if options.get("token"):
        return dataclasses.replace(found, token=options["token"])
    if client.userid and client.login_method != "EXTERNAL":
        password = client.password() if callable(client.password) else client.password
        return dataclasses.replace(found, user=client.userid, password=password or "")
    return found


def _tls(wanted: Any) -> Optional[Tls]:
    """From what py-amqp takes as `ssl`; a certificate's file may also hold its key."""
    if not wanted:
        return None
    if wanted is True:
        return Tls()
    if wanted.get("cert_reqs", ssl.CERT_REQUIRED) == ssl.CERT_NONE:
        raise ValueError("TLS without a check of the server's certificate is not supported: "
                         "give ca_certs")
    cert = wanted.get("certfile")
    return Tls(ca=wanted.get("ca_certs"), cert=cert, key=wanted.get("keyfile") or cert,
               server_name=wanted.get("server_hostname"))
