"""Kombu at a broker that encrypts, and asks who calls and what they may."""
import logging
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import textwrap
import time
import traceback
import urllib.parse

import kombu
import pytest
from amqp.exceptions import AccessRefused, ConsumerCancelled, NotAllowed
from conftest import PATIENCE, get, publish

import kelpmq
import kelpmq_kombu  # noqa: F401

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "lib"))

import secured  # noqa: E402
from secured import changing, mutual  # noqa: E402, F401

WRONG = "wr0ng-s3cret"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """With TLS and users; root has a queue and a fanout exchange named secret."""
    with secured.running(tmp_path_factory.mktemp("guarded")) as broker:
        with kombu.Connection(broker.url("root"), ssl={"ca_certs": broker.file("ca.pem")}) as root:
            channel = root.channel()
            channel.queue_declare("secret", auto_delete=False)
            channel.exchange_declare("secret", "fanout", auto_delete=False)
        yield broker


@pytest.fixture
def trusted(guarded):
    return {"ca_certs": guarded.file("ca.pem"), "cert_reqs": ssl.CERT_REQUIRED}


@pytest.fixture
def app(guarded, trusted):
    with kombu.Connection(guarded.url(), ssl=trusted) as connection:
        yield connection


def works(connection):
    """Publishes, consumes and acknowledges."""
    with connection:
        queue = connection.SimpleQueue("app-works")
        queue.put({"a": 1})
        message = queue.get(timeout=PATIENCE)
        assert message.payload == {"a": 1}
        message.ack()
        queue.close()
        connection.default_channel.queue_delete("app-works")


def drain_until_it_raises(connection):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            connection.drain_events(timeout=1)
        except socket.timeout:
            continue
    raise AssertionError("nothing was raised")


def establish(connection):
    """One attempt: Connection.connect() makes another after two seconds."""
    with connection:
        return connection.transport.establish_connection()


# TLS.


def test_a_private_authority_is_trusted(guarded, trusted):
    works(kombu.Connection(guarded.url(), ssl=trusted))


def test_a_scheme_without_tls_gets_it_by_its_option(guarded, trusted):
    works(kombu.Connection(guarded.url().replace("kelpmqs:", "kelpmq:"), ssl=trusted))


@pytest.mark.parametrize("options, why", [
    ({"ca_certs": "other.pem"}, "of no authority that is trusted here"),
    ({}, "of no authority that is trusted here"),
    ({"ca_certs": "client.key"}, "the certificates given here cannot be used"),
])
def test_who_is_not_vouched_for_is_refused(guarded, options, why):
    options = {name: guarded.file(file) for name, file in options.items()}
    with pytest.raises(ConnectionRefusedError, match=f"{guarded.address}: .*{why}"):
        establish(kombu.Connection(guarded.url(), ssl=options or True))


def test_another_name_is_refused(guarded, trusted):
    trusted["server_hostname"] = "broker.example"
    with pytest.raises(ConnectionRefusedError, match=f"{guarded.address}: .*for another name"):
        establish(kombu.Connection(guarded.url(), ssl=trusted))


def test_a_client_without_tls_is_told_that_it_may_be_wanted(guarded):
    with pytest.raises(ConnectionRefusedError, match="may want TLS"):
        establish(kombu.Connection(f"kelpmq://{guarded.address}"))


def test_tls_is_told_from_a_broker_without_it(broker):
    with pytest.raises(ConnectionRefusedError, match="does not speak TLS"):
        establish(kombu.Connection(f"kelpmqs://{broker.address}"))


def test_a_connection_that_is_not_trusted_ends_with_its_retries(guarded):
    """As for py-amqp, it is an error of the connection, which Kombu may try again."""
    failures = []
    connection = kombu.Connection(guarded.url(), ssl={"ca_certs": guarded.file("other.pem")})
    with connection, pytest.raises(connection.connection_errors):
        connection.ensure_connection(
            errback=lambda error, interval: failures.append(error), max_retries=2,
            interval_start=0, interval_step=0, reraise_as_library_errors=False)
    assert failures


@pytest.mark.parametrize("together", [False, True])
def test_a_client_shows_its_certificate(mutual, tmp_path, together):
    own = {"certfile": mutual.file("client.pem"), "keyfile": mutual.file("client.key")}
    if together:  # In one file, as py-amqp takes it.
        both = tmp_path / "both.pem"
        both.write_bytes(b"".join(pathlib.Path(file).read_bytes() for file in own.values()))
        own = {"certfile": str(both)}
    works(kombu.Connection(mutual.url(""), login_method="EXTERNAL",
                           ssl={"ca_certs": mutual.file("ca.pem"), **own}))


@pytest.mark.parametrize("pair", [None, "stranger"])
def test_a_client_without_a_good_certificate_is_refused(mutual, pair):
    own = {"certfile": mutual.file(f"{pair}.pem"),
           "keyfile": mutual.file(f"{pair}.key")} if pair else {}
    with pytest.raises(ConnectionRefusedError, match="another certificate of the client"):
        establish(kombu.Connection(mutual.url(""), ssl={"ca_certs": mutual.file("ca.pem"), **own}))


# Users.


@pytest.mark.parametrize("user, options", [
    ("app", {}), ("nobody", {}), ("", {}), ("", {"transport_options": {"token": WRONG}})])
def test_AUTH_01_bad_credentials_are_refused_as_by_rabbitmq(guarded, trusted, user, options):
    connection = kombu.Connection(guarded.url(user, WRONG), ssl=trusted, **options)
    with connection, pytest.raises(AccessRefused) as caught:
        connection.connect()
    assert caught.value.reply_code == 403
    assert str(caught.value).startswith("(0, 0): (403) ACCESS_REFUSED - ")


def test_AUTH_01_bad_credentials_are_not_tried_again(guarded, trusted):
    retried = []
    with kombu.Connection(guarded.url("app", WRONG), ssl=trusted) as connection:
        with pytest.raises(AccessRefused):
            connection.ensure_connection(errback=lambda *failure: retried.append(failure))
        with pytest.raises(AccessRefused):
            kombu.Producer(connection, auto_declare=False).publish(
                "x", routing_key="app", retry=True, retry_policy={"errback": retried.append})
    assert retried == []


def test_a_vhost_that_is_not_there_reads_as_with_rabbitmq(guarded, trusted):
    with kombu.Connection(guarded.url() + "/none", ssl=trusted) as connection:
        with pytest.raises(NotAllowed, match=r"^Connection.open: \(530\) NOT_ALLOWED - "):
            connection.connect()


def publishes(channel):
    """Kombu publishes without a confirm, so the error comes with the next events."""
    publish(channel, "x", "k", exchange="secret")
    channel.connection.drain_events(timeout=PATIENCE)


@pytest.mark.parametrize("method, kind, action", [
    ("Queue.declare", "queue", lambda channel: channel.queue_declare("secret-2")),
    ("Exchange.declare", "exchange", lambda channel: channel.exchange_declare("secret-2", "topic")),
    ("Queue.delete", "queue", lambda channel: channel.queue_delete("secret")),
    ("Exchange.delete", "exchange", lambda channel: channel.exchange_delete("secret")),
    ("Queue.purge", "queue", lambda channel: channel.queue_purge("secret")),
    ("Basic.get", "queue", lambda channel: channel.basic_get("secret")),
    ("Basic.consume", "queue",
     lambda channel: channel.basic_consume("secret", "c", callback=print)),
    ("Queue.bind", "exchange", lambda channel: channel.queue_bind("app-bound", "secret", "")),
    ("Basic.publish", "exchange", publishes),
], ids=lambda value: value if isinstance(value, str) and "." in value else "")
def test_AUTH_what_is_not_permitted_is_refused_and_the_connection_goes_on(
        app, method, kind, action):
    channel = app.channel()
    channel.queue_declare("app-bound", auto_delete=False)
    with pytest.raises(AccessRefused) as caught:
        action(channel)
    error = caught.value
    assert (error.reply_code, error.method_name) == (403, method)
    assert error.reply_text.startswith(f"ACCESS_REFUSED - access to {kind} 'secret")
    assert error.reply_text.endswith("in vhost '/' refused for user 'app'")
    assert app.connected
    other = app.channel()
    publish(other, "x", "app-bound")
    assert get(other, "app-bound").body == "x"
    other.queue_delete("app-bound")


def test_a_confirmed_publish_that_is_not_permitted_raises_at_once(guarded, trusted):
    with kombu.Connection(guarded.url(), ssl=trusted,
                          transport_options={"confirm_publish": True}) as connection:
        with pytest.raises(AccessRefused, match=r"^Basic.publish: \(403\) ACCESS_REFUSED - "):
            publish(connection.channel(), "x", "k", exchange="secret")


def test_a_password_that_changed_ends_reconnecting(tmp_path):
    """The broker is back, and refuses us: to go on trying would lock the user out."""
    arguments = secured.certificate_files(tmp_path)
    first = kelpmq.PrivateBroker(*arguments, "--users-file", secured.users_file(tmp_path), tcp=True)
    where = secured.Secured(first.address, tmp_path)
    with kombu.Connection(where.url(), ssl={"ca_certs": where.file("ca.pem")}) as connection:
        connection.channel()
        first.kill()
        changed = secured.users_file(tmp_path, "another password")
        with kelpmq.PrivateBroker("--listen", where.address, *arguments, "--users-file", changed):
            with pytest.raises(connection.recoverable_connection_errors):
                drain_until_it_raises(connection)
            with pytest.raises(AccessRefused):
                connection.ensure_connection()


def test_a_consumer_ends_with_its_permission(changing):
    trusted = {"ca_certs": changing.file("ca.pem")}
    with kombu.Connection(changing.url(), ssl=trusted) as connection:
        channel = connection.channel()
        channel.queue_declare("app", auto_delete=False)
        channel.basic_consume("app", "c", callback=print)
        changing.forbid("app")
        with pytest.raises(ConsumerCancelled):
            drain_until_it_raises(connection)
        with pytest.raises(AccessRefused):
            channel.basic_get("app")


def test_a_connection_ends_with_its_user(changing):
    trusted = {"ca_certs": changing.file("ca.pem")}
    with kombu.Connection(changing.url(), ssl=trusted) as connection:
        connection.connect()
        changing.administer("user", "delete", "app")
        with pytest.raises(connection.connection_errors, match="user 'app' is gone"):
            drain_until_it_raises(connection)
        with pytest.raises(AccessRefused):
            connection.ensure_connection()


# Celery.


def celery(broker, folder, url, *arguments):
    """What starts a Celery program whose broker is at `url`, and where; its app is in app.py."""
    (folder / "app.py").write_text(textwrap.dedent(f"""
        import celery
        app = celery.Celery(broker={url!r}, backend="rpc://")
        app.conf.broker_use_ssl = {{"ca_certs": {broker.file("ca.pem")!r}}}

        @app.task(name="add")
        def add(x, y):
            return x + y
        """))
    return [sys.executable, *arguments], {
        "cwd": folder, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT,
        "env": {**os.environ, "PYTHONPATH": str(folder)}}


WORKER = ["-m", "celery", "-A", "app", "worker", "-l", "DEBUG"]


def test_a_worker_of_processes_with_tls_and_a_user(guarded, tmp_path):
    command, options = celery(guarded, tmp_path, guarded.url("root"), *WORKER, "-c", "1")
    with subprocess.Popen(command, **options) as worker:
        try:
            asked, more = celery(
                guarded, tmp_path, guarded.url("root"), "-c",
                f"import app; print(app.add.delay(2, 3).get(timeout={PATIENCE}))")
            done = subprocess.run(asked, timeout=2 * PATIENCE, **more)
        finally:
            worker.terminate()
            log, _ = worker.communicate(timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stdout
    assert "Task add[" in log
    for form in (secured.PASSWORD, urllib.parse.quote(secured.PASSWORD, safe="")):
        assert form not in log


def test_a_worker_with_a_wrong_password_ends_as_with_rabbitmq(guarded, tmp_path):
    command, options = celery(
        guarded, tmp_path, guarded.url("app", WRONG), *WORKER, "-P", "solo")
    done = subprocess.run(command, timeout=2 * PATIENCE, **options)
    assert done.returncode != 0
    assert "AccessRefused: (0, 0): (403) ACCESS_REFUSED - " in done.stdout, done.stdout
    assert WRONG not in done.stdout


# What nobody is to read.


def test_a_password_is_in_no_repr(guarded, trusted, app):
    shown = kombu.Connection(guarded.url("app", WRONG), ssl=trusted)
    for text in (repr(shown), str(shown), shown.as_uri()):
        assert WRONG not in text
    app.connect()
    for text in (repr(app.connection), repr(app.transport), repr(app.channel()),
                 repr(app.connection.link)):
        assert secured.PASSWORD not in text


def test_a_password_is_in_no_log_and_no_traceback(guarded, trusted, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with kombu.Connection(guarded.url("app", WRONG), ssl=trusted) as connection:
        with pytest.raises(AccessRefused) as caught:
            connection.connect()
    shown = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    written = capfd.readouterr()
    for text in (shown, repr(caught.value), repr(vars(caught.value)), caplog.text, *written):
        assert WRONG not in text
