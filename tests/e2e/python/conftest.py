"""Fixtures for the tests of the Python client, which know nothing but the installed package."""
import queue

import kelpmq
import pytest
from kelpmq import _calls
from kelpmq._connection import Connection
from kelpmq.v1 import topology_pb2

pytest_plugins = ["pytester"]

PATIENCE = 30.0


@pytest.fixture(scope="session")
def broker():
    """A broker for all tests, which must survive them."""
    with kelpmq.PrivateBroker() as broker:
        yield broker
        assert broker.alive()


@pytest.fixture
def own_broker():
    """A broker for one test, on TCP, so that another can follow on its port."""
    with kelpmq.PrivateBroker(tcp=True) as broker:
        yield broker


@pytest.fixture
def connection(broker):
    connection = Connection(kelpmq.parse_address(broker.address))
    yield connection
    connection.close()


@pytest.fixture
def queue_name(connection, request):
    """A queue that is named like the test."""
    name = request.node.name
    connection.call(_calls.DECLARE_QUEUE, topology_pb2.DeclareQueueRequest(name=name), PATIENCE)
    yield name
    connection.call(_calls.DELETE_QUEUE, topology_pb2.DeleteQueueRequest(name=name), PATIENCE)


class Events:
    """A sink that keeps what comes, to be waited for."""

    def __init__(self):
        self._arrived = queue.Queue()

    def __call__(self, kind, event):
        self._arrived.put((kind, event))

    def take(self, kind):
        """The next event of this kind; others are dropped."""
        while True:
            found, event = self._arrived.get(timeout=PATIENCE)
            if found == kind:
                return event

    def deliveries(self, number):
        found = []
        while len(found) < number:
            found += self.take("deliveries").deliveries
        assert len(found) == number
        return found


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def client(broker):
    with kelpmq.Client(broker.address) as client:
        yield client


@pytest.fixture
def name(request, connection):
    """A name for what a test declares; a queue of that name is deleted afterwards."""
    name = request.node.name
    yield name
    connection.call(_calls.DELETE_QUEUE, topology_pb2.DeleteQueueRequest(name=name), PATIENCE)


class Restartable:
    """A broker at an address that stays, to be killed and started again."""

    def __init__(self, address):
        self.address = address
        self._broker = None
        self.start()

    def start(self):
        self._broker = kelpmq.PrivateBroker("--listen", self.address)

    def kill(self):
        """As kill -9 does."""
        self._broker.kill()

    def restart(self):
        self.kill()
        self.start()


@pytest.fixture(params=["unix", "tcp"])
def restartable(request, tmp_path):
    if request.param == "unix":
        address = f"unix:{tmp_path}/s"
    else:  # A port that was free a moment ago.
        with kelpmq.PrivateBroker(tcp=True) as broker:
            address = broker.address
    restartable = Restartable(address)
    yield restartable
    restartable.kill()
