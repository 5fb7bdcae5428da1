"""The broker processes of a test run: started when they are first needed, shared, and ended with
the run."""
from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Optional

import kelpmq
from kelpmq.admin import Admin

from kelpmq_pytest.broker import Broker

Kind = tuple[bool, tuple[str, ...]]


class Brokers:
    """Lends brokers to tests.

    Thread-safety: thread-compatible. Errors: kelpmq.BrokerStartError, kelpmq.BinaryNotFound.
    """

    def __init__(self) -> None:
        self._shared: dict[Kind, tuple[kelpmq.PrivateBroker, kelpmq.Client]] = {}
        self._numbers = itertools.count(1)

    def process(self, *, manual_clock: bool = False, tcp: bool = False,
                arguments: Sequence[str] = ()) -> kelpmq.PrivateBroker:
        """The process that tests who want such a broker share."""
        return self._process(_kind(manual_clock, tcp, arguments))[0]

    @contextlib.contextmanager
    def lend(self, *, own: bool = False, manual_clock: bool = False, tcp: bool = False,
             arguments: Sequence[str] = ()) -> Iterator[Broker]:
        """A broker without anything in it, for a while; see the mark kelpmq."""
        kind = _kind(manual_clock, tcp, arguments)
        with self._own(kind) if own else self._vhost(kind) as broker:
            yield broker

    @contextlib.contextmanager
    def _vhost(self, kind: Kind) -> Iterator[Broker]:
        process, client = self._process(kind)
        name = f"test-{next(self._numbers)}"
        Admin(client).put_vhost(name)
        broker = Broker(process, process.address, name)
        try:
            yield broker
        finally:
            broker.close()
            if process.alive():
                Admin(client).delete_vhost(name)

    @contextlib.contextmanager
    def _own(self, kind: Kind) -> Iterator[Broker]:
        tcp, arguments = kind
        folder = tempfile.mkdtemp(prefix="kelpmq-", dir=None if tcp else "/tmp")
        listen = "127.0.0.1:0" if tcp else f"unix:{folder}/socket"
        process = kelpmq.PrivateBroker(*arguments, tcp=True) if tcp else \
            kelpmq.PrivateBroker("--listen", listen, *arguments)
        address = process.address if tcp else listen
        broker = Broker(
            process, address, "",
            lambda: kelpmq.PrivateBroker("--listen", address, *arguments))
        try:
            yield broker
        finally:
            broker.close()
            broker.process.stop()
            shutil.rmtree(folder, ignore_errors=True)

    def _process(self, kind: Kind) -> tuple[kelpmq.PrivateBroker, kelpmq.Client]:
        found = self._shared.get(kind)
        if found is not None and not found[0].alive():
            self._end(kind)
            found = None
        if found is None:
            tcp, arguments = kind
            process = kelpmq.PrivateBroker(*arguments, tcp=tcp)
            found = self._shared[kind] = process, kelpmq.Client(process.address, name="pytest")
        return found

    def _end(self, kind: Kind) -> None:
        process, client = self._shared.pop(kind)
        client.close(timeout=1.0)
        process.stop()

    def __enter__(self) -> Brokers:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        for each in list(self._shared):
            self._end(each)


def _kind(manual_clock: bool, tcp: bool, arguments: Sequence[str]) -> Kind:
    return tcp, (*arguments, *(["--manual-clock"] if manual_clock else []))
