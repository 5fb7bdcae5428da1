"""The broker behind ``Connection()``: one for the process, started when it is first needed."""
from __future__ import annotations

import os
import threading
from typing import Optional

from kelpmq.broker import PrivateBroker

# Bodies were limited by memory alone; this is the most that a broker takes.
_MAX_MESSAGE_BYTES = 128 << 20

_lock = threading.Lock()
_broker: Optional[PrivateBroker] = None
_owner = 0


def address() -> str:
    """Its address. It ends with the process; a forked child uses its parent's.

    Thread-safety: any thread. Errors: kelpmq.BrokerStartError, kelpmq.BinaryNotFound.
    """
    global _broker, _owner
    with _lock:
        if _broker is None or (_owner == os.getpid() and not _broker.alive()):
            _broker = PrivateBroker("--max-message-bytes", str(_MAX_MESSAGE_BYTES))
            _owner = os.getpid()
        return _broker.address


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # Another thread of the parent may have held it.


os.register_at_fork(after_in_child=_after_fork)
