"""Runs the command line as a user does."""
import dataclasses
import json
import os
import re
import subprocess

import pytest

import broker as broker_process

SECONDS = 60  # No command takes long; a sanitizer build on a busy machine might.


@dataclasses.dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def json_lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


class CommandLine:
    """The kelpmq binary with the address of a broker in its environment."""

    def __init__(self, address: str):
        self.binary = str(broker_process.binary())
        self.environment = {
            key: value for key, value in os.environ.items()
            if not key.startswith("KELPMQ_") and key != "NO_COLOR"
        } | {"KELPMQ_ADDRESS": address, "TERM": "xterm"}

    def __call__(self, *args, stdin: str | bytes = "", code: int = 0, **environment) -> Result:
        """Runs a command, which must end with `code`."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run([self.binary, *args], input=data, capture_output=True,
                              env=self.environment | environment, timeout=SECONDS, check=False)
        result = Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode())
        assert result.code == code, f"{args}: exit code {result.code}\n{result.out}{result.err}"
        return result

    def start(self, *args, **options) -> subprocess.Popen:
        """Starts a command that goes on."""
        options = {"stdin": subprocess.DEVNULL} | options
        return subprocess.Popen([self.binary, *args], env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **options)

    def queue_state(self, queue: str) -> dict:
        """One queue as `list queues --json` shows it."""
        found = [q for q in self("list", "queues", "--prefix", queue, "--json").json if q["name"] == queue]
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def kelpmq(broker):
    return CommandLine(broker.address)


@pytest.fixture
def name(request) -> str:
    """A name for a queue or exchange that no other test uses."""
    return re.sub(r"\W+", "-", request.node.name)


@pytest.fixture
def queue(kelpmq, name) -> str:
    """The name of a fresh queue."""
    kelpmq("declare", "queue", name)
    return name
