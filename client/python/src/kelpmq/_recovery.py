"""Coming back after the connection was lost: once for all streams of a client."""
from __future__ import annotations

import logging
import random
import threading
import time
from typing import Callable, Optional

from kelpmq._connection import Connection, connection_lost, deadline_after, seconds_left
from kelpmq.errors import ClientClosed, KelpmqError, Unavailable

_LOG = logging.getLogger("kelpmq")

_FIRST_DELAY = 0.05
_LONGEST_DELAY = 5.0
_ATTEMPT_SECONDS = 5.0

# A connection that is lost again within this many seconds was none: the delays go on growing.
# A broker that is stopping answers calls, but takes no streams.
_STABLE_SECONDS = 2.0


class Recovery:
    """Waits until the broker answers again, restores what it has to know, and counts epochs.

    Each stream remembers the epoch in which it was opened. The first one that is lost brings the
    next epoch about; those that come later find it there.
    restore: declares again what was declared, called before the epoch begins.
    Thread-safety: any thread.
    """

    def __init__(self, connection: Connection, restore: Callable[[], None]) -> None:
        self._connection = connection
        self._restore = restore
        self._lock = threading.Lock()
        self._stop = threading.Event()
        #: The number of times that the connection has come back.
        self.epoch = 0
        self._attempt = 0
        #: Whether nobody is to be told, in the log, that the broker is lost.
        self.quiet = False
        self._began = -_STABLE_SECONDS
        #: Whether it is being worked on.
        self.recovering = False

    @property
    def opening_epoch(self) -> int:
        """The epoch to which what is opened now belongs; while restoring, the next one."""
        return self.epoch + 1 if self.recovering else self.epoch

    def recover(self, epoch: int, timeout: Optional[float] = None) -> None:
        """Returns when an epoch after `epoch` has begun.

        Unavailable: not in `timeout` seconds (None: for ever). ClientClosed. Any other KelpmqError:
        the broker is there and refuses us.
        """
        deadline = deadline_after(timeout)
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise Unavailable(
                f"{self._connection.address.target} is away, and did not come back in time")
        try:
            self.recovering = True
            if self.epoch == epoch:
                if time.monotonic() - self._began >= _STABLE_SECONDS:
                    self._attempt = 0
                else:
                    self._pause(deadline, Unavailable("the connection was lost again and again"))
            while self.epoch == epoch:
                if self._stop.is_set():
                    raise ClientClosed("the client is closed")
                try:
                    left = seconds_left(deadline)
                    self._connection.connect(
                        _ATTEMPT_SECONDS if left is None else min(left, _ATTEMPT_SECONDS))
                    self._restore()
                except KelpmqError as error:
                    if self._stop.is_set():
                        raise ClientClosed("the client is closed") from None
                    if not connection_lost(error) and not isinstance(error, TimeoutError):
                        raise
                    self._pause(deadline, error)
                else:
                    self.epoch += 1
                    self._began = time.monotonic()
                    _LOG.info("connected to %s again", self._connection.address.target)
        finally:
            self.recovering = False
            self._lock.release()

    def _pause(self, deadline: Optional[float], error: KelpmqError) -> None:
        longest = min(_FIRST_DELAY * 2 ** min(self._attempt, 10), _LONGEST_DELAY)
        self._attempt += 1
        delay = random.uniform(longest / 2, longest)  # so that not all clients come at once
        left = seconds_left(deadline)
        if self._attempt == 1 and not self.quiet:
            _LOG.warning("lost the connection to %s, trying again: %s",
                         self._connection.address.target, error)
        if left is not None and left <= delay:
            raise error
        self._stop.wait(delay)

    def wait_while_recovering(self, timeout: Optional[float] = None) -> None:
        """Lets a recovery that is under way finish first, if it does in `timeout` seconds."""
        if self.recovering and self._lock.acquire(timeout=-1 if timeout is None else timeout):
            self._lock.release()

    def stop(self) -> None:
        """Ends every attempt, now and later."""
        self._stop.set()
