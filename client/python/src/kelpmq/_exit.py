"""The end of the program: what it has published and acknowledged still gets to the broker."""
from __future__ import annotations

import atexit
import time
import weakref
from typing import Protocol

#: What an end of the program waits for at most, in seconds, with all clients together.
EXIT_SECONDS = 5.0


class Finishing(Protocol):
    """Something with work under way that nobody waits for."""

    def finish(self, deadline: float) -> None:
        """Waits for it until this monotonic time. Raises nothing."""


_clients: weakref.WeakSet[Finishing] = weakref.WeakSet()
_left: set[Finishing] = set()  # changed by finalizers, so only in single steps


def finish_at_exit(client: Finishing) -> None:
    """Has it finish, as long as it lives, before the private brokers that there are now end."""
    _clients.add(client)
    atexit.unregister(_finish_all)
    atexit.register(_finish_all)


def leave(work: Finishing) -> None:
    """What nobody refers to any more is to finish, too, until it is done()."""
    _left.add(work)


def done(work: Finishing) -> None:
    _left.discard(work)


def _finish_all() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    for work in [*_clients, *_left.copy()]:
        work.finish(deadline)
