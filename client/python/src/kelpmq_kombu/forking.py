"""Forks amid traffic: pools replace their processes while gRPC's threads are at work.

gRPC waits before a fork until its own threads stand still, which has two flaws (grpcio 1.49 to
1.85). A thread that is in the middle of sending stops with a lock that another needs to stop: the
fork takes five seconds and the child can make no call. So what sends passes a gate here, which is
shut before a fork. And the thread of a channel looks up once a second, or when something happens
on the channel; so something is made to happen, and a fork takes milliseconds.
"""
from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any, Callable, Iterable

# gRPC's own; there is no public way to see that a fork waits, and to be waited for by it.
from grpc._cython import cygrpc  # type: ignore[attr-defined,unused-ignore]

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.001
_MOST_POLLS = 200
# Sending takes microseconds, a call milliseconds; one that takes longer may be cut off by the fork.
_GATE_SECONDS = 2.0


class Gate:
    """What is inside keeps a fork waiting; what comes while one is under way waits.

    Thread-safe.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._inside = 0
        self._shut = False

    def __enter__(self) -> None:
        with self._changed:
            while self._shut:
                self._changed.wait()
            self._inside += 1

    def __exit__(self, *error: Any) -> None:
        with self._changed:
            self._inside -= 1
            if self._shut:
                self._changed.notify_all()

    def shut(self) -> None:
        """Lets nobody in any more, and waits until nobody is inside, but not for long."""
        deadline = time.monotonic() + _GATE_SECONDS
        with self._changed:
            self._shut = True
            while self._inside and time.monotonic() < deadline:
                self._changed.wait(deadline - time.monotonic())

    def open(self) -> None:
        """The fork is over."""
        with self._changed:
            self._shut = False
            self._changed.notify_all()


#: To be entered for each call, and each message of a stream, while it is sent.
gate = Gate()

#: Starts an idle call on each channel in use and returns what cancels it; set by link.py.
open_idle_calls: Callable[[], Iterable[Callable[[], object]]] = tuple


def _before_fork() -> None:
    gate.shut()
    cancels = list(open_idle_calls())
    if not cancels or not _can_see_forks:
        return

    def cancel_all() -> None:
        for _ in range(_MOST_POLLS):
            if cygrpc._fork_state.fork_in_progress:
                break
            time.sleep(_POLL_SECONDS)
        for cancel in cancels:
            cancel()

    # Of this kind, so that the fork waits for its end, too: nothing of it is cut off.
    thread = cygrpc.ForkManagedThread(target=cancel_all)
    thread.setDaemon(True)
    thread.start()


def _in_child() -> None:
    gate.__init__()  # type: ignore[misc]  # Its lock may be held by a thread that is not here.


# Without these names a fork takes up to a second, and works.
_can_see_forks = hasattr(cygrpc, "_fork_state") and hasattr(cygrpc, "ForkManagedThread")
_installed = False


def install() -> None:
    """To be called with a channel open: what is registered last runs first, and gRPC registers its
    own with the first channel."""
    global _installed
    if not _installed and hasattr(os, "register_at_fork"):
        _installed = True
        if not cygrpc.is_fork_support_enabled():
            log.warning("grpc was imported before kombu, without GRPC_ENABLE_FORK_SUPPORT=1: "
                        "processes forked from this one may not reach the broker")
        os.register_at_fork(before=_before_fork, after_in_parent=gate.open,
                            after_in_child=_in_child)
