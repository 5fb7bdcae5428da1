"""A pytest plug-in: brokers for tests, and their state to assert on.

    def test_orders_are_put_into_the_queue(kelpmq_broker):
        place_order(kelpmq_broker.url)
        assert kelpmq_broker.queue("orders").bodies() == [b"..."]

It is there as soon as kelpmq is installed. Nothing of kelpmq or gRPC is imported, and no broker
started, before a test asks for it.
"""
from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kelpmq_pytest.broker import Broker
    from kelpmq_pytest.pool import Brokers

MARK = ("kelpmq(own=False, manual_clock=False, tcp=False, arguments=()): what kind of broker the "
        "fixture kelpmq_broker is. own: a process for this test alone. manual_clock: its time "
        "stands still until advance() moves it. tcp: on 127.0.0.1 instead of a Unix socket. "
        "arguments: further ones of `kelpmq serve`.")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)


@pytest.fixture(scope="session")
def kelpmq_brokers() -> Iterator[Brokers]:
    """The broker processes of this run, for fixtures that have to live longer than a test."""
    from kelpmq_pytest.pool import Brokers

    with Brokers() as brokers:
        yield brokers


@pytest.fixture
def kelpmq_broker(request: pytest.FixtureRequest, kelpmq_brokers: Brokers) -> Iterator[Broker]:
    """A broker without anything in it: a virtual host of this test's own, which takes a millisecond
    or two, on a process that all tests share. @pytest.mark.kelpmq says how it is to differ."""
    wanted: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("kelpmq"))):  # the closest one at last
        if mark.args:
            raise pytest.UsageError("write @pytest.mark.kelpmq(name=value, ...)")
        wanted.update(mark.kwargs)
    with kelpmq_brokers.lend(**wanted) as broker:
        yield broker
        ended = broker.why_it_ended()
    if ended:
        pytest.fail(ended, pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]
                              ) -> Generator[None, Any, None]:
    """What was in the broker goes along with the report of a test that failed."""
    outcome = yield
    broker = getattr(item, "funcargs", {}).get("kelpmq_broker")
    if broker is not None and call.when == "call":
        report = outcome.get_result()
        if report.failed:
            report.sections.append(("kelpmq broker", broker.describe()))
