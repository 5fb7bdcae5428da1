"""Each test of this folder runs once a language; a language that cannot be built here is skipped."""
import socket
from collections.abc import Callable, Iterator

import broker as broker_process
import pytest

from program import Program
from toolchain import BUILD_SECONDS, LANGUAGES, Language, NotHere

Start = Callable[[str, str, str], Program]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:  # The first test of a language builds it.
        if "language" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(BUILD_SECONDS))


@pytest.fixture(params=LANGUAGES, ids=lambda language: language.name, scope="session")
def language(request: pytest.FixtureRequest) -> Language:
    """A language whose programs are built."""
    language: Language = request.param
    try:
        language.build()
    except NotHere as reason:
        pytest.skip(f"{language.name}: {reason}")
    return language


@pytest.fixture
def run(language: Language) -> Iterator[Start]:
    """run(behaviour, address, queue): the language's program, which ends with the test."""
    programs: list[Program] = []

    def start(behaviour: str, address: str, queue: str) -> Program:
        programs.append(Program(language.command("program", behaviour, address, queue)))
        return programs[-1]

    yield start
    for program in programs:
        program.kill()


class MortalBroker:
    """A broker that can be killed and comes back at the same address."""

    def __init__(self) -> None:
        # Bound and never listening, it keeps the port from others while the broker is away.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        host, port = self._place.getsockname()
        self.address = f"{host}:{port}"
        self._broker = broker_process.Broker(listen=self.address)

    def kill_and_restart(self) -> None:
        """As after a crash: all queues and messages are gone."""
        self._broker.kill()
        self._broker = broker_process.Broker(listen=self.address)

    def stop(self) -> None:
        self._broker.stop()
        self._place.close()


@pytest.fixture
def mortal_broker() -> Iterator[MortalBroker]:
    mortal = MortalBroker()
    yield mortal
    mortal.stop()
