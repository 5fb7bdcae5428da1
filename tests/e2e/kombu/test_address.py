"""Where a kombu.Connection leads to, and as whom."""
import ssl

import kombu
import pytest

from kelpmq_kombu.transport import address


def of(url, **more):
    connection = kombu.Connection(url, **more)
    for name, default in connection.transport.default_connection_params.items():
        if not getattr(connection, name, None):
            setattr(connection, name, default)
    return address(connection)


@pytest.mark.parametrize("url, target, vhost", [
    ("kelpmq://localhost", "127.0.0.1:50672", "/"),
    ("kelpmq://localhost//", "127.0.0.1:50672", "/"),
    ("kelpmq://broker.example:7/shop", "broker.example:7", "shop"),
    ("kelpmq://[::1]:7", "[::1]:7", "/"),
])
def test_host_and_vhost(url, target, vhost):
    found = of(url)
    assert (found.target, found.vhost, found.tls) == (target, vhost, None)


def test_a_unix_socket():
    for path in ("/run/kelpmq.sock", "unix:/run/kelpmq.sock"):
        assert of("kelpmq://", transport_options={"unix_socket": path}).target == (
            "unix:/run/kelpmq.sock")


def test_credentials():
    assert of("kelpmq://host").metadata() == ()
    assert of("kelpmq://guest:gu%40est@host").metadata() == (
        ("authorization", "Basic Z3Vlc3Q6Z3VAZXN0"),)
    assert of("kelpmq://guest@host", password=lambda: "gu@est").metadata() == (
        ("authorization", "Basic Z3Vlc3Q6Z3VAZXN0"),)
    assert of("kelpmq://host", transport_options={"token": "t"}).metadata() == (
        ("authorization", "Bearer t"),)
    assert of("kelpmq://guest:guest@host", login_method="EXTERNAL").metadata() == ()


def test_tls():
    assert of("kelpmqs://host").tls is not None
    found = of("kelpmq://host", ssl={
        "ca_certs": "ca.pem", "certfile": "cert.pem", "keyfile": "key.pem",
        "server_hostname": "broker"}).tls
    assert (found.ca, found.cert, found.key, found.server_name) == (
        "ca.pem", "cert.pem", "key.pem", "broker")


def test_tls_without_a_check_is_refused():
    with pytest.raises(ValueError):
        of("kelpmq://host", ssl={"cert_reqs": ssl.CERT_NONE})
