"""The server around the RPCs: start, listening, standard services, drain."""
import os
import pathlib
import signal
import socket
import stat
import subprocess

import broker as broker_process
import grpc
import pytest
import wire
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase)
from kelpmq.v1 import messaging_pb2 as pb
from kelpmq.v1 import session_pb2

SERVICES = [f"kelpmq.v1.{name}Service" for name in ("Admin", "Messaging", "Session", "Topology")]
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
SERVING, NOT_SERVING = (health_pb2.HealthCheckResponse.SERVING,
                        health_pb2.HealthCheckResponse.NOT_SERVING)


def serve(*args, **environment):
    """Runs `kelpmq serve` until it ends by itself."""
    return subprocess.run(
        [broker_process.binary(), "serve", *args], env={**os.environ, **environment},
        capture_output=True, text=True, timeout=wire.PATIENCE)


# Listening.


def test_a_port_in_use_is_an_error(broker):
    done = serve("--listen", broker.address)
    assert done.returncode not in (0, -signal.SIGABRT, -signal.SIGSEGV)
    assert broker.address.split(":")[1] in done.stderr


def test_a_non_loopback_address_needs_a_flag():
    done = serve("--listen", "0.0.0.0:0")
    assert done.returncode != 0 and "--insecure-listen" in done.stderr


def test_a_bad_flag_is_an_error_that_says_so():
    done = serve("--no-such-flag")
    assert done.returncode != 0 and "no-such-flag" in done.stderr


def test_several_listeners_with_a_unix_socket(tmp_path):
    path = tmp_path / "kelpmq.sock"
    with broker_process.running("--listen", f"unix:{path}") as running:
        assert stat.S_ISSOCK(path.stat().st_mode)
        by_tcp, by_path = wire.Client(running.address), wire.Client(f"unix:{path}")
        name = by_tcp.declare()
        by_path.publish(name, "through the socket")
        assert wire.bodies(by_tcp.get(name).deliveries) == ["through the socket"]
        by_tcp.close(), by_path.close()


def test_a_unix_socket_has_the_mode_that_was_asked_for(tmp_path):
    path = tmp_path / "kelpmq.sock"
    with broker_process.running("--listen", f"unix:{path}", "--socket-mode", "0660"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.parametrize("mode", ["1777", "rw", "888", "00660", ""])
def test_a_socket_mode_is_octal_and_has_no_special_bits(mode):
    done = serve("--socket-mode", mode)
    assert done.returncode == 64 and "--socket-mode" in done.stderr


def test_the_environment_sets_flags(tmp_path):
    path = tmp_path / "kelpmq.sock"
    process = subprocess.Popen(
        [broker_process.binary(), "serve"], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "KELPMQ_LISTEN": f"unix:{path}"})
    try:
        assert "ready" in process.stdout.readline()
        client = wire.Client(f"unix:{path}")
        assert client.messaging.GetServerInfo(pb.GetServerInfoRequest()).version
        client.close()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(wire.PATIENCE) == 0


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_a_service_manager_hears_of_ready_and_stopping(tmp_path, abstract):
    name = f"@kelpmq-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0", 1))
        manager.settimeout(wire.PATIENCE)
        process = subprocess.Popen(
            [broker_process.binary(), "serve", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "NOTIFY_SOCKET": name})
        assert manager.recv(100) == b"READY=1"
        assert "ready" in process.stdout.readline()
        process.terminate()
        assert manager.recv(100) == b"STOPPING=1"
        assert process.wait(wire.PATIENCE) == 0
        process.stdout.close()


def test_a_service_manager_that_is_gone_is_no_reason_to_stop(tmp_path):
    process = subprocess.Popen(
        [broker_process.binary(), "serve", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
        text=True, env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "nobody")})
    assert "ready" in process.stdout.readline()
    process.terminate()
    assert process.wait(wire.PATIENCE) == 0
    process.stdout.close()


def test_kelpmqd_is_the_broker(tmp_path):
    link = tmp_path / "kelpmqd"
    link.symlink_to(pathlib.Path(broker_process.binary()).resolve())
    process = subprocess.Popen([link, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        assert "ready" in process.stdout.readline()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(wire.PATIENCE) == 0


# Standard services.


def test_server_info_tells_the_limits(client):
    info = client.messaging.GetServerInfo(pb.GetServerInfoRequest())
    assert info.engine == "memory" and info.version and info.node_id
    limits = info.limits
    assert (limits.max_message_bytes, limits.max_request_bytes) == (4_128_768, 4_194_304)
    assert (limits.max_header_bytes, limits.max_header_depth) == (65_536, 16)
    assert (limits.max_batch_items, limits.max_unacked_per_stream,
            limits.max_consumers_per_stream) == (10_000, 65_535, 256)


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_every_service_is_healthy(client, service):
    health = health_pb2_grpc.HealthStub(client.channel)
    assert health.Check(health_pb2.HealthCheckRequest(service=service)).status == SERVING
    watching = wire.Stream(health.Watch(health_pb2.HealthCheckRequest(service=service)))
    assert watching.take().status == SERVING
    watching.break_off()


def test_health_of_an_unknown_service_is_not_found(client):
    with pytest.raises(grpc.RpcError) as info:
        health_pb2_grpc.HealthStub(client.channel).Check(
            health_pb2.HealthCheckRequest(service="no.such.Service"))
    assert info.value.code() == grpc.StatusCode.NOT_FOUND


def test_reflection_describes_every_service(client):
    database = ProtoReflectionDescriptorDatabase(client.channel)
    assert set(SERVICES) <= set(database.get_services())
    pool = descriptor_pool.DescriptorPool(database)
    for service in SERVICES:
        reflected = pool.FindServiceByName(service)
        own = descriptor_pool.Default().FindServiceByName(service)
        assert [m.name for m in reflected.methods] == [m.name for m in own.methods]


def test_reflection_v1_answers_as_v1alpha_does(client):
    request = reflection_pb2.ServerReflectionRequest(list_services="")

    def services(version):
        method = client.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)
        [answer] = list(method(iter([request])))
        return {s.name for s in answer.list_services_response.service}

    assert services("v1") == services("v1alpha") >= set(SERVICES)


def test_an_unknown_method_is_unimplemented(client):
    method = client.channel.unary_unary("/kelpmq.v1.MessagingService/NoSuchMethod")
    with pytest.raises(grpc.RpcError) as info:
        method(b"")
    assert info.value.code() == grpc.StatusCode.UNIMPLEMENTED


# Drain.


@pytest.fixture
def own_client(own_broker):
    client = wire.Client(own_broker.address)
    yield client
    client.close()


def test_an_idle_broker_stops_at_once_with_exit_code_0(own_broker):
    own_broker.terminate()
    assert own_broker.wait(5) == 0


def test_drain_warns_streams_and_lets_work_end(own_broker, own_client):
    client = own_client
    name = client.declare()
    client.publish(name, *"abc")
    consuming = wire.ConsumeStream.open(client)
    consuming.start(name, prefetch_count=2)
    consuming.deliveries(2)
    subscribed = wire.Stream(client.messaging.Subscribe(
        pb.SubscribeRequest(start=pb.ConsumerSpec(queue=client.declare()))))
    publishing = wire.Stream.two_way(client.messaging.PublishStream, pb.PublishStreamRequest())
    publishing.take()
    session = client.open_session()
    watching = wire.Stream(client.session.WatchSession(
        session_pb2.WatchSessionRequest(session_id=session)))
    health = wire.Stream(health_pb2_grpc.HealthStub(client.channel).Watch(
        health_pb2.HealthCheckRequest()))
    assert health.take().status == SERVING

    own_broker.terminate()
    draining = consuming.event("draining")
    assert draining.deadline.seconds > 0 and draining.message
    subscribed.take(lambda r: r.HasField("draining"))
    publishing.take(lambda r: r.HasField("draining"))
    watching.take(lambda r: r.HasField("draining"))
    assert health.take().status == NOT_SERVING

    # Settling, publishing and closing go on; new work does not.
    assert consuming.settle(delivery_tags=[1]).settled_count == 1
    publishing.send(pb.PublishStreamRequest(items=[pb.PublishItem(routing_key=name)]))
    assert publishing.take(lambda r: r.confirmed).confirmed[0].last == 2
    client.publish(name, "unary too")
    for refused in (lambda: client.open_session(), lambda: client.get(name)):
        with wire.fails(UNAVAILABLE, "SERVER_DRAINING"):
            refused()
    assert wire.ConsumeStream.open(client).end() == (UNAVAILABLE, "SERVER_DRAINING")
    client.close_session(session)

    for stream in (consuming, publishing):
        stream.half_close()
    subscribed.call.cancel()
    assert consuming.end() == (grpc.StatusCode.OK, "")
    assert publishing.end() == (grpc.StatusCode.OK, "")
    assert own_broker.wait() == 0


def test_drain_waits_for_the_acks_of_a_get(own_broker, own_client):
    name = own_client.declare()
    own_client.publish(name, *"ab")
    got = own_client.get(name, max_messages=2)
    health = wire.Stream(health_pb2_grpc.HealthStub(own_client.channel).Watch(
        health_pb2.HealthCheckRequest()))
    health.take(lambda r: r.status == SERVING)
    own_broker.terminate()
    health.take(lambda r: r.status == NOT_SERVING)
    for tag in (1, 2):
        answer = own_client.messaging.Ack(pb.AckRequest(
            lease_id=got.lease_id, delivery_tags=[tag]), timeout=wire.PATIENCE)
        assert answer.settled_count == 1
    # With the last ack there is nothing left to wait for.
    assert own_broker.wait(5) == 0


def test_what_drain_confirms_was_taken(own_broker, own_client):
    """Batches are published without pause; each confirm that came is counted by the broker too."""
    client = own_client
    name = client.declare()
    stream = wire.Stream.two_way(client.messaging.PublishStream, *(
        pb.PublishStreamRequest(routing_key=name, items=[pb.PublishItem()] * 10)
        for _ in range(2000)))
    stream.take(lambda r: r.confirmed)
    own_broker.terminate()
    stream.take(lambda r: r.HasField("draining"))
    # A publish stream goes on through the drain, and all of it is confirmed.
    stream.half_close()
    assert stream.end() == (grpc.StatusCode.OK, "")
    assert own_broker.wait() == 0


def test_a_second_signal_skips_the_wait(own_broker, own_client):
    stream = wire.ConsumeStream.open(own_client)
    stream.start(own_client.declare())
    own_broker.terminate()
    stream.event("draining")
    own_broker.terminate()
    assert stream.end() == (UNAVAILABLE, "SERVER_DRAINING")
    assert own_broker.wait() == 0


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_process_that_it_is_to_end_with(kill):
    with subprocess.Popen(["sleep", "600"]) as companion:
        try:
            broker = broker_process.Broker("--exit-with-process", str(companion.pid))
            assert broker.alive()
        finally:
            companion.send_signal(kill)
        assert broker.wait() == 0


def test_it_does_not_outlive_a_process_that_has_ended_before():
    with subprocess.Popen(["true"]) as companion:
        companion.wait()
    assert broker_process.Broker("--exit-with-process", str(companion.pid)).wait() == 0


def test_a_client_that_stays_is_ended_at_the_deadline():
    running = broker_process.Broker("--drain-timeout", "1s")
    client = wire.Client(running.address)
    stream = wire.ConsumeStream.open(client)
    stream.start(client.declare())
    running.terminate()
    assert stream.end() == (UNAVAILABLE, "SERVER_DRAINING")
    assert running.wait() == 0
    client.close()


def test_vanished_clients_do_not_hold_the_drain_up(own_broker):
    """A connection that only ever opened, and one that said nothing in HTTP/2."""
    host, port = own_broker.address.split(":")
    sockets = [socket.create_connection((host, int(port))) for _ in range(2)]
    sockets[1].sendall(b"PRI * HTTP/2.0\r\n")
    own_broker.terminate()
    assert own_broker.wait(15) == 0
    for connection in sockets:
        connection.close()
