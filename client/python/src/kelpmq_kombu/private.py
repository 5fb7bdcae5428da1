"""The broker behind `kelpmq://`: one for a process and all that it starts.

The first process that imports Kombu is the root of its tree; it hands its name down in the
environment (tree.py). Whoever of the tree connects first starts the broker; it ends with the root.
"""
from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import pathlib
import shutil
import socket
import stat
import tempfile
from typing import Iterator, Optional

from kelpmq.broker import PrivateBroker

from . import tree

# As RabbitMQ's default; such a broker has no other clients that could not take so much.
_MAX_MESSAGE_BYTES = 128 << 20

_brokers: list[PrivateBroker] = []  # Those that this process has started.


def address() -> str:
    """The address of the tree's broker, which is started if need be.

    Raises kelpmq.broker.BrokerStartError.
    """
    tree.mark_root()
    folder = _folder(os.environ[tree.VARIABLE])
    with _locked(folder / "lock"):
        found = _read(folder / "address")
        if found is not None and _answers(found):
            return found
        broker = PrivateBroker("--max-message-bytes", str(_MAX_MESSAGE_BYTES),
                               ends_with=tree.root_pid())
        _brokers.append(broker)
        (folder / "address").write_text(broker.address)
    _sweep()
    return broker.address


# Registered before connections register theirs, so it runs after those have sent what they had.
@atexit.register
def _end() -> None:
    """At the root's end: the broker and its folders go. After SIGKILL the broker goes by itself."""
    if not tree.is_root():
        return
    for broker in _brokers:
        broker.stop()
    _remove(_path(os.environ[tree.VARIABLE]))


def _sweep() -> None:
    """Removes what roots have left that were killed."""
    prefix = _path("").name
    for folder in pathlib.Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        if not tree.is_alive(folder.name[len(prefix):]) and folder.lstat().st_uid == os.getuid():
            _remove(folder)


def _remove(folder: pathlib.Path) -> None:
    found = _read(folder / "address")
    if found is not None:
        shutil.rmtree(pathlib.Path(found[len("unix:"):]).parent, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _path(root: str) -> pathlib.Path:
    return pathlib.Path(tempfile.gettempdir()) / f"kelpmq-kombu-{os.getuid()}-{root}"


def _folder(root: str) -> pathlib.Path:
    """A folder of the tree that nobody else can have prepared."""
    folder = _path(root)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a folder of this user alone")
    return folder


@contextlib.contextmanager
def _locked(path: pathlib.Path) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(path: pathlib.Path) -> Optional[str]:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def _answers(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address[len("unix:"):])
        except OSError:
            return False
        return True
