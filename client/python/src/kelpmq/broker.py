"""A broker of one's own: the program that this package carries, started and ended with a test or
program.

    with kelpmq.PrivateBroker() as broker, kelpmq.Client(broker.address) as client: ...
"""
from __future__ import annotations

import atexit
import contextlib
import os
import re
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import Optional

from kelpmq._binary import binary

_READY = re.compile(rb"ready on ([^\s,]+)")
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
# Before 3.10, subprocess forks so that gRPC's handlers run in the child, whose threads then abort
# over descriptors that were closed under them. Python's own are not inherited anyway.
_CLOSE_FDS = sys.version_info >= (3, 10)
_LONGEST_SOCKET_PATH = 107  # sockaddr_un


class BrokerStartError(RuntimeError):
    """The private broker did not start; the text holds what it wrote on standard error."""


class PrivateBroker:
    """Starts ``kelpmq serve`` and waits until it is ready, which takes some 10 ms.

    It listens on a Unix socket in a folder that only this user can enter; with ``tcp=True`` on a
    free port of 127.0.0.1 (for programs that cannot use Unix sockets). Further arguments go to
    ``kelpmq serve``, for example ``"--manual-clock"``.

    It ends with stop(), at the end of a ``with`` block, and with the process that made this object,
    however that ends (also by SIGKILL, or while its forked children live on). A forked child may
    use ``address``; its stop() does nothing.

    ends_with: the number of another process that it is to end with instead, so that it outlives the
    one that made this object.

    Thread-safety: thread-compatible. Errors: BrokerStartError, BinaryNotFound.
    """

    def __init__(self, *arguments: str, tcp: bool = False,
                 start_timeout: float = _START_SECONDS, ends_with: Optional[int] = None) -> None:
        self._owner = os.getpid()
        self._folder: Optional[str] = None
        listen = "127.0.0.1:0" if tcp else f"unix:{self._socket_path()}"
        self._stderr = tempfile.TemporaryFile("w+", errors="replace")
        try:
            # A session of its own: Ctrl-C in a terminal is for the program, which still wants to
            # talk to its broker while it winds up.
            self._process = subprocess.Popen(
                [binary(), "serve", "--listen", listen, "--drain-timeout", "50ms", *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._stderr,
                start_new_session=True, close_fds=_CLOSE_FDS,
                env={**os.environ, "KELPMQ_EXIT_WITH_PROCESS": str(ends_with or self._owner)})
        except BaseException:
            self._clean_up()
            raise
        if ends_with is None:
            atexit.register(self.stop)
        try:
            self._address = self._wait_until_ready(start_timeout)
        except BaseException:
            self.kill()
            raise

    @property
    def address(self) -> str:
        """``unix:/PATH`` or ``127.0.0.1:PORT``: for a client, or any gRPC program."""
        return self._address

    @property
    def pid(self) -> int:
        """The broker's process id."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the broker runs. Only in the process that made it."""
        return self._process.poll() is None

    def stderr(self) -> str:
        """What it wrote on standard error, as long as it was not stopped."""
        self._stderr.seek(0)
        return self._stderr.read()

    def stop(self) -> None:
        """Ends the broker and waits for it. Idempotent; messages are gone."""
        self._end(kill=False)

    def kill(self) -> None:
        """Ends the broker as a crash would."""
        self._end(kill=True)

    def __enter__(self) -> PrivateBroker:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.stop()

    def _socket_path(self) -> str:
        self._folder = tempfile.mkdtemp(prefix="kelpmq-")
        path = os.path.join(self._folder, "socket")
        if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:  # a deep $TMPDIR
            os.rmdir(self._folder)
            self._folder = tempfile.mkdtemp(prefix="kelpmq-", dir="/tmp")
            path = os.path.join(self._folder, "socket")
        return path

    def _wait_until_ready(self, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        output = b""
        stdout = self._process.stdout
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while not (ready := _READY.search(output)):
                if not selector.select(deadline - time.monotonic()):
                    raise BrokerStartError(f"not ready in {timeout:g} s: {self.stderr().strip()}")
                chunk = os.read(stdout.fileno(), 4096)
                if not chunk:
                    code = self._process.wait()
                    raise BrokerStartError(f"exited with {code}: {self.stderr().strip()}")
                output += chunk
        return ready.group(1).decode()

    def _end(self, kill: bool) -> None:
        if os.getpid() != self._owner:
            return
        if self._process.poll() is None:
            (self._process.kill if kill else self._process.terminate)()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._clean_up()
        atexit.unregister(self.stop)

    def _clean_up(self) -> None:
        with contextlib.suppress(AttributeError):  # It did not even start.
            if self._process.stdout:
                self._process.stdout.close()
        self._stderr.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
