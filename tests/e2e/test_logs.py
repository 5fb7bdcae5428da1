"""What the broker writes on standard error: levels, formats, and what never appears there."""
import json
import re

import broker as broker_process
import pytest

TEXT_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error) \S.*")


def json_lines(broker) -> list:
    return [json.loads(line) for line in broker.stderr().splitlines()]


def messages(broker) -> list:
    return [line["message"] for line in json_lines(broker)]


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
    assert "info broker started version=" in lines[0] and own_broker.address in lines[0]
    assert "info broker stopped drained=true" in lines[-1]


def test_json_is_an_object_a_line(logging_broker):
    broker = logging_broker("--node-id", 'one "node"')
    broker.stop()
    started = json_lines(broker)[0]
    assert (started["level"], started["message"]) == ("info", "broker started")
    assert started["node_id"] == 'one "node"' and started["listen"] == broker.address


def test_a_level_leaves_out_what_is_below(logging_broker):
    broker = logging_broker("--log-level", "warning")
    broker.stop()
    assert broker.stderr() == ""
