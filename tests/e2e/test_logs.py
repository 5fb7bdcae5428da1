"""What the broker writes on standard error: levels, formats, and what never appears there."""
import json
import re

import broker as broker_process
import grpc
import pytest
import wire
from kelpmq.v1 import admin_pb2, messaging_pb2 as pb

TEXT_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error) \S.*")


def json_lines(broker) -> list:
    return [json.loads(line) for line in broker.stderr().splitlines()]


@pytest.fixture
def logging_broker():
    """Starts brokers that log JSON, with more options; all are stopped in the end."""
    started = []

    def start(*options: str):
        started.append(broker_process.Broker("--log-format", "json", *options))
        return started[-1]

    yield start
    for running in started:
        if running.alive():
            running.stop()


def test_start_and_stop_are_lines_of_text(own_broker):
    own_broker.stop()
    lines = own_broker.stderr().splitlines()
    assert all(TEXT_LINE.fullmatch(line) for line in lines), lines
    [started] = [line for line in lines if "info broker started version=" in line]
    assert own_broker.address in started
    assert "info broker stopped drained=true" in lines[-1]


def test_json_is_an_object_a_line(logging_broker):
    broker = logging_broker("--node-id", 'one "node"')
    broker.stop()
    [started] = [line for line in json_lines(broker) if line["message"] == "broker started"]
    assert started["level"] == "info"
    assert started["node_id"] == 'one "node"' and started["listen"] == broker.address


def test_a_level_leaves_out_what_is_below(logging_broker):
    broker = logging_broker("--log-level", "warning")
    broker.stop()
    assert broker.stderr() == ""


@pytest.fixture
def logged(logging_broker):
    """A client of a broker that logs all it can, and a way to ask for the lines of one text."""
    broker = logging_broker("--log-level", "debug")
    client = wire.Client(broker.address)

    def lines(message: str) -> list:
        return [line for line in json_lines(broker) if line["message"] == message]

    yield client, lines, broker
    client.close()


def test_a_session_is_a_line_when_it_opens_and_one_when_it_closes(logged):
    client, lines, broker = logged
    session = client.open_session(client_name="the client")
    client.close_session(session)
    [opened], [closed] = lines("session opened"), lines("session closed")
    assert (opened["vhost"], opened["client"]) == ("/", "the client")
    assert opened["peer"].startswith("ipv4:127.0.0.1:")
    assert closed["session"] == opened["session"]
    assert session not in broker.stderr(), "a session's id is a secret"


def test_a_stream_is_a_line_when_it_opens_and_one_when_it_closes(logged):
    client, lines, _ = logged
    stream = wire.ConsumeStream.open(client)
    stream.ping()
    [opened] = lines("stream opened")
    assert (opened["level"], opened["rpc"]) == ("info", "Consume")
    stream.half_close()
    stream.end()
    [closed] = wire.until(lambda: lines("stream closed"), "the stream's end is logged")
    assert (closed["peer"], closed["cancelled"]) == (opened["peer"], False)


def test_a_message_is_no_line(logged):
    client, _, broker = logged
    name = client.declare()
    stream = wire.ConsumeStream.open(client)
    stream.start(name)
    before = broker.stderr()
    client.publish(name, *"abcdefgh")
    stream.settle(delivery_tags=[d.delivery_tag for d in stream.deliveries(8)])
    client.get(name)
    assert broker.stderr() == before
    stream.break_off()


def test_a_stream_that_fails_is_a_warning(logged):
    client, lines, _ = logged
    stream = wire.Stream(client.messaging.Subscribe(pb.SubscribeRequest(
        start=pb.ConsumerSpec(queue="absent"))))
    stream.end()
    [failed] = lines("call failed")
    assert (failed["level"], failed["rpc"], failed["reason"]) == ("warning", "Subscribe", "QUEUE_NOT_FOUND")
    assert "absent" in failed["error"]


def test_a_call_that_fails_is_a_line_for_those_who_look_for_it(logged):
    client, lines, _ = logged
    with pytest.raises(grpc.RpcError):
        client.queue("absent")
    [failed] = lines("call failed")
    assert (failed["level"], failed["rpc"], failed["code"]) == ("debug", "GetQueue", "NOT_FOUND")
    assert failed["peer"].startswith("ipv4:127.0.0.1:")


def test_what_an_administrator_changes_is_a_line(logged):
    client, lines, _ = logged
    client.admin.PutVhost(admin_pb2.PutVhostRequest(vhost=admin_pb2.Vhost(name="blue")))
    client.admin.ListVhosts(admin_pb2.ListVhostsRequest())
    client.admin.DeleteVhost(admin_pb2.DeleteVhostRequest(name="blue"))
    with pytest.raises(grpc.RpcError):
        client.admin.PutVhost(admin_pb2.PutVhostRequest())
    assert [(line["rpc"], line["subject"], line["outcome"]) for line in lines("administration")] == [
        ("PutVhost", "blue", "OK"), ("DeleteVhost", "blue", "OK"), ("PutVhost", "", "INVALID_ARGUMENT")]


def test_the_memory_alarm_is_a_warning(logging_broker):
    broker = logging_broker("--memory-high-watermark", "1")
    [alarm] = [line for line in json_lines(broker) if line["level"] == "warning"]
    assert alarm["high_watermark_bytes"] == 1 and alarm["used_bytes"] > 1
