"""The eight programs that kombu_emulator's API was described with run unchanged, from an
environment that holds nothing but the wheel: on a broker of their own, and on a separate one."""
import os
import pathlib
import signal
import subprocess
import sys

import kelpmq
import pytest
from conftest import PATIENCE

PROGRAMS = pathlib.Path(__file__).parent / "seed_programs"
#: Python of an environment in which only the wheel was installed; tests/suites/python.sh makes it.
PYTHON = os.environ.get("KELPMQ_EMPTY_PYTHON") or sys.executable


@pytest.fixture(params=["private", "separate"])
def broker(request):
    """None: the program starts its own. Otherwise $KELPMQ_ADDRESS leads it to this one."""
    if request.param == "private":
        yield None
        return
    with kelpmq.PrivateBroker() as broker:
        yield broker


def start(broker, *arguments):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("KELPMQ_", "PYTHON"))}
    if broker is not None:
        environment["KELPMQ_ADDRESS"] = broker.address
    return subprocess.Popen(
        [PYTHON, "-u", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=environment)


def finish(process):
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    return output


def run(broker, name):
    return finish(start(broker, PROGRAMS / f"{name}.py"))


def run_with(broker, name, before="", after=""):
    return finish(start(broker, PROGRAMS / "run_program.py", PROGRAMS / f"{name}.py", before,
                        after))


def test_nothing_but_the_wheel_is_needed():
    if "KELPMQ_EMPTY_PYTHON" not in os.environ:
        pytest.skip("KELPMQ_EMPTY_PYTHON is not set; tests/run sets it")
    listed = subprocess.run([PYTHON, "-m", "pip", "list", "--format=freeze"], check=True,
                            capture_output=True, text=True, timeout=PATIENCE).stdout
    names = {line.partition("==")[0].lower().replace("-", "_") for line in listed.split()}
    assert names <= {"kelpmq", "grpcio", "protobuf", "typing_extensions", "pip", "setuptools"}


def test_basic_producer_consumer(broker):
    assert run(broker, "basic_producer_consumer") == "Received: {'message': 'Hello, World!'}\n"


def test_exchange_routing(broker):
    assert run(broker, "exchange_routing") == (
        "Error log: {'level': 'error', 'message': 'Something went wrong'}\n")


def test_fanout(broker):
    assert run(broker, "fanout") == ""
    assert run_with(broker, "fanout", after="print(email_msg.body, sms_msg.body)") == (
        "{'event': 'user_signup', 'user_id': 123} {'event': 'user_signup', 'user_id': 123}\n")


@pytest.mark.parametrize(
    "process_task, seen, left",
    [("def process_task(body): print(body)", "{'task': 'process_data', 'data_id': 456}\n", 0),
     ("", "", 1)],  # As written: the function is missing, so the message goes back.
    ids=["processed", "failed"])
def test_acknowledgement(broker, process_task, seen, left):
    assert run_with(
        broker, "acknowledgement", process_task,
        "channel.close(); print(Connection().channel().queue_declare('tasks').qsize())"
    ) == f"{seen}{left}\n"


def test_context_manager(broker):
    assert run(broker, "context_manager") == ""
    again = "from kombu_emulator import Connection"
    left = 1 if broker is None else 2
    assert run_with(broker, "context_manager", after=f"""{again}
queue = Connection().channel().queue_declare('temp_queue')
print(conn.connected, queue.qsize(), queue.get().body)""") == f"False {left} Temporary message\n"


# Tells on standard error when the program has come to its loop, in which Ctrl-C is expected; a shell's
# background jobs, and what they start, would ignore it.
ANNOUNCE_SLEEP = """
import os, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
def announce(seconds, sleep=time.sleep):
    time.sleep = sleep
    os.write(2, b"waiting\\n")
    sleep(seconds)
time.sleep = announce
"""


def test_consumer_with_callback(broker):
    before = ANNOUNCE_SLEEP
    if broker is None:  # Nobody else knows its broker, so the program itself has to be given more.
        before += "from kombu_emulator import Queue\nQueue('work_queue').put({'job': 1})"
    process = start(broker, PROGRAMS / "run_program.py", PROGRAMS / "consumer_with_callback.py",
                    before, "")
    if broker is not None:
        with kelpmq.Client(broker.address) as client:
            client.declare_queue("work_queue")
            client.publish('{"job": 1}', "work_queue", content_type="application/json")
    assert process.stderr.readline() == "waiting\n"
    assert process.stdout.readline() == "Processing: {'job': 1}\n"
    process.send_signal(signal.SIGINT)
    assert finish(process) == ""
    if broker is not None:
        with kelpmq.Client(broker.address) as client:
            assert client.get("work_queue") is None


def test_properties_and_headers(broker):
    assert run(broker, "properties_and_headers") == (
        "Priority: high\nTimestamp: 2024-01-01T00:00:00Z\n")


def test_multiple_producers(broker):
    assert run_with(broker, "multiple_producers", "import time",
                    "print(sorted(messages_received))") == (
        "Received 15 messages\n" + repr(sorted(
            f"Message from producer {producer}: {n}" for producer in range(3)
            for n in range(5))) + "\n")
