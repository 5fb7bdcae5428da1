"""The examples in the two READMEs and the quickstart run as they stand."""
import os
import pathlib
import re
import subprocess
import sys

import kelpmq
from conftest import PATIENCE

ROOT = pathlib.Path(__file__).resolve().parents[3]
CLIENT = ROOT / "client" / "python"


def run(*command, **environment):
    done = subprocess.run([sys.executable, "-u", *command], capture_output=True, text=True,
                          timeout=PATIENCE, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_five_lines(broker, client, name):
    [code] = re.findall(r"<!-- test: kelpmq -->\n```python\n(.*?)```",
                        (ROOT / "README.md").read_text(), re.DOTALL)
    assert '"127.0.0.1:50672"' in code and '"jobs"' in code
    client.declare_queue(name)
    code = code.replace("127.0.0.1:50672", broker.address).replace("jobs", name)
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True)
    try:  # It waits for further messages, so it does not end by itself.
        assert process.stdout.readline() == "hello\n"
        while (state := client.get_queue(name)).messages_unacked:
            pass
        assert state.messages_ready == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_first_example_of_the_client():
    code = re.search(r"```python\n(.*?)```", (CLIENT / "README.md").read_text(), re.DOTALL)[1]
    assert run("-c", code) == "hello\n"


def test_the_emulator():
    [five_lines] = re.findall(r"<!-- test: emulator -->\n```python\n(.*?)```",
                              (ROOT / "README.md").read_text(), re.DOTALL)
    _, section = (CLIENT / "README.md").read_text().split("## kombu_emulator\n")
    example = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    assert run("-c", five_lines) == run("-c", example) == "{'id': 1}\n"


def test_the_tests_with_pytest(tmp_path):
    [short] = re.findall(r"<!-- test: pytest -->\n```python\n(.*?)```",
                         (ROOT / "README.md").read_text(), re.DOTALL)
    _, section = (CLIENT / "README.md").read_text().split("## Tests with pytest\n")
    (tmp_path / "test_short.py").write_text(short)
    (tmp_path / "test_long.py").write_text(
        re.search(r"```python\n(.*?)```", section, re.DOTALL)[1])
    assert "3 passed" in run("-m", "pytest", "-p", "no:cacheprovider", str(tmp_path))


def test_the_quickstart(broker):
    program = str(CLIENT / "quickstart" / "quickstart.py")
    for environment in ({}, {"KELPMQ_ADDRESS": broker.address}):
        assert run(program, **environment).splitlines() == [
            *(f"order {n}, order.paid, {{'number': {n}}}" for n in range(3)),
            "returned: NO_ROUTE (312)"]


def test_the_wheel_is_complete():
    """Stubs, types and the broker are in it; the version is the project's."""
    package = pathlib.Path(kelpmq.__file__).parent
    for path in ("py.typed", "v1/messaging_pb2.py", "v1/messaging_pb2.pyi",
                 "v1/messaging_pb2_grpc.py", "v1/admin_pb2_grpc.py", "bin/kelpmq"):
        assert (package / path).exists(), path
    assert os.access(package / "bin" / "kelpmq", os.X_OK)
    [version] = re.findall(r"project\(kelpmq VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())
    assert kelpmq.__version__ == version
