"""Starts and stops the broker under test."""
import contextlib
import os
import pathlib
import re
import resource
import selectors
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 30  # A sanitizer build on a busy machine takes a few.
STOP_SECONDS = 30

_READY = re.compile(rb"ready on ([^\s,]+)")
_SANITIZER = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:")


def binary() -> pathlib.Path:
    """The program under test: $KELPMQ_BINARY, or the dev build."""
    return pathlib.Path(os.environ.get("KELPMQ_BINARY", ROOT / "build/dev/service/kelpmq"))


class Broker:
    """One broker process, on a port of its own unless told where; `address` is HOST:PORT.

    `limits` are of the process: {resource.RLIMIT_DATA: bytes}.
    """

    def __init__(self, *args: str, listen: str = "127.0.0.1:0", limits: dict[int, int] | None = None):
        def limit() -> None:
            for name, most in (limits or {}).items():
                resource.setrlimit(name, (most, most))

        self._stderr = tempfile.TemporaryFile("w+", errors="replace")
        self._process = subprocess.Popen(
            [str(binary()), "serve", "--listen", listen, *args],
            stdout=subprocess.PIPE, stderr=self._stderr, stdin=subprocess.DEVNULL,
            preexec_fn=limit if limits else None)
        self.address = self._wait_until_ready()

    def _wait_until_ready(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        output = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not (match := _READY.search(output)):
                if not selector.select(deadline - time.monotonic()):
                    self._process.kill()
                    raise AssertionError(f"not ready in {START_SECONDS} s: {self.stderr()}")
                chunk = os.read(self._process.stdout.fileno(), 4096)
                if not chunk:
                    raise AssertionError(f"exited with {self._process.wait()}: {self.stderr()}")
                output += chunk
        return match.group(1).decode()

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def stderr(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read()

    def terminate(self) -> None:
        """Asks for a graceful stop and does not wait for it."""
        if self.alive():
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """As a crash: no drain, nothing is flushed. Returns when the process is gone."""
        self._process.kill()
        self._process.wait()

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The exit code. Fails if the broker takes longer, or a sanitizer found something."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"still running after {seconds} s: {self.stderr()}") from None
        assert not _SANITIZER.search(self.stderr()), self.stderr()
        return code

    def stop(self) -> None:
        """A graceful stop that must end with exit code 0. The second signal skips the drain.

        Two that come at once are one to the broker, so they come until it has ended.
        """
        deadline = time.monotonic() + STOP_SECONDS
        while self.alive() and time.monotonic() < deadline:
            self.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
        assert self.wait(0) == 0, self.stderr()


@contextlib.contextmanager
def running(*args: str):
    """A broker for the length of a `with` block, which must end well."""
    broker = Broker(*args)
    try:
        yield broker
    finally:
        broker.stop()
