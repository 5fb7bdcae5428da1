"""TLS: who is let in, who is not, and certificates that change while the broker runs."""
import socket
import ssl
import subprocess

import broker as broker_process
import certificates
import grpc
import pytest
import users
import wire
from kelpmq.v1 import messaging_pb2 as pb
from kelpmq.v1 import topology_pb2

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


@pytest.fixture(scope="module")
def authority():
    return certificates.Authority()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, authority):
    folder = tmp_path_factory.mktemp("tls")
    (folder / "ca.pem").write_bytes(authority.certificate)
    authority.issue("127.0.0.1").write(folder, "server")
    authority.issue("someone").write(folder, "client")
    certificates.Authority().issue("someone").write(folder, "stranger")
    return folder


def files(folder, name: str = "server") -> list[str]:
    return ["--tls-cert", str(folder / f"{name}.pem"), "--tls-key", str(folder / f"{name}.key")]


@pytest.fixture(scope="module")
def encrypted(folder):
    with broker_process.running(*files(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def mutual(folder):
    with broker_process.running(*files(folder), "--tls-client-ca", str(folder / "ca.pem")) as running:
        yield running


def connect(broker, authority, pair=None, server_name=None) -> wire.Client:
    tls = grpc.ssl_channel_credentials(authority.certificate, pair.key if pair else None,
                                       pair.certificate if pair else None)
    return wire.Client(broker.address, tls=tls, server_name=server_name)


def works(client: wire.Client) -> bool:
    """Whether a call comes through; closes the client."""
    try:
        client.messaging.GetServerInfo(pb.GetServerInfoRequest(), timeout=wire.PATIENCE)
        return True
    except grpc.RpcError as error:
        assert error.code() == UNAVAILABLE, error
        return False
    finally:
        client.close()


# Which connections are made.


def test_a_client_that_trusts_the_authority_gets_in(encrypted, authority):
    client = connect(encrypted, authority)
    queue = client.filled("a")
    assert wire.bodies(client.get(queue).deliveries) == ["a"]
    client.close()


def test_plaintext_is_refused(encrypted):
    assert not works(wire.Client(encrypted.address))


def test_another_authority_is_refused(encrypted):
    assert not works(connect(encrypted, certificates.Authority()))


def test_another_name_is_refused(encrypted, authority):
    assert not works(connect(encrypted, authority, server_name="example.org"))


def test_an_expired_certificate_is_refused(tmp_path, authority):
    authority.issue("127.0.0.1", days=-1).write(tmp_path, "server")
    with broker_process.running(*files(tmp_path)) as running:
        assert not works(connect(running, authority))


@pytest.mark.parametrize("version, accepted", [
    (ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)])
def test_tls_starts_at_1_2(encrypted, authority, version, accepted):
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    context.set_alpn_protocols(["h2"])
    context.set_ciphers("ALL:@SECLEVEL=0")  # Or this side would refuse old versions itself.
    context.minimum_version = context.maximum_version = version
    host, port = encrypted.address.split(":")
    with socket.create_connection((host, int(port)), timeout=wire.PATIENCE) as plain:
        if accepted:
            with context.wrap_socket(plain, server_hostname=host) as secured:
                assert secured.version() == version.name.replace("_", ".")
        else:
            with pytest.raises(OSError):
                context.wrap_socket(plain, server_hostname=host)


def test_a_client_needs_a_certificate_where_one_is_asked_for(mutual, authority):
    assert works(connect(mutual, authority, authority.issue("someone")))
    assert not works(connect(mutual, authority))


def test_a_clients_certificate_must_be_of_the_authority_and_current(mutual, authority):
    assert not works(connect(mutual, authority, certificates.Authority().issue("someone")))
    assert not works(connect(mutual, authority, authority.issue("someone", days=-1)))


def test_a_unix_socket_stays_plain(folder, tmp_path):
    path = f"unix:{tmp_path}/kelpmq.sock"
    with broker_process.running(*files(folder), "--listen", path):
        assert works(wire.Client(path))


# Rotation.


def test_new_certificates_are_taken_up_under_load(tmp_path):
    """A stream goes on all the while; the new authority's clients get in without a restart."""
    old, new = certificates.Authority("old"), certificates.Authority("new")
    old.issue("127.0.0.1").write(tmp_path, "server")
    with broker_process.running(*files(tmp_path)) as running:
        steady = connect(running, old)
        queue = steady.declare()
        stream = wire.Stream.two_way(steady.messaging.PublishStream)
        sent = 0

        def keep_busy() -> None:
            nonlocal sent
            sent += 1
            stream.send(pb.PublishStreamRequest(
                routing_key=queue, items=[pb.PublishItem(message=wire.message(str(sent)))]))
            works(connect(running, old))

        keep_busy()
        assert works(connect(running, old)) and not works(connect(running, new))
        new.issue("127.0.0.1").write(tmp_path, "server")

        def rotated() -> bool:
            keep_busy()
            return works(connect(running, new))

        wire.until(rotated, "the new certificate is shown")
        assert not works(connect(running, old))
        stream.half_close()
        assert stream.end()[0] == grpc.StatusCode.OK
        assert steady.topology.GetQueue(topology_pb2.GetQueueRequest(
            name=queue), timeout=wire.PATIENCE).queue.messages_ready == sent
        steady.close()


# Starting.


@pytest.mark.parametrize("arguments, complaint", [
    (["--listen", "0.0.0.0:0"], "not encrypted"),
    (["--listen", "0.0.0.0:0", "CERTIFICATE"], "nobody is asked who they are"),
    (["--tls-cert", "FOLDER/server.pem"], "--tls-key"),
    (["--tls-cert", "FOLDER/none.pem", "--tls-key", "FOLDER/server.key"], "none.pem: No such file"),
    (["--tls-cert", "FOLDER/server.key", "--tls-key", "FOLDER/server.key"], "holds no certificate"),
    (["--tls-cert", "FOLDER/server.pem", "--tls-key", "FOLDER/server.pem"], "private key"),
    (["--tls-cert", "FOLDER/server.pem", "--tls-key", "FOLDER/client.key"], "not the key of"),
    (["CERTIFICATE", "--tls-client-ca", "FOLDER/server.key"], "--tls-client-ca"),
])
def test_what_cannot_be_safe_does_not_start(folder, arguments, complaint):
    given = []
    for argument in arguments:
        given += files(folder) if argument == "CERTIFICATE" else [argument.replace("FOLDER", str(folder))]
    done = subprocess.run([broker_process.binary(), "serve", "--listen", "127.0.0.1:0", *given],
                          capture_output=True, text=True, timeout=wire.PATIENCE)
    assert done.returncode == 64 and complaint in done.stderr, done.stderr


@pytest.mark.parametrize("arguments", [
    ["--insecure-listen"], ["CERTIFICATE", "--tls-client-ca", "CA"], ["CERTIFICATE", "--users-file", "USERS"]])
def test_what_may_listen_to_other_machines(folder, arguments):
    made = users.write(folder / "users.json", users=[users.user("root")])
    given = []
    for argument in arguments:
        given += {"CERTIFICATE": files(folder), "CA": [str(folder / "ca.pem")],
                  "USERS": [made]}.get(argument, [argument])
    running = broker_process.Broker("--listen", "0.0.0.0:0", *given)
    running.stop()


# The command line.


def command_line(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [broker_process.binary(), *arguments], env={"KELPMQ_TEST": "1", **environment},
        capture_output=True, text=True, timeout=wire.PATIENCE)


def cli(broker, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return command_line(*arguments, "--address", broker.address, **environment)


def test_the_command_line_speaks_tls(encrypted, folder):
    ca = ["--tls-ca", str(folder / "ca.pem")]
    assert cli(encrypted, "status", *ca).returncode == 0
    assert cli(encrypted, "healthcheck", KELPMQ_TLS_CA=str(folder / "ca.pem")).stdout == "serving\n"
    for arguments, advice in [
            ([], "--tls-ca FILE"), (["--tls"], "--tls-ca FILE"),  # Nobody vouches for it.
            ([*ca, "--tls-server-name", "example.org"], "--tls-server-name NAME")]:
        refused = cli(encrypted, "status", *arguments)
        assert refused.returncode == 69 and advice in refused.stderr, refused.stderr
    by_url = {"KELPMQ_ADDRESS": f"kelpmqs://{encrypted.address}", "KELPMQ_TLS_CA": ca[1]}
    assert command_line("status", **by_url).returncode == 0
    missing = cli(encrypted, "status", "--tls-ca", "/none")
    assert missing.returncode == 64 and "/none" in missing.stderr
    no_certificate = cli(encrypted, "status", "--tls-ca", str(folder / "server.key"))
    assert no_certificate.returncode == 64 and "holds no certificate in PEM form" in no_certificate.stderr
    no_key = cli(encrypted, "status", *ca, "--tls-cert", str(folder / "server.pem"), "--tls-key", ca[1])
    assert no_key.returncode == 64 and "holds no unencrypted private key in PEM form" in no_key.stderr


def test_a_scheme_says_whether_there_is_tls_whatever_is_exported(encrypted, broker, folder):
    ca = str(folder / "ca.pem")
    exported = {"KELPMQ_TLS": "1", "KELPMQ_TLS_CA": ca, "KELPMQ_TLS_SERVER_NAME": "example.org"}
    plain = f"kelpmq://{broker.address}"
    assert command_line("status", "--address", plain, **exported).returncode == 0
    assert command_line("status", "--address", plain, "--tls-ca", ca).returncode == 69
    assert command_line("status", "--address", f"kelpmq://{encrypted.address}", "--tls-ca", ca).returncode == 0
    encrypted_url = ("--address", f"kelpmqs://{encrypted.address}")
    assert command_line("status", *encrypted_url, KELPMQ_TLS="0", KELPMQ_TLS_CA=ca).returncode == 0
    assert cli(broker, "status", KELPMQ_TLS="maybe").stderr.startswith("kelpmq: KELPMQ_TLS: 'maybe'")


def test_the_command_line_shows_a_certificate(mutual, folder):
    ca = ["--tls-ca", str(folder / "ca.pem")]
    assert cli(mutual, "status", *ca, *files(folder, "client")).returncode == 0
    assert cli(mutual, "status", *ca, *files(folder, "stranger")).returncode == 69
    assert cli(mutual, "status", *ca).returncode == 69
    assert cli(mutual, "status", *ca, *files(folder, "client")[:2]).returncode == 64
    perf = cli(mutual, "perf", "--seconds", "0.2", "--json", *ca, *files(folder, "client"))
    assert perf.returncode == 0, perf.stderr
