"""Which processes belong together: those that share a private broker."""
from __future__ import annotations

import os
import pathlib

#: PID-STARTED of the root, where STARTED tells it from a later process with the same number.
VARIABLE = "KELPMQ_KOMBU_ROOT"


def mark_root() -> None:
    """Makes this process the root of a tree, unless it already is in the tree of a living one."""
    root = os.environ.get(VARIABLE, "")
    if not is_alive(root):
        os.environ[VARIABLE] = f"{os.getpid()}-{_started(os.getpid())}"


def root_pid() -> int:
    """The root's process."""
    return int(os.environ[VARIABLE].partition("-")[0])


def is_root() -> bool:
    """Whether this is the root's process."""
    return os.environ.get(VARIABLE) == f"{os.getpid()}-{_started(os.getpid())}"


def is_alive(root: str) -> bool:
    """Whether the process that the variable names still lives."""
    pid, _, started = root.partition("-")
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # It lives, as another user.
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    """When a process started, in ticks since the boot; 0 where that is not known."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "0"
    return text.rpartition(")")[2].split()[19]
