"""Forking with gRPC in the process.

gRPC lets a process fork only while none of the process's threads are inside of it, and takes locks
in the child that they may have held. So before a fork our threads are led out of gRPC to where they
merely wait; in the child gRPC's locks are freed, and what must not be used there is told so.

Hooks of the child run in order of registration, so this module has to be imported before the first
channel is made. Hooks before a fork run in reverse order, so ours is registered with the first
channel, after gRPC's.
"""
from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any, Optional, Protocol

# How long a fork waits for our threads, in seconds. It goes on in any case; after that, at its own
# risk (a broker that holds publishers back has a request under way for as long as that takes).
_PATIENCE = 2.0
_LOOK_AGAIN = 0.0005


class Forkable(Protocol):
    """Something with locks and threads."""

    def after_fork(self) -> None:
        """Called in the child: take new locks, and refuse from now on."""


_living: weakref.WeakSet[Forkable] = weakref.WeakSet()
_readings: weakref.WeakSet[Reading] = weakref.WeakSet()
_gate = threading.Event()  # set: gRPC may be entered
_gate.set()
_inside: set[int] = set()  # threads that are just making a call
_hook_lock = threading.Lock()
_hooked = False


def tell_child(target: Forkable) -> None:
    """Has `target.after_fork()` called in every child that is forked while it lives."""
    _living.add(target)


@contextlib.contextmanager
def entering() -> Iterator[None]:
    """Around what enters gRPC and returns at once; it waits while the process forks."""
    me = threading.get_ident()
    while True:
        _inside.add(me)
        if _gate.is_set():
            break
        _inside.discard(me)
        _gate.wait()
    try:
        yield
    finally:
        _inside.discard(me)


class Reading:
    """Iterates over the responses of a call, but does not ask for one while the process forks."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.thread = 0
        #: Whether gRPC's thread has a request of the call that is not on its way yet. A fork must
        #: not begin then: that thread keeps a lock that gRPC's other threads want, and gRPC waits
        #: for all of them.
        self.sending = False
        _readings.add(self)

    def __iter__(self) -> Iterator[Any]:
        self.thread = threading.get_ident()
        try:
            while True:
                _gate.wait()
                try:
                    response = next(self.call)
                except StopIteration:
                    return
                yield response
        finally:
            self.sending = False  # nobody asks for a further request

    def send(self) -> None:
        """Called by gRPC's thread when it is about to take a request from us."""
        while True:
            self.sending = True
            if _gate.is_set():
                return
            self.sending = False
            _gate.wait()


def free(call: Optional[Any], channel: Optional[Any]) -> None:
    """Makes gRPC's locks of a call and of a channel free again, in a forked child.

    They are private to gRPC, so they are looked for; a version that has them elsewhere keeps them.
    """
    owners = [getattr(call, "_state", None)]
    owners += [state for state in gc.get_referents(getattr(channel, "_channel", None))
               if type(state).__module__.startswith("grpc.")]
    for owner in owners:
        held = vars(owner).values() if hasattr(owner, "__dict__") else gc.get_referents(owner)
        for lock in held:
            if isinstance(lock, threading.Condition):
                lock._at_fork_reinit()  # type: ignore[attr-defined]


def _all_wait() -> bool:
    """Whether nothing of ours is inside gRPC: a reader is in the wait of a condition or event."""
    if _inside - {threading.get_ident()}:
        return False
    frames = sys._current_frames()
    for reading in list(_readings):
        frame = frames.get(reading.thread)
        if reading.sending or (frame is not None and not (
                frame.f_code.co_name == "wait"
                and frame.f_globals.get("__name__") == "threading")):
            return False
    return True


def _before_fork() -> None:
    _gate.clear()
    deadline = time.monotonic() + _PATIENCE
    while not _all_wait() and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN)


def _after_fork_in_child() -> None:
    _inside.clear()
    _gate._at_fork_reinit()  # type: ignore[attr-defined]
    _gate.set()
    for reading in list(_readings):
        free(reading.call, None)
    for target in list(_living):
        target.after_fork()


def channel_made() -> None:
    """To be called after a channel was made."""
    global _hooked
    with _hook_lock:
        if not _hooked:
            os.register_at_fork(before=_before_fork, after_in_parent=_gate.set)
            _hooked = True


os.register_at_fork(after_in_child=_after_fork_in_child)
