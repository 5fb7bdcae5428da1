"""Fixtures for all Python tests: a broker, and stubs connected to it."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))

import broker as broker_process  # noqa: E402


@pytest.fixture(scope="module")
def broker():
    """A running broker, shared by the tests of a file; it must survive them and stop well."""
    with broker_process.running() as running:
        yield running


@pytest.fixture(scope="module")
def still_broker():
    """The same, with a clock that stands still until a test moves it."""
    with broker_process.running("--manual-clock") as running:
        yield running


@pytest.fixture
def own_broker():
    """A broker for one test, which may stop it."""
    running = broker_process.Broker()
    yield running
    if running.alive():
        running.stop()
