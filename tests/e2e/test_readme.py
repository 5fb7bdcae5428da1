"""The examples in README.md and deploy/README.md run as they stand. A comment says how: <!-- test: cli -->."""
import os
import pathlib
import re
import subprocess
import sys

import broker as broker_process
import pytest
import stubs
import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = re.compile(r"<!-- test: (\w+) -->\n```\w+\n(.*?)```", re.DOTALL)
DEFAULT_ADDRESS = "127.0.0.1:50672"


def examples(kind: str, file: str = "README.md") -> list[str]:
    found = [code for name, code in EXAMPLE.findall((ROOT / file).read_text()) if name == kind]
    assert found, f"{file} has no example marked {kind}"
    return found


def run_shell(address: str, folder: pathlib.Path, script: str) -> str:
    if not (folder / "kelpmq").exists():
        (folder / "kelpmq").symlink_to(broker_process.binary().resolve())
    done = subprocess.run(
        ["bash", "-euc", script], cwd=folder, capture_output=True, text=True, timeout=wire.PATIENCE,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "KELPMQ_ADDRESS": address})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_minute(broker, tmp_path):
    [script] = examples("cli")
    assert "hello" in run_shell(broker.address, tmp_path, script)


def test_users_and_definitions(own_broker, tmp_path):
    [script] = examples("users")
    run_shell(own_broker.address, tmp_path, script)
    assert "app.jobs" in (tmp_path / "definitions.json").read_text()


def test_tls_and_users_of_ones_own(tmp_path):
    [files] = examples("tls", "deploy/README.md")
    [client] = examples("tls_client", "deploy/README.md")
    run_shell("", tmp_path, files)
    with broker_process.running(*(argument for option, file in {
            "--tls-cert": "server.pem", "--tls-key": "server.key",
            "--users-file": "users.json"}.items() for argument in (option, str(tmp_path / file)))) as running:
        assert run_shell(running.address, tmp_path, client).splitlines()[-1] == "hello"


def test_the_stubs_of_the_python_client(tmp_path):
    [script] = examples("stubs")
    install, *generate = script.splitlines()
    assert "grpcio-tools" in install  # which this Python has
    done = subprocess.run(
        ["bash", "-euc", "\n".join(generate).replace("build/python/bin/python", sys.executable)
         .replace("build/stubs", str(tmp_path))],
        cwd=ROOT, capture_output=True, text=True, timeout=wire.PATIENCE)
    assert done.returncode == 0, done.stderr
    made = {path.name for path in tmp_path.glob("kelpmq/v1/*.py")}
    assert {"messaging_pb2.py", "messaging_pb2_grpc.py", "types_pb2.py"} <= made


def test_the_python_client(broker, client):
    if not client.exists("jobs"):
        client.declare("jobs")
    for script in examples("python"):
        assert DEFAULT_ADDRESS in script
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", script.replace(DEFAULT_ADDRESS, broker.address)],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(stubs.path())})
        try:  # It waits for further messages, so it does not end by itself.
            assert process.stdout.readline() == "hello\n"
            wire.until(lambda: client.queue("jobs").messages_unacked == 0, "it is acknowledged")
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


@pytest.mark.parametrize("file", [
    "README.md", "deploy/README.md", "client/python/README.md", "client/cpp/README.md",
    "CONTRIBUTING.md", "service/docs/semantics.md"])
def test_files_that_a_readme_links_to_exist(file):
    page = ROOT / file
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert links and [link for link in links if not (page.parent / link).exists()] == []
