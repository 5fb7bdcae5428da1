"""A private broker ends with whoever started it."""
import os
import pathlib
import signal
import subprocess
import sys
import time

import kelpmq
import pytest
from conftest import PATIENCE


def until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)


def running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def start(program):
    """A Python process that prints the pid of its broker, and its stdout."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import kelpmq, os, sys, threading, time\n" + program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pid = int(process.stdout.readline())
    assert running(pid)
    return process, pid


def finish(process):
    process.stdin.close()
    process.wait(PATIENCE)
    process.stdout.close()


def test_it_starts_and_stops():
    broker = kelpmq.PrivateBroker()
    assert broker.alive() and running(broker.pid)
    socket = broker.address[len("unix:"):]
    assert os.stat(os.path.dirname(socket)).st_mode & 0o077 == 0
    broker.stop()
    broker.stop()
    assert not broker.alive()
    assert not os.path.exists(os.path.dirname(socket))


def test_on_tcp_it_takes_a_free_port():
    with kelpmq.PrivateBroker(tcp=True) as one, kelpmq.PrivateBroker(tcp=True) as other:
        assert one.address != other.address
        with kelpmq.Client(one.address):
            pass


def test_what_it_complains_of_is_in_the_error():
    with pytest.raises(kelpmq.BrokerStartError, match="no-such-option"):
        kelpmq.PrivateBroker("--no-such-option")


def test_without_a_program_the_error_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("KELPMQ_BINARY", str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError):
        kelpmq.PrivateBroker()


def test_it_ends_with_a_process_that_forgets_it():
    process, pid = start("print(kelpmq.PrivateBroker().pid, flush=True)")
    finish(process)
    until(lambda: not running(pid), "the broker is gone")


def test_it_ends_with_a_process_that_is_killed():
    process, pid = start("broker = kelpmq.PrivateBroker(); print(broker.pid, flush=True)\n"
                         "sys.stdin.read()")
    process.send_signal(signal.SIGKILL)
    until(lambda: not running(pid), "the broker is gone")
    finish(process)


def test_it_ends_with_its_process_though_a_forked_child_lives_on():
    process, pid = start("broker = kelpmq.PrivateBroker()\n"
                         "child = os.fork()\n"
                         "if child == 0: sys.stdin.read(); broker.stop(); os._exit(0)\n"
                         "print(broker.pid, flush=True); print(child, flush=True)\n"
                         "time.sleep(600)")
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    until(lambda: not running(pid), "the broker is gone")
    assert running(child)
    finish(process)
    until(lambda: not running(child), "the child is gone")


def test_it_outlives_the_thread_that_started_it_and_a_forked_child():
    process, pid = start(
        "brokers = []\n"
        "thread = threading.Thread(target=lambda: brokers.append(kelpmq.PrivateBroker()))\n"
        "thread.start(); thread.join()\n"
        "child = os.fork()\n"
        "if child == 0: brokers[0].stop(); sys.exit()\n"
        "os.waitpid(child, 0)\n"
        "print(brokers[0].pid, flush=True); sys.stdin.readline()\n"
        "with kelpmq.Client(brokers[0].address): print('alive', flush=True)")
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "alive\n"
    finish(process)
    until(lambda: not running(pid), "the broker is gone")


def test_the_program_comes_along():
    done = subprocess.run([sys.executable, "-m", "kelpmq", "--version"], capture_output=True,
                          text=True, timeout=PATIENCE)
    assert kelpmq.__version__ in done.stdout + done.stderr
