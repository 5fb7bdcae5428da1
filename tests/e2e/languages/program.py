"""A client program that runs: what it prints, line by line."""
import os
import queue
import signal
import subprocess
import threading

import wire


class Program:
    """Started at once. To be used in a `with` block, whose end kills it if it still runs."""

    def __init__(self, command: list[str]):
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._errors: list[str] = []
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True)
        self._readers = [threading.Thread(target=self._read_output, daemon=True),
                         threading.Thread(target=self._read_errors, daemon=True)]
        for reader in self._readers:
            reader.start()

    def _read_output(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(self._process.stderr)

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """With all that it started. Returns when it is gone."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        for reader in self._readers:
            reader.join(wire.PATIENCE)
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def line(self) -> str | None:
        """The next line that it prints; None at the end."""
        try:
            return self._lines.get(timeout=wire.PATIENCE)
        except queue.Empty:
            raise AssertionError(
                f"it printed nothing in {wire.PATIENCE} s\n{''.join(self._errors)}") from None

    def rest(self) -> list[str]:
        """All further lines, of a program that ends by itself and well."""
        lines = list(iter(self.line, None))
        code = self._process.wait(wire.PATIENCE)
        assert code == 0, f"exit code {code} after {lines}\n{''.join(self._errors)}"
        return lines
