"""`kelpmq://`: one broker for a program and the processes that it starts."""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import textwrap

import pytest
from conftest import wait_until

PREAMBLE = """
    import os, subprocess, sys, time
    import kombu, kelpmq_kombu

    def put(what):
        with kombu.Connection("kelpmq://") as connection:
            connection.SimpleQueue("q").put(what)

    def get(connection):
        return connection.default_channel.basic_get("q", no_ack=True).payload

    def socket_path(connection):
        connection.connect()
        return connection.connection.link._address.target[len("unix:"):]
    """


@pytest.fixture
def start(tmp_path):
    """Starts a program that is the root of its own tree; its folders are in `tmp_path`."""
    started = []

    def start(script):
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(PREAMBLE) + textwrap.dedent(script))
        environment = {key: value for key, value in os.environ.items()
                       if key != "KELPMQ_KOMBU_ROOT"}
        process = subprocess.Popen(
            [sys.executable, str(path)], env={**environment, "TMPDIR": str(tmp_path)},
            cwd=tmp_path, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def is_gone(path):
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) != 0


def test_forked_and_started_children_share_the_broker(start):
    program = start("""
        if len(sys.argv) > 1:
            put("started child")
            sys.exit()
        subprocess.run([sys.executable, __file__, "child"], check=True)
        pid = os.fork()
        if not pid:
            put("forked child")
            os._exit(0)
        os.waitpid(pid, 0)
        with kombu.Connection("kelpmq://") as connection:
            print(get(connection), get(connection), sep=", ")
        """)
    printed, _ = program.communicate(timeout=30)
    assert printed == "started child, forked child\n"
    assert program.returncode == 0


def test_other_programs_have_another_broker(start):
    programs = [start("""
        with kombu.Connection("kelpmq://") as connection:
            print(socket_path(connection), flush=True)
            sys.stdin.read()
        """) for _ in range(2)]
    paths = {program.stdout.readline() for program in programs}
    assert len(paths) == 2


@pytest.mark.parametrize("how", ["ends", "killed"])
@pytest.mark.parametrize("starter", ["root", "child"])
def test_the_broker_goes_with_the_root(start, tmp_path, how, starter):
    """Whoever has started it, and though a child lives on."""
    program = start(f"""
        starter = {starter!r}
        if len(sys.argv) > 1:
            put("x")
            sys.exit()
        if starter == "child":
            subprocess.run([sys.executable, __file__, "child"], check=True)
        connection = kombu.Connection("kelpmq://")
        if starter == "root":
            put("x")
        assert get(connection) == "x"
        if not os.fork():
            os.close(1)
            time.sleep(3)
            os._exit(0)
        print(socket_path(connection), flush=True)
        sys.stdin.readline()
        """)
    path = program.stdout.readline().strip()
    assert pathlib.Path(path).exists()
    if how == "killed":
        program.send_signal(signal.SIGKILL)
    program.communicate("\n", timeout=30)
    wait_until(lambda: is_gone(path), 10)
    if how == "ends":
        assert [found.name for found in tmp_path.iterdir() if found.is_dir()] == []


def test_a_broker_that_was_killed_is_started_again(start):
    program = start("""
        with kombu.Connection("kelpmq://") as connection:
            first = socket_path(connection)
        from kelpmq_kombu import private
        private._brokers[0].kill()
        with kombu.Connection("kelpmq://") as connection:
            assert socket_path(connection) != first
            connection.SimpleQueue("q").put(1)
            print(get(connection))
        """)
    assert program.communicate(timeout=30)[0] == "1\n"


def test_what_was_published_at_the_end_of_a_child_arrives(start):
    program = start("""
        if len(sys.argv) > 1:
            connection = kombu.Connection("kelpmq://")
            for i in range(500):
                connection.SimpleQueue("q").put(i)
            sys.exit()
        connection = kombu.Connection("kelpmq://")
        connection.connect()
        subprocess.run([sys.executable, __file__, "child"], check=True)
        print([get(connection) for i in range(500)] == list(range(500)))
        """)
    assert program.communicate(timeout=30)[0] == "True\n"


def test_what_a_killed_root_left_is_removed(start, tmp_path):
    killed = start("""
        with kombu.Connection("kelpmq://") as connection:
            print(socket_path(connection), flush=True)
            sys.stdin.read()
        """)
    path = pathlib.Path(killed.stdout.readline().strip())
    killed.kill()
    killed.wait()
    wait_until(lambda: is_gone(str(path)), 10)
    start('put("x")').communicate(timeout=30)
    assert not path.parent.exists()
    assert not list(tmp_path.glob("kelpmq-*"))
