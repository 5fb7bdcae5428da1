"""Processes of a benchmark, and what the machine spends on them."""
import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build/bench"
TOOLS = ROOT / "build/tools/bench"  # what is downloaded or compiled for the peers
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGESIZE")


class Unavailable(Exception):
    """A peer that cannot be installed or started here."""


@dataclasses.dataclass
class Sample:
    """One measurement. Rates are messages a second that went all the way; what is not known is None."""
    rate: float
    server_cpu: float | None = None  # seconds
    messages: float | None = None    # within that time
    foreign: float | None = None     # cores that others took meanwhile
    p50_ms: float | None = None
    p99_ms: float | None = None
    extra: dict = dataclasses.field(default_factory=dict)

    @property
    def per_cpu(self) -> float | None:
        """Messages for each CPU second of the server."""
        return self.messages / self.server_cpu if self.server_cpu and self.messages else None


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def rss_bytes(pid: int) -> int:
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def busy_seconds() -> float:
    """All CPUs since boot; what the hypervisor gave to others counts as busy."""
    fields = [int(n) for n in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICK


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process with a folder of its own; stopped by its pid, and what it started along with it."""

    def __init__(self, command: list[str], folder: str, ready=None, seconds: float = 60, **environment: str):
        self.log = pathlib.Path(folder) / "log"
        self.started = time.monotonic()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder,
                env=os.environ | environment, start_new_session=True)
        self.pid = self._process.pid
        if ready:
            self.wait_for(ready, seconds)

    def wait_for(self, ready, seconds: float):
        """Waits until `ready(log text)` is true, and returns that."""
        while True:
            text = self.log.read_text(errors="replace")
            if answer := ready(text):
                return answer
            if self._process.poll() is not None or time.monotonic() - self.started > seconds:
                self.stop()
                raise Unavailable(f"{self._process.args[0]} does not start: {text[-400:]}")
            time.sleep(0.005)

    def match(self, pattern: str, seconds: float = 60) -> str:
        """The first group of a pattern that comes up in the log."""
        found = self.wait_for(lambda text: re.search(pattern, text), seconds)
        return found.group(1)

    def stop(self) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            self._process.send_signal(sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(15)
        self._process.wait()


class Load:
    """Client processes that run together, and the CPU that they, the server and others take meanwhile."""

    def __init__(self, server_pid: int):
        self._pid = server_pid
        self._processes: list[subprocess.Popen] = []
        self._outputs: list = []

    def start(self, command: list[str], **options) -> None:
        output = tempfile.TemporaryFile("w+", errors="replace")
        if not self._processes:
            self._before = (time.monotonic(), busy_seconds(), cpu_seconds(self._pid), self._children())
        self._outputs.append(output)
        self._processes.append(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT,
                                                stdin=subprocess.DEVNULL, **options))

    @staticmethod
    def _children() -> float:
        times = os.times()
        return times.children_user + times.children_system + times.user + times.system

    def wait(self, seconds: float) -> list[str]:
        """The outputs, once all have ended."""
        deadline = time.monotonic() + seconds
        try:
            for process in self._processes:
                process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            for process in self._processes:
                process.kill()
                process.wait()
            raise Unavailable(f"{self._processes[0].args[0]} does not end") from None
        began, busy, server, ours = self._before
        self.seconds = time.monotonic() - began
        self.server_cpu = cpu_seconds(self._pid) - server
        self.foreign = max(0.0, (busy_seconds() - busy - self.server_cpu - (self._children() - ours)) / self.seconds)
        texts = []
        for process, output in zip(self._processes, self._outputs):
            output.seek(0)
            texts.append(output.read())
            output.close()
            if process.returncode != 0:
                raise Unavailable(f"{process.args[0]} failed: {texts[-1][-400:]}")
        return texts


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if not found:
        raise Unavailable(f"no {pattern!r} in: {text[-400:]}")
    return float(found.group(1).replace(",", ""))


def run(command: list[str], **options) -> None:
    """A step of an installation."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          text=True, check=False, **options)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command[:3])} failed: {done.stdout[-400:]}")


def install_debian(*packages: str) -> None:
    def missing(name):
        state = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status}", name], capture_output=True, text=True,
                               check=False)
        return state.stdout != "installed"
    wanted = [name for name in packages if missing(name)]
    if wanted:
        # RUNLEVEL: packages must not start their services.
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        run(["apt-get", "update"], env=environment)
        run(["apt-get", "install", "-y", "--no-install-recommends", *wanted], env=environment)
