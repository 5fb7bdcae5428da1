"""Where a broker is, who asks, and how a channel to it is opened.

Importing this module sets GRPC_ENABLE_FORK_SUPPORT, unless it is set, before gRPC reads it: without
it the first call of a forked child can hang.
"""
from __future__ import annotations

import base64
import dataclasses
import os
import pathlib
import urllib.parse
from typing import Optional, Union

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "1")
import grpc

DEFAULT_PORT = 50672
DEFAULT_ADDRESS = f"127.0.0.1:{DEFAULT_PORT}"

_PLAIN, _TLS, _UNIX = "kelpmq", "kelpmqs", "kelpmq+unix"

Pem = Union[str, bytes, "os.PathLike[str]"]
Metadata = tuple[tuple[str, str], ...]

# Dead peers are noticed within 40 s, also while nothing is under way (api rule: a ping every 30 s).
# Our own back-off decides when to try again; gRPC's only keeps it from spinning. A pool of its own
# gives each client its own connection, which another client's failures do not slow down.
_CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_retries", 0),
)


@dataclasses.dataclass(frozen=True)
class Tls:
    """How to encrypt.

    ca: certificates to trust; default: those that gRPC comes with.
    cert, key: this client's own, if the server wants one. Each is a path, or PEM as bytes.
    server_name: the name to expect in the server's certificate, if it is not the host's.
    ValueError: a cert without its key, or a key without its cert.
    """

    ca: Optional[Pem] = None
    cert: Optional[Pem] = None
    key: Optional[Pem] = dataclasses.field(default=None, repr=False)
    server_name: Optional[str] = None

    def __post_init__(self) -> None:
        if bool(self.cert) != bool(self.key):  # gRPC would abort the process over it.
            raise ValueError("a client's certificate and its key are only of use together")


@dataclasses.dataclass(frozen=True)
class Address:
    """A broker's address, complete: gRPC target, encryption, credentials, virtual host.

    vhost: empty means the default one of the user.
    token: a bearer token, instead of user and password.
    """

    target: str = DEFAULT_ADDRESS
    tls: Optional[Tls] = None
    user: str = ""
    password: str = dataclasses.field(default="", repr=False)
    token: str = dataclasses.field(default="", repr=False)
    vhost: str = ""

    def metadata(self) -> Metadata:
        """What goes along with every call."""
        if self.token:
            return (("authorization", f"Bearer {self.token}"),)
        if self.user:
            pair = f"{self.user}:{self.password}".encode()
            return (("authorization", "Basic " + base64.b64encode(pair).decode()),)
        return ()

    def url(self) -> str:
        """A URL that parses to this address, without password and token."""
        user = urllib.parse.quote(self.user, safe="") + "@" if self.user else ""
        vhost = urllib.parse.quote(self.vhost, safe="")
        if self.target.startswith("unix:"):
            path = self.target[len("unix:"):]
            return f"{_UNIX}://{user}{path}" + (f"?vhost={vhost}" if vhost else "")
        scheme = _TLS if self.tls else _PLAIN
        return f"{scheme}://{user}{self.target}" + (f"/{vhost}" if vhost else "")


def parse_address(
    text: Optional[str] = None,
    *,
    tls: Union[Tls, bool, None] = None,
    user: str = "",
    password: str = "",
    token: str = "",
    vhost: str = "",
) -> Address:
    """Reads an address; arguments besides it count more than what it says.

    Forms: ``HOST``, ``HOST:PORT``, ``[IPV6]:PORT``, ``unix:/PATH``,
    ``kelpmq://USER:PASSWORD@HOST:PORT/VHOST`` (``kelpmqs`` with TLS), and
    ``kelpmq+unix:///PATH?vhost=VHOST``. Parts of a URL are percent-decoded, so the virtual host
    ``/`` is ``%2F``; ``//`` at the end means it, too. Without an address: $KELPMQ_ADDRESS, else
    127.0.0.1:50672. ValueError: it is none of these.
    """
    text = text or os.environ.get("KELPMQ_ADDRESS") or DEFAULT_ADDRESS
    found = _parse_url(text) if "://" in text else Address(target=_target(text))
    if tls is not None:
        found = dataclasses.replace(found, tls=Tls() if tls is True else tls or None)
    return dataclasses.replace(
        found, user=user or found.user, password=password or found.password,
        token=token or found.token, vhost=vhost or found.vhost)


def _parse_url(text: str) -> Address:
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:  # Python's text may show the password.
        raise ValueError(
            f"{_hidden(text)}: no URL (are user and password percent-encoded?)") from None
    query = dict(urllib.parse.parse_qsl(parts.query))
    unknown = sorted(set(query) - {"vhost"})
    if unknown:
        raise ValueError(f"unknown parameters in {_hidden(text)}: {', '.join(unknown)}")
    user = urllib.parse.unquote(parts.username or "")
    password = urllib.parse.unquote(parts.password or "")
    if parts.scheme == _UNIX:
        if parts.hostname or not parts.path:
            raise ValueError(f"{_hidden(text)}: write {_UNIX}:///PATH")
        return Address(target=f"unix:{urllib.parse.unquote(parts.path)}", user=user,
                       password=password, vhost=query.get("vhost", ""))
    if parts.scheme not in (_PLAIN, _TLS):
        raise ValueError(f"{_hidden(text)}: the scheme is none of {_PLAIN}, {_TLS}, {_UNIX}")
    host = parts.hostname or "127.0.0.1"
    try:
        port = parts.port or DEFAULT_PORT
    except ValueError:
        raise ValueError(f"{_hidden(text)}: no such port") from None
    return Address(
        target=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        tls=Tls() if parts.scheme == _TLS else None,
        user=user, password=password,
        vhost=urllib.parse.unquote(parts.path[1:]) or query.get("vhost", ""),
    )


def _hidden(url: str) -> str:
    """An address for an error text, without what might be a password."""
    before, at, after = url.rpartition("@")
    scheme = before.partition("://")[0] + "://" if "://" in before else ""
    shown = f"{scheme}...@{after}" if at else url
    plain, question, _ = shown.partition("?")
    return f"{plain}?..." if question else plain


def _target(text: str) -> str:
    if text.startswith(("unix:", "unix-abstract:", "dns:", "ipv4:", "ipv6:")):
        return text
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.startswith("[")):
        return text
    if text.startswith("[") or ":" not in text:
        return f"{text}:{DEFAULT_PORT}"
    raise ValueError(f"no address: {_hidden(text)!r} (write HOST:PORT, [IPV6]:PORT or unix:/PATH)")


def _pem(source: Optional[Pem]) -> Optional[bytes]:
    if source is None or isinstance(source, bytes):
        return source
    return pathlib.Path(source).read_bytes()


def open_channel(address: Address) -> grpc.Channel:
    """A channel; it connects when it is first used. OSError: a certificate cannot be read."""
    options: list[tuple[str, Union[int, str]]] = list(_CHANNEL_OPTIONS)
    tls = address.tls
    if tls is None:
        return grpc.insecure_channel(address.target, options=options)
    if tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_pem(tls.ca), private_key=_pem(tls.key),
        certificate_chain=_pem(tls.cert))
    return grpc.secure_channel(address.target, credentials, options=options)
