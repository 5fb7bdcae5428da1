"""The client at a broker that encrypts, and asks who calls and what they may."""
import asyncio
import logging
import pathlib
import sys
import traceback

import kelpmq
import pytest
from kelpmq import Tls

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "lib"))

import secured  # noqa: E402
from secured import changing, mutual  # noqa: E402, F401

PATIENCE = 30.0
WRONG = "wr0ng-s3cret"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """With TLS and users; root has a queue and a fanout exchange named secret."""
    with secured.running(tmp_path_factory.mktemp("guarded")) as broker:
        with kelpmq.Client(broker.url("root"), tls=Tls(ca=broker.file("ca.pem"))) as root:
            root.declare_queue("secret")
            root.declare_exchange("secret", "fanout")
        yield broker


@pytest.fixture
def tls(guarded):
    return Tls(ca=guarded.file("ca.pem"))


@pytest.fixture
def app(guarded, tls):
    with kelpmq.Client(guarded.url("app"), tls=tls, timeout=PATIENCE) as client:
        yield client


def works(address, tls):
    """Publishes, consumes and acknowledges."""
    with kelpmq.Client(address, tls=tls, timeout=PATIENCE) as client:
        queue = client.declare_queue("app-works").name
        client.publish(b"x", queue)
        with client.consume(queue) as deliveries:
            delivery = next(iter(deliveries))
            assert delivery.body == b"x"
            delivery.ack()
            deliveries.flush()
        assert client.delete_queue(queue) == 0


# TLS.


def test_a_private_authority_is_trusted(guarded, tls):
    works(guarded.url(), tls)


def test_certificates_may_be_given_as_pem(mutual):
    def pem(name):
        return pathlib.Path(mutual.file(name)).read_bytes()

    works(mutual.url(""), Tls(ca=pem("ca.pem"), cert=pem("client.pem"), key=pem("client.key")))


def test_asyncio_with_tls_and_a_user(guarded, tls):
    async def work():
        async with kelpmq.AsyncClient(guarded.url(), tls=tls, timeout=PATIENCE) as client:
            queue = (await client.declare_queue("app-asyncio")).name
            await client.publish(b"x", queue)
            async with client.consume(queue) as deliveries:
                async for delivery in deliveries:
                    delivery.ack()
                    break
            await client.delete_queue(queue)
            return delivery.body

    assert asyncio.run(work()) == b"x"


@pytest.mark.parametrize("options, why", [
    ({"ca": "other.pem"}, "of no authority that is trusted here"),
    ({}, "of no authority that is trusted here"),
    ({"ca": "client.key"}, "the certificates given here cannot be used"),
])
def test_who_is_not_vouched_for_is_refused(guarded, options, why):
    trusted = Tls(**{name: guarded.file(file) for name, file in options.items()})
    with pytest.raises(kelpmq.Unavailable, match=f"{guarded.address}: .*{why}"):
        kelpmq.Client(guarded.url(), tls=trusted)


def test_another_name_is_refused(guarded):
    other = Tls(ca=guarded.file("ca.pem"), server_name="broker.example")
    with pytest.raises(kelpmq.Unavailable, match=f"{guarded.address}: .*for another name"):
        kelpmq.Client(guarded.url(), tls=other)


def test_a_client_without_tls_is_told_that_it_may_be_wanted(guarded):
    with pytest.raises(kelpmq.Unavailable, match="may want TLS"):
        kelpmq.Client(guarded.address)


def test_a_client_shows_its_certificate(mutual):
    works(mutual.url(""), Tls(ca=mutual.file("ca.pem"), cert=mutual.file("client.pem"),
                              key=mutual.file("client.key")))


@pytest.mark.parametrize("pair", [None, "stranger"])
def test_a_client_without_a_good_certificate_is_refused(mutual, pair):
    own = {"cert": mutual.file(f"{pair}.pem"), "key": mutual.file(f"{pair}.key")} if pair else {}
    with pytest.raises(kelpmq.Unavailable, match="another certificate of the client"):
        kelpmq.Client(mutual.url(""), tls=Tls(ca=mutual.file("ca.pem"), **own))


@pytest.mark.parametrize("half", ["cert", "key"])
def test_half_a_pair_is_an_error(half):
    with pytest.raises(ValueError, match="only of use together"):
        Tls(**{half: "client.pem"})


# Users.


@pytest.mark.parametrize("user, given", [
    ("app", {"password": WRONG}), ("nobody", {"password": WRONG}), ("", {"token": WRONG}), ("", {})])
def test_AUTH_01_bad_credentials_are_an_error_at_once(guarded, tls, user, given):
    with pytest.raises(kelpmq.Unauthenticated) as caught:
        kelpmq.Client(guarded.url(""), tls=tls, user=user, connect_timeout=PATIENCE, **given)
    assert (caught.value.reason, caught.value.amqp_code) == ("BAD_CREDENTIALS", 403)


def test_AUTH_01_bad_credentials_with_asyncio(guarded, tls):
    async def work():
        async with kelpmq.AsyncClient(guarded.url("app", WRONG), tls=tls):
            pass

    with pytest.raises(kelpmq.Unauthenticated) as caught:
        asyncio.run(work())
    assert caught.value.reason == "BAD_CREDENTIALS"


@pytest.mark.parametrize("kind, action", [
    ("queue", lambda client: client.declare_queue("secret-2")),
    ("exchange", lambda client: client.declare_exchange("secret-2")),
    ("queue", lambda client: client.delete_queue("secret")),
    ("exchange", lambda client: client.delete_exchange("secret")),
    ("queue", lambda client: client.purge_queue("secret")),
    ("queue", lambda client: client.get("secret")),
    ("queue", lambda client: client.consume("secret")),
    ("queue", lambda client: client.consume("secret", print)),
    ("exchange", lambda client: client.publish(b"x", exchange="secret")),
    ("queue", lambda client: client.bind_queue("secret", "app-x")),
], ids=lambda value: value if isinstance(value, str) else "")
def test_AUTH_what_is_not_permitted_is_refused_and_the_client_goes_on(app, kind, action):
    app.declare_exchange("app-x")
    with pytest.raises(kelpmq.PermissionDenied) as caught:
        action(app)
    error = caught.value
    assert (error.reason, error.amqp_code) == ("ACCESS_REFUSED", 403)
    assert error.message.startswith(f"ACCESS_REFUSED - access to {kind} 'secret")
    assert error.message.endswith("in vhost '/' refused for user 'app'")
    assert {"amqp_code", "amqp_name"}.isdisjoint(error.metadata)
    app.publish(b"x", app.declare_queue("app-goes-on").name)
    app.delete_queue("app-goes-on")


def test_a_pipelined_publish_that_is_not_permitted_fails_alone(app):
    queue = app.declare_queue("app-pipelined").name
    with app.publisher(on_failure=lambda confirm, error: None) as publisher:
        refused = publisher.publish(b"x", "k", exchange="secret")
        accepted = publisher.publish(b"x", queue)
        assert isinstance(refused.exception(PATIENCE), kelpmq.PermissionDenied)
        assert accepted.exception(PATIENCE) is None
    app.delete_queue(queue)


def test_a_password_that_changed_ends_reconnecting(tmp_path):
    """The broker is back, and refuses us: to go on trying would lock the user out."""
    arguments = secured.certificate_files(tmp_path)
    tls = Tls(ca=str(tmp_path / "ca.pem"))
    first = kelpmq.PrivateBroker(*arguments, "--users-file", secured.users_file(tmp_path), tcp=True)
    where = secured.Secured(first.address, tmp_path)
    with kelpmq.Client(where.url(), tls=tls, timeout=PATIENCE) as client:
        consumer = client.consume(client.declare_queue("app").name)
        first.kill()
        changed = secured.users_file(tmp_path, "another password")
        with kelpmq.PrivateBroker("--listen", where.address, *arguments, "--users-file", changed):
            with pytest.raises(kelpmq.Unauthenticated):
                next(iter(consumer))
            with pytest.raises(kelpmq.Unauthenticated):
                client.publish(b"x", "app")


@pytest.mark.parametrize("change, consuming, using", [
    (lambda broker: broker.forbid("app"), (kelpmq.ConsumerCancelled, "ACCESS_REVOKED"),
     (kelpmq.PermissionDenied, "ACCESS_REFUSED")),
    (lambda broker: broker.administer("user", "delete", "app"),
     (kelpmq.Unauthenticated, "BAD_CREDENTIALS"), (kelpmq.Unauthenticated, "BAD_CREDENTIALS")),
], ids=["permission", "user"])
def test_what_is_withdrawn_ends_at_once(changing, change, consuming, using):
    tls = Tls(ca=changing.file("ca.pem"))
    with kelpmq.Client(changing.url(), tls=tls, timeout=PATIENCE) as client:
        queue = client.declare_queue("app").name
        deliveries = iter(client.consume(queue))
        client.publish(b"x", queue)
        next(deliveries).ack()
        change(changing)
        for action, (kind, reason) in [(lambda: next(deliveries), consuming),
                                       (lambda: client.publish(b"x", queue), using),
                                       (lambda: client.get(queue), using)]:
            with pytest.raises(kind) as caught:
                action()
            assert caught.value.reason == reason


# What nobody is to read.


def test_secrets_are_in_no_repr(guarded):
    address = kelpmq.parse_address(guarded.url("app", WRONG), tls=Tls(cert=b"cert", key=b"k3y"))
    for shown in (repr(address), str(address), address.url(), repr(address.tls)):
        assert WRONG not in shown and "k3y" not in shown


def test_secrets_are_in_no_log_and_no_traceback(guarded, tls, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(kelpmq.Unauthenticated) as caught:
        kelpmq.Client(guarded.url("app", WRONG), tls=tls)
    shown = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    written = capfd.readouterr()
    for text in (shown, repr(caught.value), repr(vars(caught.value)), caplog.text, *written):
        assert WRONG not in text


@pytest.mark.parametrize("text", [
    "u:s3cret@h", "u:s3cret@h:1", "kelpmq://u:[s3cret@h", "kelpmq://u:[s3cret]@h",
    "kelpmq://u:s3cret\u2100@h", "kelpmq://u:s3cret/x@h", "kelpmq://u:s3cret?x@h",
    "kelpmq://u:a://s3cret/@h", "kelpmq://h?password=s3cret", "amqp://u:s3cret@h"])
def test_what_is_no_address_does_not_show_its_password(text):
    with pytest.raises(ValueError) as caught:
        kelpmq.parse_address(text)
    shown = traceback.format_exception_only(caught.type, caught.value)
    assert "s3cret" not in "".join(shown)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
