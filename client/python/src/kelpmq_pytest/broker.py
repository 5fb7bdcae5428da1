"""A broker as a test sees it."""
from __future__ import annotations

import difflib
from typing import Callable, Optional

import kelpmq
from kelpmq.admin import Admin

from kelpmq_pytest.queue_state import QueueState


class Broker:
    """A virtual host without anything in it, or a whole broker.

    url: leads there; for kelpmq.Client(), or as $KELPMQ_ADDRESS. address, vhost: its two parts.

    Thread-safety: thread-compatible. Errors: those of kelpmq.
    """

    def __init__(self, process: kelpmq.PrivateBroker, address: str, vhost: str,
                 start: Optional[Callable[[], kelpmq.PrivateBroker]] = None) -> None:
        #: The process: its `pid`, `stderr()`, ...
        self.process = process
        self.address = address
        self.vhost = vhost
        self.url = kelpmq.parse_address(address, vhost=vhost).url()
        self._start = start
        self._killed = False
        self._client: Optional[kelpmq.Client] = None

    @property
    def client(self) -> kelpmq.Client:
        """A client, to declare and publish with; closed at the end of the test."""
        if self._client is None:
            self._client = kelpmq.Client(self.url, name="pytest")
        return self._client

    def queue(self, name: str) -> QueueState:
        """The state of a queue, as it is whenever it is asked for. It need not exist yet."""
        return QueueState(self.client, name, self._hint)

    def queues(self) -> list[QueueState]:
        """Those that there are, by name."""
        return [self.queue(queue.name) for queue in Admin(self.client).list_queues()]

    def advance(self, seconds: float) -> None:
        """Moves the broker's time: what falls due, such as expiry or a delay, has happened when
        this returns. The broker has to be one with @pytest.mark.kelpmq(manual_clock=True)."""
        try:
            Admin(self.client).advance_clock(seconds)
        except kelpmq.FailedPrecondition:
            raise RuntimeError(
                "the time of this broker cannot be moved: mark the test with "
                "@pytest.mark.kelpmq(manual_clock=True)") from None

    def kill(self) -> None:
        """Ends the process as a crash would. Only of a broker with @pytest.mark.kelpmq(own=True).
        """
        self._check_own("kill")
        self._killed = True
        self.process.kill()

    def restart(self) -> None:
        """kill(), and a new process at the same address, with nothing in it."""
        self._check_own("restart")
        assert self._start is not None
        self.kill()
        self.process = self._start()
        self._killed = False

    def describe(self) -> str:
        """What is in it, for people. Never fails."""
        ended = self.why_it_ended()
        if ended or self._killed:
            return ended or "it was killed by the test"
        try:
            lines = [repr(queue) for queue in self.queues()]
            return "\n".join(lines) or "no queues"
        except kelpmq.KelpmqError as error:
            return f"it does not answer: {error}"

    def why_it_ended(self) -> str:
        """What it wrote if it has ended by itself, else nothing."""
        if self._killed or self.process.alive():
            return ""
        return f"the broker ended during the test: {self.process.stderr().strip()}"

    def close(self) -> None:
        """Closes the client. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            client.close(timeout=1.0)

    def __repr__(self) -> str:
        return f"<Broker {self.url}>"

    def _check_own(self, what: str) -> None:
        if self._start is None:
            raise RuntimeError(
                f"other tests use this broker, too; to {what} it, mark the test with "
                "@pytest.mark.kelpmq(own=True)")

    def _hint(self, name: str) -> str:
        names = [queue.name for queue in Admin(self.client).list_queues()]
        if not names:
            return "there are no queues"
        close = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"there are: {', '.join(map(repr, names[:10]))}" + hint
